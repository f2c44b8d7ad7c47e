//! What makes a host a machine of its own: name, machine-id, host keys, and who may log in.

use fs_err::os::unix::fs::symlink;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

use base64::Engine as _;
use sha2::{Digest as _, Sha256};

use crate::base::{self, hex};
use crate::machine::{Firmware, Vm};
use crate::record::{HostRecord, Record};
use crate::vm::{boot_partition, disk};
use crate::{Error, Places, Result, hash, program};

/// Folders with a file system below them that is not the root's overlay: overlays do not stack, and containerd's snapshots are overlays.
/// With the modes that the programs they are for give them.
pub(super) const VOLUMES: [(&str, u32); 3] = [("containerd", 0o700), ("kubelet", 0o750), ("etcd", 0o700)];

/// Makes a new host's folder, all or nothing. What an unfinished attempt left is thrown away.
pub(crate) fn make(places: &Places, record: &Record, host: &HostRecord) -> Result<()> {
    let finished = places.host(&record.name, &host.name);
    let folder = finished.with_file_name(format!(".{}.new", host.name));
    if folder.exists() {
        fs_err::remove_dir_all(&folder)?;
    }
    let upper = folder.join("upper");
    if host.machine.vm().is_none() {
        for (volume, mode) in VOLUMES {
            make_folder(&folder.join(volume), mode)?;
        }
        make_folder(&folder.join("work"), 0o755)?;
        make_folder(&folder.join("root"), 0o755)?;
    }
    make_folder(&upper, 0o755)?;
    write(&upper, "etc/hostname", 0o644, format!("{}\n", host.name).as_bytes())?;
    write(&upper, "etc/hosts", 0o644, hosts_file(&host.name).as_bytes())?;
    // As a real network would announce it; without a home nothing answers there.
    if host.os.has_stub_resolver() {
        let server = format!("[Resolve]\nDNS={}\n", record.gateway(host.segment));
        write(&upper, "etc/systemd/resolved.conf.d/network.conf", 0o644, server.as_bytes())?;
        symlink("../run/systemd/resolve/stub-resolv.conf", upper.join("etc/resolv.conf"))?;
    } else {
        let server = format!("nameserver {}\n", record.gateway(host.segment));
        write(&upper, "etc/resolv.conf", 0o644, server.as_bytes())?;
    }
    write(&upper, "etc/machine-id", 0o444, format!("{}\n", machine_id()?).as_bytes())?;
    let identity = fs_err::read(places.lab(&record.name).join("identity.pub"))?;
    write(&upper, "root/.ssh/authorized_keys", 0o600, &identity)?;
    // Folders that the overlay merges take the upper one's mode.
    set_mode(&upper.join("root"), 0o700)?;
    set_mode(&upper.join("root/.ssh"), 0o700)?;
    if host.os.shows_notice_once() {
        // Not by whoever logs in first: he would be seen to change the host.
        make_folder(&upper.join("root/.cache"), 0o700)?;
        write(&upper, "root/.cache/motd.legal-displayed", 0o644, b"")?;
    }
    // An empty unit is a masked one. A host's state is what was done to it, whatever the time of day.
    for timer in base::timers(&base::folder(places, record.base(host)?))? {
        write(&upper, &format!("etc/systemd/system/{timer}"), 0o644, b"")?;
    }
    make_folder(&upper.join("etc/ssh"), 0o755)?;
    for kind in ["ed25519", "ecdsa"] {
        let path = upper.join(format!("etc/ssh/ssh_host_{kind}_key"));
        make_key(kind, &path, &format!("root@{}", host.name))?;
    }
    if let Some(vm) = host.machine.vm() {
        make_disk(places, record, host, vm, &folder)?;
    }
    Ok(fs_err::rename(&folder, &finished)?)
}

/// A virtual machine's disk holds what an overlay holds of a container, and what the lab's network says to a container
/// from outside.
fn make_disk(places: &Places, record: &Record, host: &HostRecord, vm: Vm, folder: &Path) -> Result<()> {
    let upper = folder.join("upper");
    let network = format!(
        "[Match]\nName=eth0\n\n[Network]\nAddress={}/24\nGateway={}\n",
        host.address,
        record.gateway(host.segment)
    );
    write(&upper, "etc/systemd/network/eth0.network", 0o644, network.as_bytes())?;
    if vm.firmware == Firmware::Pi {
        make_folder(&upper.join("boot/firmware"), 0o755)?;
        let fstab = format!("{}{}", base::FSTAB, boot_partition::FSTAB_LINE);
        write(&upper, "etc/fstab", 0o644, fstab.as_bytes())?;
        boot_partition::make(folder)?;
    }
    let base = base::folder(places, record.base(host)?);
    let image = hash::image_files(&base)?;
    let target = folder.join(disk::NAME);
    disk::copy(&base.join(base::DISK), &target)?;
    let is_present = |path: &Path| image.contains_key(&*path.to_string_lossy());
    disk::fill(&target, &upper, &is_present)
}

/// Makes the key pair with which one logs in to the lab's hosts, unless it exists.
pub(crate) fn make_login_key(places: &Places, lab: &str) -> Result<()> {
    let path = places.lab(lab).join("identity");
    if path.exists() { Ok(()) } else { make_key("ed25519", &path, &format!("garboard lab {lab}")) }
}

/// The fingerprint of a host's ed25519 key, as `ssh-keygen -l` prints it.
pub(crate) fn host_key_fingerprint(places: &Places, lab: &str, host: &str) -> Result<String> {
    let path = places.host(lab, host).join("upper/etc/ssh/ssh_host_ed25519_key.pub");
    let text = fs_err::read_to_string(&path)?;
    fingerprint(&text).ok_or_else(|| Error::Refused {
        message: format!("`{}` is not a public key; replace the host", path.display()),
    })
}

fn fingerprint(public_key: &str) -> Option<String> {
    let blob =
        base64::engine::general_purpose::STANDARD.decode(public_key.split_ascii_whitespace().nth(1)?).ok()?;
    let digest = base64::engine::general_purpose::STANDARD_NO_PAD.encode(Sha256::digest(blob));
    Some(format!("SHA256:{digest}"))
}

fn make_key(kind: &str, path: &Path, comment: &str) -> Result<()> {
    program::run(&["ssh-keygen", "-q", "-t", kind, "-N", "", "-C", comment, "-f", &path.to_string_lossy()])
        .map(drop)
}

fn hosts_file(name: &str) -> String {
    format!(
        "127.0.0.1\tlocalhost\n127.0.1.1\t{name}\n\n::1\tlocalhost ip6-localhost ip6-loopback\n\
         ff02::1\tip6-allnodes\nff02::2\tip6-allrouters\n"
    )
}

fn machine_id() -> Result<String> {
    let mut bytes = [0; 16];
    getrandom::fill(&mut bytes).map_err(std::io::Error::other)?;
    Ok(hex(&bytes))
}

fn write(root: &Path, name: &str, mode: u32, content: &[u8]) -> Result<()> {
    let path: PathBuf = root.join(name);
    if let Some(parent) = path.parent() {
        fs_err::create_dir_all(parent)?;
    }
    fs_err::write(&path, content)?;
    set_mode(&path, mode)
}

fn make_folder(path: &Path, mode: u32) -> Result<()> {
    fs_err::create_dir_all(path)?;
    set_mode(path, mode)
}

fn set_mode(path: &Path, mode: u32) -> Result<()> {
    Ok(fs_err::set_permissions(path, std::fs::Permissions::from_mode(mode))?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_fingerprint_is_the_one_openssh_prints() {
        let key =
            "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIOMqqnkVzrm0SdG6UOoqKLsabgH5C9okWi0dh2l9GKJl github.com";
        // Published by GitHub beside the key.
        assert_eq!(fingerprint(key).as_deref(), Some("SHA256:+DiY3wvvV6TuJJhbpZisF/zLDA0zPMSvHdkr4UvCOqU"));
        assert_eq!(fingerprint("nonsense"), None);
    }
}
