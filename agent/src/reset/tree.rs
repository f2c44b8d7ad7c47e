//! Removing folders with all below them, without ever reaching into a mount or into what was there before us.

use std::collections::BTreeSet;
use std::path::Path;
use std::time::Duration;

use super::mounts;
use crate::steps::StepError;
use crate::steps::path::failed;
use crate::system::{Command, Kind, Look, System};

/// Paths one `rm` gets at most.
const BATCH: usize = 500;

/// Removes `path` with all below it, except mounts.
pub(crate) fn remove(path: &str, system: &dyn System) -> Result<u64, StepError> {
    remove_except(path, &BTreeSet::new(), system)
}

/// Removes all below `path` and keeps the folder itself (and, on a file system of its own, `lost+found`).
pub(crate) fn empty(path: &str, system: &dyn System) -> Result<u64, StepError> {
    remove_except(path, &BTreeSet::from([path.to_owned()]), system)
}

/// Removes `path` with all below it, except mounts and the paths in `keep` (with the folders above them). Gives how many
/// entries were removed, each with all below it.
pub(crate) fn remove_except(
    path: &str,
    keep: &BTreeSet<String>,
    system: &dyn System,
) -> Result<u64, StepError> {
    let removable = removable(path, keep, system.look())?;
    for batch in removable.chunks(BATCH) {
        let arguments =
            ["-rf", "--one-file-system", "--"].into_iter().chain(batch.iter().map(String::as_str));
        system.run(&Command::new("rm", arguments).timeout(Duration::from_mins(10)))?;
    }
    Ok(removable.len() as u64)
}

/// What `remove_except` removes: the topmost entries that hold nothing to be kept.
pub(crate) fn removable(
    path: &str,
    keep: &BTreeSet<String>,
    look: &dyn Look,
) -> Result<Vec<String>, StepError> {
    let mut kept = keep.clone();
    let points: BTreeSet<String> = mounts::read(look)?.into_iter().map(|mount| mount.point).collect();
    let own_file_system = points.contains(path);
    kept.extend(points);
    if own_file_system {
        kept.insert(format!("{path}/lost+found"));
    }
    let mut found = Vec::new();
    if look.metadata(Path::new(path)).map_err(failed("read", path))?.is_some() {
        collect(path, &kept, look, &mut found)?;
    }
    Ok(found)
}

fn collect(
    path: &str,
    kept: &BTreeSet<String>,
    look: &dyn Look,
    found: &mut Vec<String>,
) -> Result<(), StepError> {
    let is_kept = kept.contains(path);
    if !is_kept && !holds(path, kept) {
        found.push(path.to_owned());
        return Ok(());
    }
    let metadata = look.metadata(Path::new(path)).map_err(failed("read", path))?;
    if metadata.is_none_or(|metadata| metadata.kind != Kind::Directory) {
        return Ok(());
    }
    for name in look.list(Path::new(path)).map_err(failed("read", path))? {
        let child = format!("{path}/{name}");
        // A mount below the folder that is emptied belongs to somebody else: it is not entered.
        let foreign_mount = kept.contains(&child) && is_mount(&child, look)?;
        if !foreign_mount {
            collect(&child, kept, look, found)?;
        }
    }
    Ok(())
}

fn is_mount(path: &str, look: &dyn Look) -> Result<bool, StepError> {
    Ok(mounts::read(look)?.iter().any(|mount| mount.point == path))
}

fn holds(folder: &str, kept: &BTreeSet<String>) -> bool {
    let start = format!("{folder}/");
    kept.range(start.clone()..).next().is_some_and(|path| path.starts_with(&start))
}
