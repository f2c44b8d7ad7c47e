//! Base images: the root that all hosts of a lab are made from, built once, kept in the cache by what determines it.

mod apt;
mod build;
mod disk;
mod emulation;
mod release;
mod timers;

use std::path::{Path, PathBuf};

use sha2::{Digest as _, Sha256};

pub use release::Release;
pub(crate) use timers::timers;

use crate::machine::{Architecture, Machine};
use crate::{Places, Result, lock::Lock};

const PACKAGES: &str = include_str!("packages.txt");
const VM_PACKAGES: &str = include_str!("vm-packages.txt");
const EARLY_SERVICE: &str = include_str!("early.service");
const LOGIND_CONF: &str = include_str!("logind.conf");
/// How folders of unfinished builds begin.
const BUILDING: &str = ".building-";
/// Moved whenever the way the image is made changes and neither list nor unit shows it.
const RECIPE: &str = "1";
/// The same for virtual machines.
const VM_RECIPE: &str = "1";

/// What the folder of an image for containers holds.
const ROOT: &str = "root";

/// What a base disk's folder holds: the disk, what starts it, and the digests of its files.
pub(crate) const DISK: &str = "disk.ext4";
pub(crate) const KERNEL: &str = "vmlinuz";
pub(crate) const INITRD: &str = "initrd.img";
pub(crate) const DIGESTS: &str = "digests.json";

/// How a base disk mounts itself.
pub(crate) const FSTAB: &str = "/dev/vda / ext4 errors=remount-ro 0 1\n";

/// What a lab's record calls the base of such hosts.
pub(crate) fn key(release: Release, machine: Machine) -> String {
    match machine.vm() {
        None => release.as_str().to_owned(),
        Some(vm) => format!("vm-{release}-{}", vm.architecture.as_str()),
    }
}

/// The content address of a base image: a digest of all that determines it and that we decide.
fn address(release: Release, machine: Machine) -> String {
    let mut digest = Sha256::new();
    let fixed = match machine.vm() {
        None => {
            [RECIPE, release.as_str(), std::env::consts::ARCH, PACKAGES, EARLY_SERVICE, LOGIND_CONF].to_vec()
        }
        Some(vm) => {
            let architecture = vm.architecture.as_str();
            ["vm", VM_RECIPE, release.as_str(), architecture, PACKAGES, VM_PACKAGES, LOGIND_CONF].to_vec()
        }
    };
    for part in fixed.iter().chain(release.own_packages()) {
        digest.update(part.len().to_le_bytes());
        digest.update(part);
    }
    hex(&digest.finalize())[..16].to_owned()
}

fn listed(text: &'static str) -> impl Iterator<Item = &'static str> {
    text.lines().map(str::trim).filter(|line| !line.is_empty() && !line.starts_with('#'))
}

/// The packages of a virtual machine's disk.
pub(crate) fn vm_packages(release: Release, architecture: Architecture) -> Vec<&'static str> {
    let kernel = match architecture {
        Architecture::Amd64 => "linux-image-cloud-amd64",
        Architecture::Arm64 => "linux-image-cloud-arm64",
    };
    packages(release).into_iter().chain(listed(VM_PACKAGES)).chain([kernel]).collect()
}

/// The packages of a release's image.
pub(crate) fn packages(release: Release) -> Vec<&'static str> {
    listed(PACKAGES).chain(release.own_packages().iter().copied()).collect()
}

/// The folder of the base image with that address.
pub(crate) fn folder(places: &Places, address: &str) -> PathBuf {
    places.bases().join(address)
}

/// The root of the base image of containers with that address.
pub(crate) fn root(places: &Places, address: &str) -> PathBuf {
    folder(places, address).join(ROOT)
}

/// The base image of a release, built if it is not in the cache: about a minute then, ten and more for virtual machines of
/// another architecture. Gives its content address.
///
/// Two builders at once: the second waits for the first and then finds its work.
///
/// # Errors
/// When the release's packages cannot be had, or the cache cannot be written.
pub fn ensure(
    places: &Places,
    release: Release,
    machine: Machine,
    progress: &dyn Fn(&str),
) -> Result<String> {
    let address = address(release, machine);
    let folder = places.bases().join(&address);
    if folder.exists() {
        return Ok(address);
    }
    fs_err::create_dir_all(places.bases())?;
    let lock_path = places.bases().join("lock");
    let _lock = if let Some(lock) = Lock::try_take(&lock_path)? {
        lock
    } else {
        progress("base image: waiting for another build of it");
        Lock::wait(&lock_path)?
    };
    if folder.exists() {
        return Ok(address);
    }
    remove_abandoned(&places.bases())?;
    // Named by the process: what a killed build's last programs still write goes elsewhere.
    let temporary = places.bases().join(format!("{BUILDING}{}", std::process::id()));
    fs_err::create_dir_all(&temporary)?;
    match machine.vm() {
        None => build::build(&temporary.join(ROOT), release, progress)?,
        Some(vm) => disk::build(&temporary, release, vm.architecture, progress)?,
    }
    fs_err::rename(&temporary, &folder)?;
    Ok(address)
}

/// Removes what a killed builder left; the lock is held, so nobody is at work on it.
fn remove_abandoned(bases: &Path) -> Result<()> {
    for entry in fs_err::read_dir(bases)? {
        let entry = entry?;
        if entry.file_name().to_string_lossy().starts_with(BUILDING) {
            // The next build tries again where a program of the killed one is still at work.
            if let Err(error) = fs_err::remove_dir_all(entry.path()) {
                tracing::debug!(%error, "a killed build is not quite over");
            }
        }
    }
    Ok(())
}

/// Lower-case hexadecimal.
pub(crate) fn hex(bytes: &[u8]) -> String {
    use std::fmt::Write as _;
    bytes.iter().fold(String::new(), |mut text, byte| {
        let _ = write!(text, "{byte:02x}");
        text
    })
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use clap::ValueEnum as _;

    use super::*;

    #[test]
    fn no_package_is_there_for_the_sake_of_kubernetes() {
        for release in Release::value_variants() {
            let packages = packages(*release);
            assert!(packages.contains(&"openssh-server"));
            for package in ["conntrack", "socat", "ebtables", "ethtool", "containerd", "runc"] {
                assert!(!packages.contains(&package), "{package} in {release}");
            }
        }
    }

    #[test]
    fn each_release_has_an_image_of_its_own() {
        let addresses: BTreeSet<String> =
            Release::value_variants().iter().map(|release| address(*release, Machine::Container)).collect();
        assert_eq!(addresses.len(), Release::value_variants().len());
    }
}
