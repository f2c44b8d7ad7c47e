//! Checksums published beside files, as the official hosts do.

use std::collections::HashMap;
use std::io::Read as _;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};
use std::time::SystemTime;

use sha2::{Digest as _, Sha256};

/// Remembers checksums for as long as a file stays the same.
#[derive(Default)]
pub(super) struct Checksums {
    known: Mutex<HashMap<PathBuf, (u64, SystemTime, String)>>,
}

impl Checksums {
    /// The SHA-256 of a file as hexadecimal digits. Blocks while it reads.
    pub(super) fn of(&self, path: &Path) -> std::io::Result<String> {
        let metadata = fs_err::metadata(path)?;
        let (size, modified) = (metadata.len(), metadata.modified()?);
        if let Some((known_size, known_modified, sum)) = self.known().get(path)
            && (*known_size, *known_modified) == (size, modified)
        {
            return Ok(sum.clone());
        }
        let sum = sha256(path)?;
        self.known().insert(path.to_owned(), (size, modified, sum.clone()));
        Ok(sum)
    }

    fn known(&self) -> std::sync::MutexGuard<'_, HashMap<PathBuf, (u64, SystemTime, String)>> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn sha256(path: &Path) -> std::io::Result<String> {
    let mut file = fs_err::File::open(path)?;
    let mut hash = Sha256::new();
    let mut buffer = vec![0; 1 << 18];
    loop {
        match file.read(&mut buffer)? {
            0 => return Ok(super::link::hex(&hash.finalize())),
            count => hash.update(&buffer[..count]),
        }
    }
}

/// How the host of a path writes a checksum: dl.k8s.io the bare digits, others as `sha256sum` does.
pub(super) fn render(path: &str, sum: &str) -> String {
    if path.starts_with("dl.k8s.io/") {
        return sum.to_owned();
    }
    let name = path.rsplit('/').next().unwrap_or(path);
    format!("{sum}  {name}\n")
}
