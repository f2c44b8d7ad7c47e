//! `cargo xtask man`: the manual pages, for packages.

use std::path::PathBuf;
use std::process::ExitCode;

use clap::Args;

use crate::product::{cargo, root};
use crate::{program, stopwatch};

/// Write a manual page for every command
#[derive(Args)]
pub(crate) struct Man {
    /// The folder they go to [default: `man` in cargo's target folder]
    folder: Option<PathBuf>,
}

pub(crate) fn run(man: &Man) -> anyhow::Result<ExitCode> {
    let folder = match &man.folder {
        Some(folder) => std::path::absolute(folder)?,
        None => crate::product::target().join("man"),
    };
    let mut command = cargo();
    command.current_dir(root()).args(["run", "--quiet", "--package", "garboard", "--", "man"]).arg(&folder);
    program::run(&mut command)?;
    stopwatch::say(&folder.display().to_string());
    Ok(ExitCode::SUCCESS)
}
