//! The architectures that the mirror holds programs and images for.

/// One of them, with what it takes to build for it here.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Architecture {
    /// As Go, Debian, OCI and the official hosts call it. In URLs, `{arch}` stands for it.
    pub(super) name: &'static str,
    /// Debian's folder of libraries for it.
    pub(super) libraries: &'static str,
    /// The C compiler that builds for it on amd64.
    pub(super) compiler: &'static str,
    /// Whether C libraries for it have to be unpacked, because this machine's own are for another.
    pub(super) foreign: bool,
    /// SHA-256 of Debian's package with the flannel CNI plugin.
    pub(super) flannel_cni: &'static str,
}

/// What this machine is, and what the whole mirror is built for.
pub(super) const AMD64: Architecture = Architecture {
    name: "amd64",
    libraries: "x86_64-linux-gnu",
    compiler: "gcc",
    foreign: false,
    flannel_cni: "093d38f8d40d2581546ce893cf43ac537085cbade5ba306b41d6fff5283f93dc",
};

/// What workers may be as well.
pub(super) const ARM64: Architecture = Architecture {
    name: "arm64",
    libraries: "aarch64-linux-gnu",
    compiler: "aarch64-linux-gnu-gcc",
    foreign: true,
    flannel_cni: "f6a37212e413e9f251dc11be7014a9f74967c137ee9c5bd3fe0f2dcfbd6e6218",
};

/// Everything a worker needs is built for these.
pub(super) const EVERYWHERE: &[Architecture] = &[AMD64, ARM64];
/// The control plane and its database are built for these: as much again would double the time of a build.
pub(super) const CONTROL_PLANE: &[Architecture] = &[AMD64];
