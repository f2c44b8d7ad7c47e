//! Archives as somebody else finds them: by `tar`, `sha256sum`, `readelf` and the command itself.

use std::path::Path;
use std::process::Command;

use anyhow::Context as _;

use super::archive::Packed;
use super::command::Release;
use super::{COMPLETIONS, SUMS, TEXTS};
use crate::program;
use crate::stopwatch::say;

/// The newest glibc that a release may need: that of Ubuntu 22.04 is 2.35, Debian 12 has 2.36.
const GLIBC: (u32, u32) = (2, 35);

/// Unpacks one and tries what is in it.
pub(super) fn archive(folder: &Path, packed: &Packed, release: &Release) -> anyhow::Result<()> {
    let unpacked = tempfile::tempdir()?;
    let mut tar = Command::new("tar");
    tar.arg("--extract").arg("--file").arg(folder.join(&packed.name)).arg("--directory").arg(unpacked.path());
    program::run(&mut tar)?;
    let folder = unpacked.path().join(release.name());
    for name in TEXTS.into_iter().chain(["man/garboard.1", "man/garboard-up.1", "man/garboard-init.1"]) {
        anyhow::ensure!(folder.join(name).is_file(), "`{}` has no `{name}`", packed.name);
    }
    for (_, name) in COMPLETIONS {
        let script = fs_err::read_to_string(folder.join("completions").join(name))?;
        anyhow::ensure!(script.contains("garboard"), "`{name}` in `{}` is no completion of it", packed.name);
    }
    let command = folder.join("garboard");
    let version = program::output(release.call_of(&command).arg("--version"))?;
    anyhow::ensure!(
        version == format!("garboard {}", env!("CARGO_PKG_VERSION")),
        "the command in `{}` calls itself `{version}`",
        packed.name
    );
    let schema = program::output(release.call_of(&command).arg("schema"))?;
    let checked_in = fs_err::read_to_string(crate::product::root().join("inventory/garboard.schema.json"))?;
    anyhow::ensure!(schema == checked_in.trim(), "the command in `{}` prints another schema", packed.name);
    let (major, minor) = newest_glibc(&program::output(Command::new("readelf").arg("-VW").arg(&command))?)
        .with_context(|| format!("`readelf` names no version of glibc in `{}`", command.display()))?;
    say(&format!("{}: {} bytes, needs glibc {major}.{minor}", packed.name, packed.bytes.len()));
    anyhow::ensure!((major, minor) <= GLIBC, "that is newer than {}.{}, which users have", GLIBC.0, GLIBC.1);
    Ok(())
}

/// The sums of all archives.
pub(super) fn sums(folder: &Path) -> anyhow::Result<()> {
    let mut command = Command::new("sha256sum");
    Ok(program::run(command.current_dir(folder).args(["--check", "--strict", "--quiet", SUMS]))?)
}

/// From what `readelf -V` prints of the symbols' versions.
fn newest_glibc(listing: &str) -> Option<(u32, u32)> {
    let versions = listing.split("GLIBC_").skip(1).filter_map(|rest| {
        let version: String = rest.chars().take_while(|next| next.is_ascii_digit() || *next == '.').collect();
        let mut parts = version.split('.').map(str::parse);
        Some((parts.next()?.ok()?, parts.next()?.ok()?))
    });
    versions.max()
}

#[cfg(test)]
mod tests {
    use super::newest_glibc;

    #[test]
    fn the_newest_version_is_the_greatest_number_not_the_last_word() {
        let listing =
            "Name: GLIBC_2.9  Flags: none\nName: GLIBC_2.34  Flags\nName: GLIBC_2.2.5  Flags: none\n";
        assert_eq!(newest_glibc(listing), Some((2, 34)));
        assert_eq!(newest_glibc("Name: GCC_3.0"), None);
    }
}
