//! What the mirror is made of, as data: which modules, programs, files and images.
//!
//! Versions follow what can be built from public Go modules; `garboard.lock` names them, so nothing else depends on
//! them. The module versions themselves and their checksums stand in `xtask/upstream/COMPONENT/go.{mod,sum}`.

use super::architecture::{Architecture, CONTROL_PLANE, EVERYWHERE};

/// The Kubernetes version, which also names the control plane's image tags.
pub(super) const KUBERNETES: &str = "v1.36.3";

/// How a program is linked.
#[derive(Clone, Copy)]
pub(super) enum Linkage {
    /// Go only, hence static.
    Go,
    /// With C, linked statically against Debian's libraries.
    StaticC,
}

/// One Go module and the programs in it.
pub(super) struct Component {
    /// Also the folder below `xtask/upstream` with its `go.mod` and `go.sum`.
    pub(super) name: &'static str,
    /// Linker flags that set the version.
    pub(super) version_flags: &'static str,
    /// Go build tags, comma-separated.
    pub(super) tags: &'static str,
    pub(super) linkage: Linkage,
    /// Name of the program in the mirror's recipe, and its Go package.
    pub(super) programs: &'static [(&'static str, &'static str)],
}

/// What a plain file of the mirror holds.
pub(super) enum Content {
    /// The program itself.
    Program(&'static str),
    /// A gzipped tar: member path and program.
    Archive(&'static [(&'static str, &'static str)]),
}

/// A plain file, as the official host offers it.
pub(super) struct File {
    /// Name in `garboard.lock`.
    pub(super) name: &'static str,
    pub(super) version: &'static str,
    pub(super) url: &'static str,
    pub(super) content: Content,
}

/// An image, as the official registry offers it.
pub(super) struct Image {
    /// Name in `garboard.lock`.
    pub(super) name: &'static str,
    /// Registry host and repository.
    pub(super) repository: &'static str,
    pub(super) tag: &'static str,
    /// What it is built for, in the index's order.
    pub(super) architectures: &'static [Architecture],
    /// Stands on the base layer, which has `nft`, `iptables`, `cp` and `sh`.
    pub(super) base: bool,
    /// Program and its absolute path in the image.
    pub(super) programs: &'static [(&'static str, &'static str)],
    pub(super) entrypoint: &'static [&'static str],
    /// `uid:gid`, or empty for root.
    pub(super) user: &'static str,
}

/// The Debian packages in the base layer, and the release they come from.
pub(super) const BASE_SUITE: &str = "bookworm";
pub(super) const BASE_PACKAGES: &[&str] = &["bash", "coreutils", "dash", "iptables", "nftables"];

/// The Debian packages with C libraries that programs are linked against for a foreign architecture. For this
/// machine's own they are installed; the C library itself comes with the compiler.
pub(super) const C_LIBRARIES: &[&str] = &["libseccomp-dev"];

/// The flannel CNI plugin: its Go module is not to be had, Debian 11 has a build of it.
pub(super) const FLANNEL_CNI_SUITE: &str = "bullseye";
pub(super) const FLANNEL_CNI_PACKAGE: &str = "containernetworking-plugins";
pub(super) const FLANNEL_CNI_MEMBER: &str = "usr/lib/cni/flannel";
pub(super) const FLANNEL_CNI: &str = "flannel-cni";

/// The program that holds a pod's namespaces, from `xtask/upstream/pause/pause.c`.
pub(super) const PAUSE: &str = "pause";

/// What tests of the front door put behind it, from `xtask/upstream/backend/main.go`.
pub(super) const BACKEND: &str = "backend";

macro_rules! kubernetes {
    ($name:literal) => {
        ($name, concat!("k8s.io/kubernetes/cmd/", $name))
    };
}

macro_rules! cni {
    ($kind:literal, $name:literal) => {
        ($name, concat!("github.com/containernetworking/plugins/plugins/", $kind, "/", $name))
    };
}

pub(super) const COMPONENTS: &[Component] = &[
    Component {
        name: "kubernetes",
        version_flags: "-X k8s.io/component-base/version.gitVersion=v1.36.3 \
            -X k8s.io/component-base/version.gitMajor=1 -X k8s.io/component-base/version.gitMinor=36 \
            -X k8s.io/component-base/version.gitTreeState=clean \
            -X k8s.io/component-base/version.gitCommit=0000000000000000000000000000000000000000 \
            -X k8s.io/component-base/version.buildDate=1970-01-01T00:00:00Z \
            -X k8s.io/client-go/pkg/version.gitVersion=v1.36.3 \
            -X k8s.io/client-go/pkg/version.gitMajor=1 -X k8s.io/client-go/pkg/version.gitMinor=36",
        tags: "",
        linkage: Linkage::Go,
        programs: &[
            kubernetes!("kubeadm"),
            kubernetes!("kubectl"),
            kubernetes!("kubelet"),
            kubernetes!("kube-apiserver"),
            kubernetes!("kube-controller-manager"),
            kubernetes!("kube-scheduler"),
            kubernetes!("kube-proxy"),
        ],
    },
    Component {
        name: "containerd",
        version_flags: "-X github.com/containerd/containerd/v2/version.Version=v2.2.3",
        tags: "",
        linkage: Linkage::Go,
        programs: &[
            ("containerd", "github.com/containerd/containerd/v2/cmd/containerd"),
            ("ctr", "github.com/containerd/containerd/v2/cmd/ctr"),
            ("containerd-shim-runc-v2", "github.com/containerd/containerd/v2/cmd/containerd-shim-runc-v2"),
        ],
    },
    Component {
        name: "runc",
        version_flags: "",
        tags: "seccomp,urfave_cli_no_docs,netgo,osusergo",
        linkage: Linkage::StaticC,
        programs: &[("runc", "github.com/opencontainers/runc")],
    },
    Component {
        name: "etcd",
        version_flags: "",
        tags: "",
        linkage: Linkage::Go,
        programs: &[("etcd", "go.etcd.io/etcd/server/v3")],
    },
    Component {
        name: "etcdctl",
        version_flags: "",
        tags: "",
        linkage: Linkage::Go,
        programs: &[("etcdctl", "go.etcd.io/etcd/etcdctl/v3")],
    },
    Component {
        name: "coredns",
        version_flags: "",
        tags: "",
        linkage: Linkage::Go,
        programs: &[("coredns", "github.com/coredns/coredns")],
    },
    Component {
        name: "cni-plugins",
        version_flags: "-X github.com/containernetworking/plugins/pkg/utils/buildversion.BuildVersion=v1.9.1",
        tags: "",
        linkage: Linkage::Go,
        programs: &[
            cni!("meta", "bandwidth"),
            cni!("main", "bridge"),
            cni!("meta", "firewall"),
            cni!("ipam", "host-local"),
            cni!("main", "loopback"),
            cni!("meta", "portmap"),
            cni!("meta", "tuning"),
        ],
    },
    Component {
        name: "crictl",
        version_flags: "-X sigs.k8s.io/cri-tools/pkg/version.Version=v1.36.0",
        tags: "",
        linkage: Linkage::Go,
        programs: &[("crictl", "sigs.k8s.io/cri-tools/cmd/crictl")],
    },
    Component {
        name: "flannel",
        version_flags: "-X github.com/flannel-io/flannel/pkg/version.Version=v0.28.4",
        tags: "netgo,osusergo",
        linkage: Linkage::StaticC,
        programs: &[("flanneld", "github.com/flannel-io/flannel")],
    },
    Component {
        name: "traefik",
        version_flags: "-X github.com/traefik/traefik/v3/pkg/version.Version=v3.6.12",
        tags: "",
        linkage: Linkage::Go,
        programs: &[("traefik", "github.com/traefik/traefik/v3/cmd/traefik")],
    },
    Component {
        name: "metrics-server",
        version_flags: "-X k8s.io/component-base/version.gitVersion=v0.9.0",
        tags: "",
        linkage: Linkage::Go,
        programs: &[("metrics-server", "sigs.k8s.io/metrics-server/cmd/metrics-server")],
    },
    Component {
        name: "local-path-provisioner",
        version_flags: "-X main.VERSION=v0.0.30",
        tags: "",
        linkage: Linkage::Go,
        programs: &[("local-path-provisioner", "github.com/rancher/local-path-provisioner")],
    },
    // What tests of the front door talk to: a server that tells who asked, and one that issues certificates by ACME.
    Component {
        name: BACKEND,
        version_flags: "",
        tags: "",
        linkage: Linkage::Go,
        programs: &[(BACKEND, "garboard/upstream/backend")],
    },
    Component {
        name: "pebble",
        version_flags: "",
        tags: "",
        linkage: Linkage::Go,
        programs: &[("pebble", "github.com/letsencrypt/pebble/v2/cmd/pebble")],
    },
];

pub(super) const FILES: &[File] = &[
    File {
        name: "kubeadm",
        version: KUBERNETES,
        url: "https://dl.k8s.io/release/v1.36.3/bin/linux/{arch}/kubeadm",
        content: Content::Program("kubeadm"),
    },
    File {
        name: "kubectl",
        version: KUBERNETES,
        url: "https://dl.k8s.io/release/v1.36.3/bin/linux/{arch}/kubectl",
        content: Content::Program("kubectl"),
    },
    File {
        name: "kubelet",
        version: KUBERNETES,
        url: "https://dl.k8s.io/release/v1.36.3/bin/linux/{arch}/kubelet",
        content: Content::Program("kubelet"),
    },
    File {
        name: "containerd",
        version: "v2.2.3",
        url: "https://github.com/containerd/containerd/releases/download/v2.2.3/containerd-2.2.3-linux-{arch}.tar.gz",
        content: Content::Archive(&[
            ("bin/containerd", "containerd"),
            ("bin/containerd-shim-runc-v2", "containerd-shim-runc-v2"),
            ("bin/ctr", "ctr"),
        ]),
    },
    File {
        name: "runc",
        version: "v1.4.3",
        url: "https://github.com/opencontainers/runc/releases/download/v1.4.3/runc.{arch}",
        content: Content::Program("runc"),
    },
    File {
        name: "cni-plugins",
        version: "v1.9.1",
        url: "https://github.com/containernetworking/plugins/releases/download/v1.9.1/cni-plugins-linux-{arch}-v1.9.1.tgz",
        content: Content::Archive(&[
            ("./bandwidth", "bandwidth"),
            ("./bridge", "bridge"),
            ("./firewall", "firewall"),
            ("./host-local", "host-local"),
            ("./loopback", "loopback"),
            ("./portmap", "portmap"),
            ("./tuning", "tuning"),
        ]),
    },
    File {
        name: "crictl",
        version: "v1.36.0",
        url: "https://github.com/kubernetes-sigs/cri-tools/releases/download/v1.36.0/crictl-v1.36.0-linux-{arch}.tar.gz",
        content: Content::Archive(&[("crictl", "crictl")]),
    },
];

/// Programs that a person, or a test, on this machine wants at hand, linked into the mirror's `bin`.
pub(super) const HANDY: &[&str] = &["crictl", "kubectl", "pebble"];

pub(super) const IMAGES: &[Image] = &[
    control_plane(
        "kube-apiserver",
        "registry.k8s.io/kube-apiserver",
        &[("kube-apiserver", "/usr/local/bin/kube-apiserver")],
    ),
    control_plane(
        "kube-controller-manager",
        "registry.k8s.io/kube-controller-manager",
        &[("kube-controller-manager", "/usr/local/bin/kube-controller-manager")],
    ),
    control_plane(
        "kube-scheduler",
        "registry.k8s.io/kube-scheduler",
        &[("kube-scheduler", "/usr/local/bin/kube-scheduler")],
    ),
    Image {
        architectures: EVERYWHERE,
        base: true,
        ..control_plane(
            "kube-proxy",
            "registry.k8s.io/kube-proxy",
            &[("kube-proxy", "/usr/local/bin/kube-proxy")],
        )
    },
    Image {
        name: "etcd",
        repository: "registry.k8s.io/etcd",
        tag: "3.6.8-0",
        architectures: CONTROL_PLANE,
        base: false,
        programs: &[("etcd", "/usr/local/bin/etcd"), ("etcdctl", "/usr/local/bin/etcdctl")],
        entrypoint: &[],
        user: "",
    },
    Image {
        name: "coredns",
        repository: "registry.k8s.io/coredns/coredns",
        tag: "v1.14.2",
        architectures: EVERYWHERE,
        base: false,
        programs: &[("coredns", "/coredns")],
        entrypoint: &["/coredns"],
        user: "",
    },
    Image {
        name: "pause",
        repository: "registry.k8s.io/pause",
        tag: "3.10.2",
        architectures: EVERYWHERE,
        base: false,
        programs: &[(PAUSE, "/pause")],
        entrypoint: &["/pause"],
        user: "65535:65535",
    },
    Image {
        name: "flannel",
        repository: "ghcr.io/flannel-io/flannel",
        tag: "v0.28.4",
        architectures: EVERYWHERE,
        base: true,
        programs: &[("flanneld", "/opt/bin/flanneld")],
        entrypoint: &["/opt/bin/flanneld"],
        user: "",
    },
    Image {
        name: "flannel-cni-plugin",
        repository: "ghcr.io/flannel-io/flannel-cni-plugin",
        tag: "v1.9.1-flannel1",
        architectures: EVERYWHERE,
        base: true,
        programs: &[(FLANNEL_CNI, "/flannel")],
        entrypoint: &["/flannel"],
        user: "",
    },
    Image {
        name: "traefik",
        repository: "docker.io/library/traefik",
        tag: "v3.6.12",
        // The largest program of all, which takes Go as long as all of Kubernetes.
        architectures: CONTROL_PLANE,
        base: false,
        programs: &[("traefik", "/traefik")],
        entrypoint: &["/traefik"],
        user: "",
    },
    Image {
        name: "metrics-server",
        repository: "registry.k8s.io/metrics-server/metrics-server",
        tag: "v0.9.0",
        architectures: EVERYWHERE,
        base: false,
        programs: &[("metrics-server", "/metrics-server")],
        entrypoint: &["/metrics-server"],
        user: "65534",
    },
    Image {
        name: "local-path-provisioner",
        repository: "docker.io/rancher/local-path-provisioner",
        tag: "v0.0.30",
        architectures: EVERYWHERE,
        base: false,
        programs: &[("local-path-provisioner", "/usr/bin/local-path-provisioner")],
        entrypoint: &["/usr/bin/local-path-provisioner"],
        user: "",
    },
    // A shell, `mkdir` and `rm` are all that is asked of it.
    Image {
        name: "busybox",
        repository: "docker.io/library/busybox",
        tag: "1.37.0",
        architectures: EVERYWHERE,
        base: true,
        programs: &[],
        entrypoint: &[],
        user: "",
    },
    Image {
        name: BACKEND,
        repository: "registry.example.org/lab/backend",
        tag: "v1",
        architectures: EVERYWHERE,
        base: false,
        programs: &[(BACKEND, "/backend")],
        entrypoint: &["/backend"],
        user: "65534",
    },
];

/// A part of Kubernetes itself: the version is the tag, and kubeadm's manifests name the program to run.
const fn control_plane(
    name: &'static str,
    repository: &'static str,
    programs: &'static [(&'static str, &'static str)],
) -> Image {
    Image {
        name,
        repository,
        tag: KUBERNETES,
        architectures: CONTROL_PLANE,
        base: false,
        programs,
        entrypoint: &[],
        user: "",
    }
}

/// Whether a file or an image for that architecture holds the program, or somebody on this machine wants it.
pub(super) fn needs(architecture: Architecture, program: &str) -> bool {
    let in_a_file = EVERYWHERE.contains(&architecture)
        && FILES.iter().any(|file| match file.content {
            Content::Program(name) => name == program,
            Content::Archive(members) => members.iter().any(|(_, name)| *name == program),
        });
    let in_an_image = IMAGES
        .iter()
        .filter(|image| image.architectures.contains(&architecture))
        .any(|image| image.programs.iter().any(|(name, _)| *name == program));
    let at_hand = architecture == super::architecture::AMD64 && HANDY.contains(&program);
    in_a_file || in_an_image || at_hand
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::upstream::architecture::{AMD64, ARM64};

    #[test]
    fn a_worker_of_either_architecture_finds_its_programs_and_a_control_plane_only_on_amd64() {
        for program in ["kubelet", "kubeadm", "runc", "kube-proxy", "flanneld", "coredns", PAUSE, FLANNEL_CNI]
        {
            assert!(needs(AMD64, program) && needs(ARM64, program), "{program}");
        }
        for program in ["kube-apiserver", "etcd", "etcdctl"] {
            assert!(needs(AMD64, program) && !needs(ARM64, program), "{program}");
        }
    }

    #[test]
    fn every_program_that_is_built_is_packed_somewhere() {
        for (program, _) in COMPONENTS.iter().flat_map(|component| component.programs) {
            assert!(needs(AMD64, program), "{program}");
        }
    }
}
