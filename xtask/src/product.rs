//! The built `garboard` command.

use std::path::{Path, PathBuf};
use std::process::Command;

use crate::{program, upstream};

/// The release build.
pub(crate) struct Product {
    path: PathBuf,
}

impl Product {
    /// Builds it, agent included.
    pub(crate) fn build() -> anyhow::Result<Self> {
        let root = root();
        program::run(cargo().current_dir(&root).args(["build", "--release", "--package", "garboard"]))?;
        let path = target().join("release/garboard");
        anyhow::ensure!(path.is_file(), "the build left no `{}`", path.display());
        Ok(Self { path })
    }

    /// A call of it.
    pub(crate) fn garboard(&self) -> Command {
        Command::new(&self.path)
    }

    /// Where its build script builds the agents, one folder a target.
    pub(crate) fn agent_folder(&self) -> PathBuf {
        self.path.ancestors().nth(2).unwrap_or(&self.path).join("agent-build")
    }

    /// Where it lies.
    pub(crate) fn path(&self) -> &Path {
        &self.path
    }
}

/// `--mirror DIR` for `garboard lab up`, where the official hosts cannot be reached.
pub(crate) fn mirror_arguments(source: &upstream::Source) -> Vec<String> {
    match source {
        upstream::Source::Official => Vec::new(),
        upstream::Source::Mirror(mirror) => {
            vec!["--mirror".to_owned(), mirror.path.to_string_lossy().into_owned()]
        }
    }
}

/// The cargo that runs us.
pub(crate) fn cargo() -> Command {
    Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()))
}

/// Cargo's target folder.
pub(crate) fn target() -> PathBuf {
    std::env::var_os("CARGO_TARGET_DIR").map_or_else(|| root().join("target"), |folder| root().join(folder))
}

/// The workspace's folder.
pub(crate) fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().map_or_else(PathBuf::new, Path::to_owned)
}
