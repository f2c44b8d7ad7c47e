//! The standard libraries that are compiled for: those that `rust-toolchain.toml` names, and others where they are needed.

use std::process::Command;

use crate::product::root;
use crate::program;
use crate::stopwatch::say;

/// Those that the file names.
pub(crate) fn ensure() -> anyhow::Result<()> {
    let file = fs_err::read_to_string(root().join("rust-toolchain.toml"))?;
    bring(&targets(&file));
    Ok(())
}

/// Has rustup bring those that are missing, also where the user's settings keep it from doing so by itself. Where Rust comes
/// from elsewhere than from rustup, or it cannot be reached, what needs them is left out, and says so.
pub(crate) fn bring(targets: &[&str]) {
    let Ok(installed) =
        program::output(Command::new("rustup").current_dir(root()).args(["target", "list", "--installed"]))
    else {
        say("there is no rustup: this Rust builds for what it builds for");
        return;
    };
    let missing: Vec<&str> =
        targets.iter().copied().filter(|target| !installed.lines().any(|line| line == *target)).collect();
    if missing.is_empty() {
        return;
    }
    let mut add = Command::new("rustup");
    add.current_dir(root()).args(["target", "add"]).args(&missing);
    if let Err(error) = program::output(&mut add) {
        say(&format!("rustup could not bring {}: {error}", missing.join(", ")));
    }
}

/// The words of the file's list `targets`.
fn targets(file: &str) -> Vec<&str> {
    let list = file.lines().find_map(|line| line.strip_prefix("targets = [")).unwrap_or_default();
    list.trim_end_matches(']').split(',').map(|word| word.trim().trim_matches('"')).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_projects_own_file_names_agents_for_both_architectures() {
        let targets = targets(include_str!("../../rust-toolchain.toml"));
        for target in ["x86_64-unknown-linux-musl", "aarch64-unknown-linux-musl"] {
            assert!(targets.contains(&target), "{targets:?}");
        }
        assert!(targets.iter().all(|target| !target.is_empty() && !target.contains('"')), "{targets:?}");
    }
}
