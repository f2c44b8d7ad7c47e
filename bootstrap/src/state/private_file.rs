//! Files that nobody but their user reads, written whole or not at all.

use std::io::{self, Write as _};
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;

/// Wholly or not at all, mode 0600; the folder is there.
pub(crate) fn write_privately(path: &Path, content: &[u8]) -> io::Result<()> {
    let mut file = tempfile::NamedTempFile::new_in(path.parent().unwrap_or(Path::new(".")))?;
    file.write_all(content)?;
    file.as_file().set_permissions(std::fs::Permissions::from_mode(0o600))?;
    file.as_file().sync_all()?;
    file.persist(path).map_err(|error| error.error)?;
    Ok(())
}

/// The same, and it is on the disk, name and all, before anything else happens.
pub(crate) fn write_durably(path: &Path, content: &[u8]) -> io::Result<()> {
    write_privately(path, content)?;
    sync_folder(path.parent().unwrap_or(Path::new(".")))
}

/// What was renamed into the folder stays there, also when the power goes.
pub(crate) fn sync_folder(folder: &Path) -> io::Result<()> {
    let folder = if folder.as_os_str().is_empty() { Path::new(".") } else { folder };
    fs_err::File::open(folder)?.sync_all()
}
