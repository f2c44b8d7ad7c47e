//! Content by SHA-256: arrives in pieces, resumes at the piece, counts only once its digest is right.

use std::collections::{BTreeMap, BTreeSet};
use std::io::{self, Seek as _, SeekFrom, Write as _};
use std::os::unix::fs::DirBuilderExt as _;
use std::path::PathBuf;

use fs_err as fs;
use fs_err::os::unix::fs::OpenOptionsExt as _;
use garboard_protocol::Digest;
use garboard_protocol::codec::Chunk;
use garboard_protocol::digest::Hasher;
use garboard_protocol::step::Blob;

use super::Layout;

/// The blobs of a host. Works on real files; a piece is on its way to the disk when [`Blobs::write`] returns.
pub struct Blobs {
    layout: Layout,
    announced: BTreeMap<Digest, Partial>,
    received: BTreeSet<Digest>,
}

struct Partial {
    size: u64,
    present: u64,
    /// Of the first `present` bytes; `None` when an earlier executor received some of them.
    hasher: Option<Hasher>,
    file: Option<fs::File>,
}

/// What a piece brought about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Arrival {
    /// More is to come.
    Piece,
    /// It is complete and right.
    Stored(Digest),
    /// It is complete and wrong; it was thrown away.
    Refused {
        /// What it should have been.
        digest: Digest,
        /// What it is.
        found: Digest,
    },
}

/// Why a piece was not taken. The conversation cannot go on after it.
#[derive(Debug, thiserror::Error)]
pub enum BlobError {
    /// Nobody said how large it is.
    #[error("a chunk of blob {digest} came, which was not announced")]
    Unannounced {
        /// Of the blob.
        digest: Digest,
    },
    /// It starts behind what is there, or ends behind the announced size.
    #[error("a chunk of blob {digest} at {offset} does not fit: {present} of {size} bytes are there")]
    Misplaced {
        /// Of the blob.
        digest: Digest,
        /// Where the chunk starts.
        offset: u64,
        /// Bytes present.
        present: u64,
        /// Bytes announced.
        size: u64,
    },
    /// The disk does not take it.
    #[error("cannot store blob {digest}")]
    Io {
        /// Of the blob.
        digest: Digest,
        /// Why.
        source: io::Error,
    },
}

impl Blobs {
    /// The blobs under `layout`; nothing is read or written yet.
    pub fn new(layout: Layout) -> Self {
        Self { layout, announced: BTreeMap::new(), received: BTreeSet::new() }
    }

    /// Whether `blob` is here whole.
    pub fn is_complete(layout: &Layout, blob: &Blob) -> bool {
        let path = layout.complete_blobs().join(blob.digest.hex());
        fs::symlink_metadata(path).is_ok_and(|metadata| metadata.len() == blob.size)
    }

    /// Takes note of what will come. Gives how much of each is here: its whole size means complete and verified.
    pub fn announce(&mut self, blobs: &[Blob]) -> io::Result<Vec<(Blob, u64)>> {
        blobs.iter().map(|blob| Ok((*blob, self.announce_one(blob)?))).collect()
    }

    fn announce_one(&mut self, blob: &Blob) -> io::Result<u64> {
        if Self::is_complete(&self.layout, blob) {
            return Ok(blob.size);
        }
        if blob.size == 0 {
            self.make_folders()?;
            fs::write(self.complete(blob.digest), [])?;
            return Ok(0);
        }
        if let Some(partial) = self.announced.get(&blob.digest).filter(|partial| partial.size == blob.size) {
            return Ok(partial.present);
        }
        let path = self.partial(blob.digest);
        let length = fs::symlink_metadata(&path).map_or(0, |metadata| metadata.len());
        // A whole partial was about to be checked when the executor died: its last byte comes once more.
        let present = if length > blob.size { 0 } else { length.min(blob.size - 1) };
        let hasher = (present == 0).then(Hasher::default);
        self.announced.insert(blob.digest, Partial { size: blob.size, present, hasher, file: None });
        Ok(present)
    }

    /// Writes a piece; checks the blob when it was the last one.
    pub fn write(&mut self, chunk: &Chunk) -> Result<Arrival, BlobError> {
        let digest = chunk.digest;
        let Some(partial) = self.announced.get(&digest) else {
            // A second copy of the last piece of something that is complete by now is no fault.
            return match fs::symlink_metadata(self.complete(digest)) {
                Ok(_) => Ok(Arrival::Stored(digest)),
                Err(_) => Err(BlobError::Unannounced { digest }),
            };
        };
        let end = chunk.offset.checked_add(chunk.bytes.len() as u64);
        if chunk.offset > partial.present || end.is_none_or(|end| end > partial.size) {
            let (offset, present, size) = (chunk.offset, partial.present, partial.size);
            return Err(BlobError::Misplaced { digest, offset, present, size });
        }
        self.take(chunk).map_err(|source| BlobError::Io { digest, source })
    }

    fn take(&mut self, chunk: &Chunk) -> io::Result<Arrival> {
        self.make_folders()?;
        let path = self.partial(chunk.digest);
        let Some(partial) = self.announced.get_mut(&chunk.digest) else { return Ok(Arrival::Piece) };
        let file = match &mut partial.file {
            Some(file) => file,
            closed => {
                let file = fs::OpenOptions::new()
                    .write(true)
                    .create(true)
                    .truncate(false)
                    .mode(0o600)
                    .open(&path)?;
                file.set_len(partial.present)?;
                closed.insert(file)
            }
        };
        if chunk.offset < partial.present {
            partial.hasher = (chunk.offset == 0).then(Hasher::default);
            file.set_len(chunk.offset)?;
            partial.present = chunk.offset;
        }
        file.seek(SeekFrom::Start(chunk.offset))?;
        file.write_all(&chunk.bytes)?;
        partial.present += chunk.bytes.len() as u64;
        if let Some(hasher) = &mut partial.hasher {
            hasher.update(&chunk.bytes);
        }
        if partial.present < partial.size {
            return Ok(Arrival::Piece);
        }
        file.sync_all()?;
        let finished = self.announced.remove(&chunk.digest).and_then(|partial| partial.hasher);
        let found = match finished {
            Some(hasher) => hasher.finish().0,
            None => Digest::of_reader(&mut fs::File::open(&path)?)?.0,
        };
        if found != chunk.digest {
            fs::remove_file(&path)?;
            return Ok(Arrival::Refused { digest: chunk.digest, found });
        }
        fs::rename(&path, self.complete(chunk.digest))?;
        fs::File::open(self.layout.complete_blobs())?.sync_all()?;
        self.received.insert(chunk.digest);
        Ok(Arrival::Stored(chunk.digest))
    }

    /// Hashes complete blobs again and removes those that are not what their name says. Gives their digests.
    pub fn recheck(&mut self, blobs: &[Blob]) -> io::Result<Vec<Digest>> {
        let mut broken = Vec::new();
        for blob in blobs.iter().filter(|blob| Self::is_complete(&self.layout, blob)) {
            let path = self.complete(blob.digest);
            if Digest::of_reader(&mut fs::File::open(&path)?)?.0 != blob.digest {
                fs::remove_file(&path)?;
                broken.push(blob.digest);
            }
        }
        Ok(broken)
    }

    /// Removes what arrived since this executor began, whole or in part.
    pub fn remove_received(&mut self) -> io::Result<()> {
        let (whole, begun) = (std::mem::take(&mut self.received), std::mem::take(&mut self.announced));
        // An empty folder of an earlier run stays: nothing arrived, so nothing is changed.
        if whole.is_empty() && begun.is_empty() {
            return Ok(());
        }
        let whole = whole.into_iter().map(|digest| self.complete(digest));
        let begun = begun.into_keys().map(|digest| self.partial(digest));
        for path in whole.chain(begun) {
            absent_is_fine(fs::remove_file(path))?;
        }
        for folder in [self.layout.partial_blobs(), self.layout.complete_blobs(), self.layout.blobs()] {
            // Others may still be in it.
            if fs::read_dir(&folder).is_ok_and(|mut entries| entries.next().is_none()) {
                absent_is_fine(fs::remove_dir(&folder))?;
            }
        }
        Ok(())
    }

    fn make_folders(&self) -> io::Result<()> {
        for folder in [self.layout.complete_blobs(), self.layout.partial_blobs()] {
            if !folder.is_dir() {
                std::fs::DirBuilder::new().recursive(true).mode(0o700).create(&folder)?;
            }
        }
        Ok(())
    }

    fn complete(&self, digest: Digest) -> PathBuf {
        self.layout.complete_blobs().join(digest.hex())
    }

    fn partial(&self, digest: Digest) -> PathBuf {
        self.layout.partial_blobs().join(digest.hex())
    }
}

fn absent_is_fine(result: io::Result<()>) -> io::Result<()> {
    match result {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        other => other,
    }
}
