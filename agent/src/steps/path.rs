//! What the kinds that put something at a path share: missing folders above it, mode and owner as changes.

use std::io;
use std::path::Path;

use garboard_protocol::change::{Change, Field};

use super::{Context, StepError};
use crate::system::{Kind, Metadata};

/// Gives an I/O error its action and path.
pub(crate) fn failed(action: &'static str, path: &str) -> impl FnOnce(io::Error) -> StepError {
    let path = path.to_owned();
    move |source| StepError::File { action, path, source }
}

/// Makes the missing folders above `path` with mode 0755, each noted before it is made, so that restore removes them.
pub(crate) fn make_parents(path: &str, context: &Context<'_>) -> Result<(), StepError> {
    let mut missing = Vec::new();
    let mut above = Path::new(path).parent();
    while let Some(folder) = above {
        let text = folder.to_string_lossy().into_owned();
        if context.system.metadata(folder).map_err(failed("read", &text))?.is_some() {
            break;
        }
        missing.push(text);
        above = folder.parent();
    }
    for folder in missing.iter().rev() {
        make_directory(folder, 0o755, context)?;
    }
    Ok(())
}

/// Makes one folder, noted first.
pub(crate) fn make_directory(path: &str, mode: u32, context: &Context<'_>) -> Result<(), StepError> {
    context.note_path(path)?;
    context.system.create_directory(Path::new(path), mode).map_err(failed("make", path))
}

/// What a path is, in the words of changes.
pub(crate) fn kind_name(kind: Kind) -> &'static str {
    match kind {
        Kind::File => "file",
        Kind::Directory => "directory",
        Kind::Symlink => "link",
        Kind::Other => "device, socket or pipe",
    }
}

/// Mode and owner, where they differ from `mode` and root.
pub(crate) fn attributes(path: &str, found: &Metadata, mode: u32) -> Vec<Change> {
    let mut changes = Vec::new();
    let found_mode = found.mode & 0o7777;
    if found_mode != mode {
        changes.push(Change::new(path, Field::Mode, Some(octal(found_mode)), Some(octal(mode))));
    }
    if (found.user, found.group) != (0, 0) {
        let owner = format!("{}:{}", found.user, found.group);
        changes.push(Change::new(path, Field::Owner, Some(owner), Some("0:0".to_owned())));
    }
    changes
}

/// Removes what `attributes` found.
pub(crate) fn set_attributes(path: &str, mode: u32, context: &Context<'_>) -> Result<(), StepError> {
    // The owner first: changing it clears setuid and setgid bits.
    context.system.set_owner(Path::new(path), 0, 0).map_err(failed("set the owner of", path))?;
    context.system.set_mode(Path::new(path), mode).map_err(failed("set the mode of", path))
}

/// Only mode and owner are to change: the content stays as it is.
pub(crate) fn only_attributes(changes: &[Change]) -> bool {
    !changes.is_empty() && changes.iter().all(|change| matches!(change.field, Field::Mode | Field::Owner))
}

/// Something that is no file stands where a file belongs: a link is replaced, a folder or a device never.
pub(crate) fn refuse_unlike(path: &str, found: Option<Metadata>) -> Result<(), StepError> {
    match found.map(|found| found.kind) {
        None | Some(Kind::File | Kind::Symlink) => Ok(()),
        Some(kind) => Err(StepError::NeedsPerson {
            message: format!("`{path}` should be a file, but a {} is there", kind_name(kind)),
            help: format!("look at `{path}`, move it away, and run again"),
        }),
    }
}

fn octal(mode: u32) -> String {
    format!("{mode:04o}")
}

/// `/proc` writes blanks and the like as `\040`.
pub(crate) fn unescape(field: &str) -> String {
    ["\\040", "\\011", "\\012", "\\134"]
        .iter()
        .zip([" ", "\t", "\n", "\\"])
        .fold(field.to_owned(), |text, (from, to)| text.replace(from, to))
}
