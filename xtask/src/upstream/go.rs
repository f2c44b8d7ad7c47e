//! Builds one Go program, reproducibly and from checked modules only.

use std::path::Path;
use std::process::Command;

use super::architecture::Architecture;
use super::program::{self, ProgramError};
use super::recipe::{Component, Linkage};

/// What one program is built for.
pub(super) struct Target<'a> {
    /// The processor.
    pub(super) architecture: Architecture,
    /// A root with the C libraries of a foreign architecture; this machine's own otherwise.
    pub(super) root: Option<&'a Path>,
}

/// Builds `package` of a component into the file `output`.
///
/// `-mod=readonly` with a complete `go.sum` means that no content enters that is not checked in here;
/// `-trimpath` and the absence of version control stamps make the result the same on every machine.
pub(super) fn build(
    component: &Component,
    package: &str,
    target: &Target,
    folder: &Path,
    output: &Path,
) -> Result<(), ProgramError> {
    program::output(&mut command(component, package, target, folder, output)).map(drop)
}

fn command(component: &Component, package: &str, target: &Target, folder: &Path, output: &Path) -> Command {
    let mut flags = format!("-s -w {}", component.version_flags);
    let cgo = match component.linkage {
        Linkage::Go => "0",
        Linkage::StaticC => {
            flags.push_str(" -linkmode external -extldflags \"-static\"");
            if target.root.is_some() {
                // It would be a hash of the compiler's flags too, and they name a folder of this user.
                flags.push_str(" -buildid=");
            }
            "1"
        }
    };
    let mut command = Command::new("go");
    command.args(["build", "-mod=readonly", "-trimpath", "-ldflags", flags.trim()]);
    if !component.tags.is_empty() {
        command.args(["-tags", component.tags]);
    }
    command.arg("-o").arg(output).arg(package).current_dir(folder);
    // The user's own Go settings must not leak into the result (an empty value would let them in again).
    command.env("GOFLAGS", "-buildvcs=false").env("GOWORK", "off").env("GOAMD64", "v1");
    command.env("GOOS", "linux").env("CGO_ENABLED", cgo);
    command.env("GOARCH", target.architecture.name).env("GOARM64", "v8.0");
    command.env("CC", target.architecture.compiler);
    for name in ["CGO_CFLAGS", "CGO_CPPFLAGS", "CGO_CXXFLAGS", "CGO_LDFLAGS", "PKG_CONFIG_PATH"] {
        command.env_remove(name);
    }
    if let Some(root) = target.root {
        // Where the programs of Debian's library packages find them when they are not installed but unpacked.
        let described = root.join("usr/lib").join(target.architecture.libraries).join("pkgconfig");
        command.env("PKG_CONFIG_LIBDIR", described).env("PKG_CONFIG_SYSROOT_DIR", root);
    }
    command
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::upstream::architecture::{AMD64, ARM64};
    use crate::upstream::recipe::COMPONENTS;

    #[test]
    fn every_build_is_read_only_and_free_of_local_paths() {
        for component in COMPONENTS {
            let target = Target { architecture: AMD64, root: None };
            let command = command(component, "package", &target, Path::new("."), Path::new("out"));
            let words: Vec<_> = command.get_args().map(|word| word.to_string_lossy()).collect();
            assert!(words.contains(&"-mod=readonly".into()), "{words:?}");
            assert!(words.contains(&"-trimpath".into()), "{words:?}");
        }
    }

    #[test]
    fn a_foreign_build_takes_its_own_compiler_and_libraries_and_names_no_folder_of_this_user() {
        let runc = COMPONENTS.iter().find(|component| component.name == "runc").unwrap();
        let target = Target { architecture: ARM64, root: Some(Path::new("/root")) };
        let command = command(runc, "package", &target, Path::new("."), Path::new("out"));
        let value = |name: &str| {
            command.get_envs().find(|(key, _)| *key == name).and_then(|(_, value)| value).map(Path::new)
        };
        assert_eq!(value("GOARCH"), Some(Path::new("arm64")));
        assert_eq!(value("CC"), Some(Path::new("aarch64-linux-gnu-gcc")));
        assert_eq!(value("PKG_CONFIG_LIBDIR"), Some(Path::new("/root/usr/lib/aarch64-linux-gnu/pkgconfig")));
        assert!(command.get_args().any(|word| word.to_string_lossy().contains("-buildid=")));
    }
}
