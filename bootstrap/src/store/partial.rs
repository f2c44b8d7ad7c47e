//! A blob on its way into the store: `partial/HEX`, locked while somebody writes it, kept when the transfer breaks.

use std::io::{Read as _, Seek as _, SeekFrom, Write as _};
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};

use fs_err::os::unix::fs::OpenOptionsExt as _;
use fs_err::{File, OpenOptions};
use garboard_protocol::Digest;
use garboard_protocol::digest::Hasher;

use super::error::StoreError;

/// The unfinished file, held alone by this process.
pub(super) struct Partial {
    file: File,
    path: PathBuf,
    hasher: Hasher,
    offset: u64,
    /// Whether some of it was there before, from a transfer that broke.
    pub(super) resumed: bool,
}

impl Partial {
    /// Opens or makes `path` and waits until no other process works on it. `None` when `finished` is there by then.
    pub(super) fn open(path: &Path, finished: &Path) -> Result<Option<Self>, StoreError> {
        let failed = |action| StoreError::disk(action, path);
        loop {
            let file = OpenOptions::new()
                .read(true)
                .write(true)
                .create(true)
                .truncate(false)
                .mode(0o600)
                .open(path)
                .map_err(failed("open"))?;
            file.file().lock().map_err(failed("lock"))?;
            if finished.exists() {
                return Ok(None);
            }
            // Whoever held the lock before may have moved this very file to its final name, or thrown it away.
            let ours = file.metadata().map_err(failed("read"))?;
            let there = fs_err::metadata(path).ok();
            if !there.is_some_and(|there| there.ino() == ours.ino() && there.dev() == ours.dev()) {
                continue;
            }
            let mut partial =
                Self { file, path: path.to_owned(), hasher: Hasher::default(), offset: 0, resumed: false };
            partial.hash_what_is_there()?;
            return Ok(Some(partial));
        }
    }

    fn hash_what_is_there(&mut self) -> Result<(), StoreError> {
        let mut buffer = vec![0_u8; 128 * 1024];
        loop {
            let count = self.file.read(&mut buffer).map_err(StoreError::disk("read", &self.path))?;
            if count == 0 {
                break;
            }
            self.hasher.update(&buffer[..count]);
            self.offset += count as u64;
        }
        self.resumed = self.offset > 0;
        Ok(())
    }

    /// Bytes that are there.
    pub(super) fn offset(&self) -> u64 {
        self.offset
    }

    /// Appends the next bytes.
    pub(super) fn write(&mut self, piece: &[u8]) -> Result<(), StoreError> {
        self.file.write_all(piece).map_err(StoreError::disk("write", &self.path))?;
        self.hasher.update(piece);
        self.offset += piece.len() as u64;
        Ok(())
    }

    /// Throws away what is there.
    pub(super) fn restart(&mut self) -> Result<(), StoreError> {
        self.file.set_len(0).map_err(StoreError::disk("truncate", &self.path))?;
        self.file.seek(SeekFrom::Start(0)).map_err(StoreError::disk("rewind", &self.path))?;
        self.hasher = Hasher::default();
        self.offset = 0;
        self.resumed = false;
        Ok(())
    }

    /// The digest of what is there.
    pub(super) fn digest(&self) -> Digest {
        self.hasher.clone().finish().0
    }

    /// Gives it its final name, durably.
    pub(super) fn finish(self, finished: &Path) -> Result<(), StoreError> {
        self.file.sync_all().map_err(StoreError::disk("write", &self.path))?;
        fs_err::rename(&self.path, finished).map_err(StoreError::disk("rename", &self.path))?;
        sync_folder_of(finished)
    }

    /// Removes it: its content is wrong.
    pub(super) fn discard(self) -> Result<(), StoreError> {
        fs_err::remove_file(&self.path).map_err(StoreError::disk("remove", &self.path))
    }
}

/// Makes a rename into a folder durable.
pub(super) fn sync_folder_of(path: &Path) -> Result<(), StoreError> {
    let Some(folder) = path.parent() else { return Ok(()) };
    let failed = StoreError::disk("write", folder);
    File::open(folder).and_then(|folder| folder.sync_all()).map_err(failed)
}
