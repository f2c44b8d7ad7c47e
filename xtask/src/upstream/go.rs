//! Builds one Go program, reproducibly and from checked modules only.

use std::path::Path;
use std::process::Command;

use super::program::{self, ProgramError};
use super::recipe::{ARCHITECTURE, Component, Linkage};

/// Builds `package` of a component into the file `output`.
///
/// `-mod=readonly` with a complete `go.sum` means that no content enters that is not checked in here;
/// `-trimpath` and the absence of version control stamps make the result the same on every machine.
pub(super) fn build(
    component: &Component,
    package: &str,
    folder: &Path,
    output: &Path,
) -> Result<(), ProgramError> {
    program::output(&mut command(component, package, folder, output)).map(drop)
}

fn command(component: &Component, package: &str, folder: &Path, output: &Path) -> Command {
    let mut flags = format!("-s -w {}", component.version_flags);
    let cgo = match component.linkage {
        Linkage::Go => "0",
        Linkage::StaticC => {
            flags.push_str(" -linkmode external -extldflags \"-static\"");
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
    command.env("GOOS", "linux").env("GOARCH", ARCHITECTURE).env("CGO_ENABLED", cgo);
    command.env("CC", "gcc");
    for name in ["CGO_CFLAGS", "CGO_CPPFLAGS", "CGO_CXXFLAGS", "CGO_LDFLAGS"] {
        command.env_remove(name);
    }
    command
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::upstream::recipe::COMPONENTS;

    #[test]
    fn every_build_is_read_only_and_free_of_local_paths() {
        for component in COMPONENTS {
            let command = command(component, "package", Path::new("."), Path::new("out"));
            let words: Vec<_> = command.get_args().map(|word| word.to_string_lossy()).collect();
            assert!(words.contains(&"-mod=readonly".into()), "{words:?}");
            assert!(words.contains(&"-trimpath".into()), "{words:?}");
        }
    }
}
