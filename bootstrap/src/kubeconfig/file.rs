//! The kubeconfig on the disk: its place, its backup, its atomic replacement.

use std::io::Write as _;
use std::os::unix::fs::{DirBuilderExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};

use jiff::Timestamp;

use super::{Kubeconfig, KubeconfigError};

/// What a merge did.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Merged {
    /// The file had this context already; nothing was written.
    Unchanged,
    /// The file has the context now.
    Written {
        /// The file as it was before, if there was one.
        kept: Option<PathBuf>,
    },
}

/// Where `kubectl` would look: the first file of `KUBECONFIG`, else `~/.kube/config`.
pub fn default_path() -> Option<PathBuf> {
    let listed = std::env::var_os("KUBECONFIG");
    let first = listed
        .as_ref()
        .and_then(|paths| std::env::split_paths(paths).find(|path| !path.as_os_str().is_empty()));
    first.or_else(|| std::env::home_dir().map(|home| home.join(".kube/config")))
}

/// Merges `own` (the text of a kubeconfig with one context, as [`Kubeconfig::to_text`] gives it) into the kubeconfig at
/// `path`, keeping the old file beside it as `NAME.bak-TIME`. A symbolic link stays one: the file it points to is
/// replaced.
pub fn merge_into(path: &Path, own: &str) -> Result<Merged, KubeconfigError> {
    let own = Kubeconfig::parse(own)?;
    let path = fs_err::canonicalize(path).unwrap_or_else(|_| path.to_owned());
    let failed = |action: &'static str| {
        let path = path.clone();
        move |cause| KubeconfigError::File { action, path, cause }
    };
    let existing = match fs_err::read_to_string(&path) {
        Ok(text) => Some(text),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => None,
        Err(error) => return Err(failed("read")(error)),
    };
    let merged = own.merge(&path.display().to_string(), existing.as_deref().unwrap_or_default())?;
    let Some(existing) = existing else {
        write(&path, &merged)?;
        return Ok(Merged::Written { kept: None });
    };
    if existing == merged {
        return Ok(Merged::Unchanged);
    }
    let time = Timestamp::now().strftime("%Y%m%dT%H%M%S%.3fZ").to_string();
    let mut name = path.file_name().unwrap_or_default().to_owned();
    name.push(format!(".bak-{time}"));
    let backup = path.with_file_name(name);
    write(&backup, &existing)?;
    write(&path, &merged)?;
    Ok(Merged::Written { kept: Some(backup) })
}

/// Writes a kubeconfig for the user alone (0600), wholly or not at all; missing folders are made with 0700.
fn write(path: &Path, text: &str) -> Result<(), KubeconfigError> {
    let failed = |cause| KubeconfigError::File { action: "write", path: path.to_owned(), cause };
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    std::fs::DirBuilder::new().recursive(true).mode(0o700).create(folder).map_err(failed)?;
    let mut file = tempfile::NamedTempFile::new_in(folder).map_err(failed)?;
    file.as_file().set_permissions(std::fs::Permissions::from_mode(0o600)).map_err(failed)?;
    file.write_all(text.as_bytes()).map_err(failed)?;
    file.as_file().sync_all().map_err(failed)?;
    file.persist(path).map_err(|error| failed(error.error))?;
    fs_err::File::open(folder).and_then(|folder| folder.sync_all()).map_err(failed)
}
