//! `cargo xtask upstream`: where the artifacts come from. The official hosts where they answer; otherwise a mirror
//! laid out like them, built from Go modules and kept in the user's cache under its content address.

mod address;
mod architecture;
mod archive;
mod build;
mod cache;
mod debian;
mod go;
mod image;
pub(crate) mod kubectl;
mod lock;
mod official;
mod progress;
mod recipe;

use std::io::Write as _;
use std::path::PathBuf;
use std::process::ExitCode;

use clap::Args;

use crate::stopwatch::say as note;
use crate::{packages, program};

/// Say where artifacts come from; build the mirror where the official hosts cannot be reached
#[derive(Args)]
pub(crate) struct Upstream {
    /// Build the mirror even if the official hosts answer
    #[arg(long)]
    force: bool,
    /// Install missing Debian packages without asking
    #[arg(short, long)]
    yes: bool,
    /// Only print the path of the mirror, and fail if it is not built yet
    #[arg(long, conflicts_with = "force")]
    print: bool,
}

/// How [`ensure`] goes about it.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Options {
    /// Build the mirror even if the official hosts answer.
    pub(crate) force: bool,
    /// Install missing Debian packages without asking.
    pub(crate) yes: bool,
}

/// A complete mirror on disk.
#[derive(Debug, Clone)]
pub(crate) struct Mirror {
    /// The folder with `files/`, `registry/`, `bin/` and `garboard.lock`.
    pub(crate) path: PathBuf,
}

/// Where the artifacts come from.
#[derive(Debug, Clone)]
pub(crate) enum Source {
    /// The official hosts answer: nothing needs to be built.
    Official,
    /// The mirror in the user's cache.
    Mirror(Mirror),
}

/// Says which source is used and, if it is the mirror, sees to it that it exists.
pub(crate) fn ensure(options: Options) -> anyhow::Result<Source> {
    let address = address::of_recipe()?;
    let folder = cache::Folder::of_user()?;
    let built = folder.find(&address);
    if !options.force {
        if built.is_some() && folder.unreachable_lately() {
            note("source: the mirror in the cache (the official hosts did not answer within the last hour)");
        } else {
            match official::probe()? {
                official::Probe::Reachable => {
                    note(
                        "source: the official hosts (they answer; `--force` builds the mirror all the same)",
                    );
                    return Ok(Source::Official);
                }
                official::Probe::Unreachable { because } => {
                    folder.remember_unreachable()?;
                    note(&format!(
                        "source: the mirror, because the official hosts cannot be used: {because}"
                    ));
                }
            }
        }
    }
    let path = match built {
        Some(path) => path,
        None => build::build(&folder, &address, options.yes)?,
    };
    Ok(Source::Mirror(Mirror { path }))
}

/// The command: prints the mirror's path as the last line on stdout.
pub(crate) fn run(upstream: &Upstream) -> anyhow::Result<ExitCode> {
    let path = if upstream.print {
        let address = address::of_recipe()?;
        cache::Folder::of_user()?.find(&address).ok_or_else(|| {
            anyhow::anyhow!("the mirror is not built yet: run `cargo xtask upstream --force`")
        })?
    } else {
        match ensure(Options { force: upstream.force, yes: upstream.yes })? {
            Source::Official => return Ok(ExitCode::SUCCESS),
            Source::Mirror(mirror) => mirror.path,
        }
    };
    writeln!(std::io::stdout(), "{}", path.display())?;
    Ok(ExitCode::SUCCESS)
}
