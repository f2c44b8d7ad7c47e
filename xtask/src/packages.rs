//! The Debian packages that the project's commands need on this machine.

use std::collections::BTreeSet;
use std::io::{BufRead as _, IsTerminal as _, Write as _};
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::process::{Command, Stdio};

use crate::program;
use crate::stopwatch::say;

/// For the mirror. Go is not here: Debian's is too old.
pub(crate) const UPSTREAM: &[&str] = &[
    "ca-certificates",
    "gcc",
    "gcc-aarch64-linux-gnu",
    "libc6-dev",
    "libc6-dev-arm64-cross",
    "libseccomp-dev",
    "mmdebstrap",
    "pkgconf",
];
/// For throw-away hosts.
pub(crate) const LAB: &[&str] = &[
    "dosfstools",
    "e2fsprogs",
    "iproute2",
    "iptables",
    "knot",
    "miniupnpd-nftables",
    "mmdebstrap",
    "mtools",
    "nftables",
    "openssh-client",
    "qemu-system-arm",
    "qemu-system-x86",
    "qemu-user-static",
    "systemd-container",
    "util-linux",
];
/// For the tests that have no other list: they talk to an sshd of their own on loopback, open a report's page in a
/// browser, have man pages and completions judged by the programs that use them, run the agent for aarch64, have a name
/// follow in a DNS server, connect clients of OpenVPN to its server, make certificates for an ingress, ask a router for its address,
/// and scan its ports.
pub(crate) const TEST: &[&str] = &[
    "bash",
    "chromium",
    "curl",
    "knot",
    "knot-dnsutils",
    "man-db",
    "miniupnpc",
    "natpmpc",
    "nmap",
    "openssh-server",
    "openssl",
    "openvpn",
    "qemu-user-static",
];

/// What runs programs of the other architecture.
pub(crate) const EMULATOR: &[&str] = &["qemu-user-static"];

/// For release archives: a C compiler and the libraries of the other architecture, an emulator that runs what they made, and
/// `readelf`.
#[cfg(target_arch = "x86_64")]
pub(crate) const DIST: &[&str] =
    &["binutils", "gcc", "gcc-aarch64-linux-gnu", "libc6-dev", "libc6-dev-arm64-cross", "qemu-user-static"];
#[cfg(not(target_arch = "x86_64"))]
pub(crate) const DIST: &[&str] =
    &["binutils", "gcc", "gcc-x86-64-linux-gnu", "libc6-dev", "libc6-dev-amd64-cross", "qemu-user-static"];

/// For benchmarks: GNU time, which tells the memory of a whole process.
pub(crate) const BENCH: &[&str] = &["time"];

/// What Debian asks before it starts a service of a package it installs (`invoke-rc.d(8)`).
const POLICY: &str = "/usr/sbin/policy-rc.d";
/// "Action forbidden by policy".
const POLICY_TEXT: &str = "#!/bin/sh\nexit 101\n";

/// Sees to it that all are installed: asks first, unless `yes` or nobody is there to ask. Starts no service.
pub(crate) fn ensure(wanted: &[&'static str], yes: bool) -> anyhow::Result<()> {
    let installed = program::output(Command::new("dpkg-query").args(["-W", "-f", "${Status} ${Package}\n"]))?;
    let missing = missing(wanted, &installed);
    if missing.is_empty() {
        return Ok(());
    }
    let words = missing.join(" ");
    say(&format!("missing Debian packages: {words}"));
    if !is_root()? {
        anyhow::bail!("Debian packages are missing; install them with `sudo apt-get install {words}`");
    }
    if !yes && std::io::stdin().is_terminal() && !agreed(&words)? {
        anyhow::bail!("nothing was installed; install them with `apt-get install {words}`");
    }
    let _quiet = NoServices::begin()?;
    // A fresh machine has no lists at all, and old lists name packages that are gone.
    apt_get(&["update"])?;
    apt_get(&[["install", "--yes", "--no-install-recommends"].as_slice(), &missing].concat())?;
    if missing.contains(&"openssh-server") {
        // The tests start sshd by themselves; nobody asked for one that listens from the next boot on.
        program::output(Command::new("systemctl").args([
            "--root=/",
            "disable",
            "ssh.service",
            "ssh.socket",
        ]))?;
    }
    if missing.contains(&"knot") {
        // As for sshd: each test starts one with a folder of its own.
        program::output(Command::new("systemctl").args(["--root=/", "disable", "knot.service"]))?;
    }
    Ok(())
}

fn apt_get(arguments: &[&str]) -> Result<(), program::ProgramError> {
    let mut command = Command::new("apt-get");
    command.args(arguments).env("DEBIAN_FRONTEND", "noninteractive").stdout(Stdio::null());
    program::output(&mut command).map(drop)
}

/// Those of the wanted packages that a `dpkg-query` listing does not show as installed, each once.
fn missing(wanted: &[&'static str], listing: &str) -> Vec<&'static str> {
    let installed: BTreeSet<&str> =
        listing.lines().filter_map(|line| line.strip_prefix("install ok installed ")).collect();
    let missing: BTreeSet<&'static str> =
        wanted.iter().copied().filter(|name| !installed.contains(name)).collect();
    missing.into_iter().collect()
}

/// While it lives, packages that are installed start no service.
struct NoServices {
    ours: bool,
}

impl NoServices {
    /// A policy that is there already is somebody's own decision and stays as it is.
    fn begin() -> anyhow::Result<Self> {
        let path = Path::new(POLICY);
        if path.exists() {
            return Ok(Self { ours: false });
        }
        fs_err::write(path, POLICY_TEXT)?;
        let policy = Self { ours: true };
        fs_err::set_permissions(path, std::fs::Permissions::from_mode(0o755))?;
        Ok(policy)
    }
}

impl Drop for NoServices {
    fn drop(&mut self) {
        if self.ours
            && let Err(error) = fs_err::remove_file(POLICY)
        {
            say(&format!(
                "remove it by hand, or services will not start when packages are installed: {error}"
            ));
        }
    }
}

fn agreed(words: &str) -> anyhow::Result<bool> {
    write!(std::io::stderr(), "install them now ({words})? [Y/n] ")?;
    let mut answer = String::new();
    std::io::stdin().lock().read_line(&mut answer)?;
    Ok(matches!(answer.trim(), "" | "y" | "Y" | "yes"))
}

fn is_root() -> anyhow::Result<bool> {
    Ok(program::output(Command::new("id").arg("-u"))? == "0")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_removed_package_with_its_configuration_left_counts_as_missing() {
        let listing = "install ok installed ca-certificates\ninstall ok installed gcc\n\
            install ok installed libc6-dev\ndeinstall ok config-files mmdebstrap\n";
        let wanted = ["ca-certificates", "gcc", "libc6-dev", "libseccomp-dev", "mmdebstrap"];
        assert_eq!(missing(&wanted, listing), ["libseccomp-dev", "mmdebstrap"]);
    }

    #[test]
    fn a_package_in_two_lists_is_installed_once() {
        let wanted = [UPSTREAM, LAB].concat();
        let count = missing(&wanted, "").iter().filter(|name| **name == "mmdebstrap").count();
        assert_eq!(count, 1);
    }
}
