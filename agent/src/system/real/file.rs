//! Files that are either the old or the new ones after a crash, never something between.

use std::io::{self, Read, Write as _};
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;

use fs_err as fs;
use fs_err::os::unix::fs::OpenOptionsExt as _;
use garboard_protocol::Digest;
use garboard_protocol::digest::Hasher;

use crate::system::temporary;

/// Makes or replaces `path`: `fill` writes the new content.
pub(super) fn replace<T>(
    path: &Path,
    mode: u32,
    fill: impl FnOnce(&mut fs::File) -> io::Result<T>,
) -> io::Result<T> {
    let new = temporary(path);
    match fs::remove_file(&new) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    let result = fill_and_rename(&new, path, mode, fill);
    if result.is_err() {
        // What failed counts, not whether its rest could be removed.
        let _ = fs::remove_file(&new);
    }
    result
}

fn fill_and_rename<T>(
    new: &Path,
    path: &Path,
    mode: u32,
    write: impl FnOnce(&mut fs::File) -> io::Result<T>,
) -> io::Result<T> {
    let mut file = fs::OpenOptions::new().write(true).create_new(true).mode(0o600).open(new)?;
    let given = write(&mut file)?;
    file.set_permissions(std::fs::Permissions::from_mode(mode))?;
    file.sync_all()?;
    drop(file);
    fs::rename(new, path)?;
    sync_folder_of(path)?;
    Ok(given)
}

/// Copies all of `source` in bounded pieces; gives digest and size.
pub(super) fn copy(source: &mut dyn Read, target: &mut fs::File) -> io::Result<(Digest, u64)> {
    let mut hasher = Hasher::default();
    let mut buffer = vec![0_u8; 128 * 1024];
    loop {
        match source.read(&mut buffer) {
            Ok(0) => return Ok(hasher.finish()),
            Ok(count) => {
                hasher.update(&buffer[..count]);
                target.write_all(&buffer[..count])?;
            }
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
}

pub(super) fn append(path: &Path, content: &[u8], mode: u32) -> io::Result<()> {
    let is_new = fs::symlink_metadata(path).is_err();
    let mut file = fs::OpenOptions::new().append(true).create(true).mode(mode).open(path)?;
    file.write_all(content)?;
    file.sync_all()?;
    if is_new { sync_folder_of(path) } else { Ok(()) }
}

pub(super) fn set_mode(path: &Path, mode: u32) -> io::Result<()> {
    fs::set_permissions(path, std::fs::Permissions::from_mode(mode))
}

/// Makes the entry of `path` in its folder durable.
pub(super) fn sync_folder_of(path: &Path) -> io::Result<()> {
    let folder = path.parent().unwrap_or(Path::new("/"));
    match fs::File::open(folder)?.sync_all() {
        // Some file systems (overlay's lower, sysfs, FUSE) have nothing to sync for a folder.
        Err(error) if error.raw_os_error() == Some(nix::libc::EINVAL) => Ok(()),
        other => other,
    }
}

/// An error of a system call that names its path, as `fs_err` does.
pub(super) fn named(errno: nix::Error, action: &str, path: &Path) -> io::Error {
    let error = io::Error::from(errno);
    io::Error::new(error.kind(), format!("cannot {action} `{}`: {error}", path.display()))
}
