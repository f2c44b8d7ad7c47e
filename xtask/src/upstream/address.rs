//! The mirror's content address: a hash of everything in the recipe that determines what comes out.
//!
//! Not in it: the versions of Debian's own packages in the base layer and of the C compiler. They only move with
//! Debian's security updates, and asking for them would cost more than the answer is worth.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::Context as _;
use sha2::{Digest as _, Sha256};

use super::{program, recipe};

/// The source that decides on content; what merely shows progress or finds folders is left out.
const SOURCES: &[(&str, &str)] = &[
    ("architecture.rs", include_str!("architecture.rs")),
    ("archive.rs", include_str!("archive.rs")),
    ("debian.rs", include_str!("debian.rs")),
    ("go.rs", include_str!("go.rs")),
    ("image.rs", include_str!("image.rs")),
    ("lock.rs", include_str!("lock.rs")),
    ("recipe.rs", include_str!("recipe.rs")),
];

/// Crates whose version shows in the bytes of an archive.
const PACKING_CRATES: &[&str] = &["flate2", "miniz_oxide", "tar"];

/// The folder with the recipe's data: `go.mod` and `go.sum` per component, `pause.c`, the backend of tests.
pub(super) fn data() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("upstream")
}

/// The address of what the recipe of this checkout gives with the Go toolchain of this machine.
pub(super) fn of_recipe() -> anyhow::Result<String> {
    let data = data();
    let mut inputs: Vec<(String, Vec<u8>)> =
        SOURCES.iter().map(|(name, text)| ((*name).to_owned(), text.as_bytes().to_vec())).collect();
    for component in recipe::COMPONENTS {
        for file in ["go.mod", "go.sum"] {
            let path = data.join(component.name).join(file);
            inputs.push((format!("{}/{file}", component.name), fs_err::read(path)?));
        }
    }
    for own in ["pause/pause.c", "backend/main.go"] {
        inputs.push((own.to_owned(), fs_err::read(data.join(own))?));
    }
    let toolchain =
        program::output(Command::new("go").args(["env", "GOVERSION"]).current_dir(data.join("kubernetes")))
            .context("the mirror is built with Go: install it from https://go.dev/dl (1.26 or newer)")?;
    inputs.push(("go".to_owned(), toolchain.into_bytes()));
    let cargo_lock = fs_err::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("../Cargo.lock"))?;
    inputs.push(("crates".to_owned(), packing_versions(&cargo_lock).into_bytes()));
    Ok(digest(&inputs))
}

/// Length-prefixed, so that no two different lists of inputs run together.
fn digest(inputs: &[(String, Vec<u8>)]) -> String {
    let mut hash = Sha256::new();
    for (name, content) in inputs {
        hash.update((name.len() as u64).to_be_bytes());
        hash.update(name);
        hash.update((content.len() as u64).to_be_bytes());
        hash.update(content);
    }
    super::archive::hex(&hash.finalize())[..32].to_owned()
}

/// The lines of `Cargo.lock` that name the packing crates and their versions.
fn packing_versions(cargo_lock: &str) -> String {
    let lines: Vec<&str> = cargo_lock.lines().collect();
    lines
        .windows(2)
        .filter(|pair| PACKING_CRATES.iter().any(|name| pair[0] == format!("name = \"{name}\"")))
        .flat_map(|pair| [pair[0], pair[1]])
        .collect::<Vec<_>>()
        .join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn address_moves_with_any_input() {
        let inputs = |content: &str| vec![("go.mod".to_owned(), content.as_bytes().to_vec())];
        assert_eq!(digest(&inputs("a")), digest(&inputs("a")));
        assert_ne!(digest(&inputs("a")), digest(&inputs("b")));
        let joined = vec![("go.moda".to_owned(), Vec::new())];
        assert_ne!(digest(&inputs("a")), digest(&joined));
    }

    #[test]
    fn packing_crates_are_all_found_in_the_lock() {
        let lock = include_str!("../../../Cargo.lock");
        assert_eq!(packing_versions(lock).lines().count(), 2 * PACKING_CRATES.len());
    }
}
