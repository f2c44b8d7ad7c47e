//! The Debian packages the lab works with, on this machine (not on its hosts).

use std::path::Path;

/// A package, and a program that is there only when it is installed.
const NEEDED: [(&str, &str); 7] = [
    ("systemd-container", "systemd-nspawn"),
    ("mmdebstrap", "mmdebstrap"),
    ("iproute2", "ip"),
    ("nftables", "nft"),
    ("iptables", "iptables-save"),
    ("openssh-client", "ssh-keygen"),
    ("util-linux", "nsenter"),
];

/// The packages to install before a lab can be made; empty when nothing is missing.
pub fn missing_packages() -> Vec<&'static str> {
    NEEDED.iter().filter(|(_, program)| !is_program(program)).map(|(package, _)| *package).collect()
}

fn is_program(name: &str) -> bool {
    let path = std::env::var_os("PATH").unwrap_or_default();
    std::env::split_paths(&path)
        .chain(["/usr/sbin", "/sbin", "/usr/bin"].map(Into::into))
        .any(|folder| Path::new(&folder).join(name).is_file())
}
