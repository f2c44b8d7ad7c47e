//! The files of a base disk, so that those which a host has not touched need not be read again.

use std::collections::BTreeMap;
use std::path::Path;

use serde::{Deserialize, Serialize};

use crate::{Error, Result, base};

/// A file of a base disk.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct ImageFile {
    /// When its inode was changed last, in seconds since 1970: another one once anything about the file is.
    pub(crate) changed: i64,
    /// Its length in bytes.
    pub(crate) size: u64,
    /// The SHA-256 of its content, where it has one.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub(crate) digest: Option<String>,
}

/// All files of the base disk in a folder, by path.
pub(crate) fn image_files(base: &Path) -> Result<BTreeMap<String, ImageFile>> {
    let path = base.join(base::DIGESTS);
    let bytes = fs_err::read(&path)?;
    serde_json::from_slice(&bytes).map_err(|source| Error::Damaged { path, source })
}
