//! The Debian packages the lab works with, on this machine (not on its hosts).

use std::path::Path;

use crate::machine::{Architecture, Firmware, Machine};

/// A package, and a program that is there only when it is installed.
type Package = (&'static str, &'static str);

/// For every lab.
const NEEDED: [Package; 7] = [
    ("systemd-container", "systemd-nspawn"),
    ("mmdebstrap", "mmdebstrap"),
    ("iproute2", "ip"),
    ("nftables", "nft"),
    ("iptables", "iptables-save"),
    ("openssh-client", "ssh-keygen"),
    ("util-linux", "nsenter"),
];

/// For a home beside these: its router's answers to `UPnP`, and its internet's DNS server.
const HOME: [Package; 2] = [("knot", "knotd"), ("miniupnpd-nftables", "miniupnpd")];
/// For virtual machines beside these: their disks.
const DISKS: [Package; 2] = [("e2fsprogs", "mke2fs"), ("e2fsprogs", "debugfs")];
/// For the boot partition of those that start as a Raspberry Pi does.
const BOOT_PARTITIONS: [Package; 2] = [("dosfstools", "mkfs.vfat"), ("mtools", "mcopy")];

/// The packages to install before hosts of this kind can be made, and a home around them if `edge`; empty when nothing is missing.
pub fn missing_packages(machine: Machine, edge: bool) -> Vec<&'static str> {
    let mut needed = NEEDED.to_vec();
    if edge {
        needed.extend(HOME);
    }
    if let Some(vm) = machine.vm() {
        needed.extend(DISKS);
        if vm.firmware == Firmware::Pi {
            needed.extend(BOOT_PARTITIONS);
        }
        needed.push(match vm.architecture {
            Architecture::Amd64 => ("qemu-system-x86", "qemu-system-x86_64"),
            Architecture::Arm64 => ("qemu-system-arm", "qemu-system-aarch64"),
        });
        if Architecture::own() != Some(vm.architecture) {
            needed.push(match vm.architecture {
                Architecture::Amd64 => ("qemu-user-static", "qemu-x86_64-static"),
                Architecture::Arm64 => ("qemu-user-static", "qemu-aarch64-static"),
            });
        }
    }
    let mut missing: Vec<_> =
        needed.iter().filter(|(_, program)| !is_program(program)).map(|(package, _)| *package).collect();
    missing.dedup();
    missing
}

fn is_program(name: &str) -> bool {
    let path = std::env::var_os("PATH").unwrap_or_default();
    std::env::split_paths(&path)
        .chain(["/usr/sbin", "/sbin", "/usr/bin"].map(Into::into))
        .any(|folder| Path::new(&folder).join(name).is_file())
}
