//! Base images: the root that all hosts of a lab are made from, built once, kept in the cache by what determines it.

mod apt;
mod build;
mod release;

use std::path::{Path, PathBuf};

use sha2::{Digest as _, Sha256};

pub use release::Release;

use crate::{Places, Result, lock::Lock};

const PACKAGES: &str = include_str!("packages.txt");
const EARLY_SERVICE: &str = include_str!("early.service");
const LOGIND_CONF: &str = include_str!("logind.conf");
/// How folders of unfinished builds begin.
const BUILDING: &str = ".building-";
/// Moved whenever the way the image is made changes and neither list nor unit shows it.
const RECIPE: &str = "1";

/// The content address of a release's base image: a digest of all that determines it and that we decide.
pub(crate) fn address(release: Release) -> String {
    let mut digest = Sha256::new();
    let fixed = [RECIPE, release.as_str(), std::env::consts::ARCH, PACKAGES, EARLY_SERVICE, LOGIND_CONF];
    for part in fixed.iter().chain(release.own_packages()) {
        digest.update(part.len().to_le_bytes());
        digest.update(part);
    }
    hex(&digest.finalize())[..16].to_owned()
}

/// The packages of a release's image.
pub(crate) fn packages(release: Release) -> Vec<&'static str> {
    let listed = PACKAGES.lines().map(str::trim).filter(|line| !line.is_empty() && !line.starts_with('#'));
    listed.chain(release.own_packages().iter().copied()).collect()
}

/// The root of the base image with that address.
pub(crate) fn root(places: &Places, address: &str) -> PathBuf {
    places.bases().join(address).join("root")
}

/// The base image of a release, built if it is not in the cache; about a minute then. Gives its content address.
///
/// Two builders at once: the second waits for the first and then finds its work.
///
/// # Errors
/// When the release's packages cannot be had, or the cache cannot be written.
pub fn ensure(places: &Places, release: Release, progress: &dyn Fn(&str)) -> Result<String> {
    let address = address(release);
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
    build::build(&temporary.join("root"), release, progress)?;
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
            Release::value_variants().iter().map(|release| address(*release)).collect();
        assert_eq!(addresses.len(), Release::value_variants().len());
    }
}
