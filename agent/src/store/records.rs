//! Digests of files we know, so that a probe of a converged host reads none of them again.

use std::collections::BTreeMap;
use std::io;
use std::path::Path;
use std::sync::{Mutex, PoisonError};

use garboard_protocol::Digest;
use serde::{Deserialize, Serialize};

use super::{Layout, read_json};
use crate::system::{Kind, Look, Metadata, System};

/// What was known of a file when it had this size, inode and ctime. Anyone who changes its content changes its ctime too.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct Record {
    size: u64,
    inode: u64,
    /// Text, because JSON numbers are no 128 bits.
    changed: String,
    /// Digest of its content.
    #[serde(skip_serializing_if = "Option::is_none")]
    content: Option<Digest>,
    /// The blob it was made from: its own content, or the archive it was a member of.
    #[serde(skip_serializing_if = "Option::is_none")]
    source: Option<Digest>,
}

impl Record {
    fn of(metadata: &Metadata) -> Self {
        Self {
            size: metadata.size,
            inode: metadata.inode,
            changed: metadata.changed.to_string(),
            content: None,
            source: None,
        }
    }

    fn is_of(&self, metadata: &Metadata) -> bool {
        let now = Self::of(metadata);
        (self.size, self.inode, &self.changed) == (now.size, now.inode, &now.changed)
    }
}

/// The records, in memory; written to the host by the engine, and only by a run that changes something.
#[derive(Debug, Default)]
pub struct Records {
    entries: Mutex<Entries>,
}

#[derive(Debug, Default)]
struct Entries {
    files: BTreeMap<String, Record>,
    unsaved: bool,
}

impl Records {
    /// Reads them from the host. Damaged records are as good as none: everything is hashed again.
    pub fn load(look: &dyn Look, layout: &Layout) -> io::Result<Self> {
        let files = match read_json(look, &layout.records()) {
            Err(error) if error.kind() == io::ErrorKind::InvalidData => BTreeMap::new(),
            other => other?.unwrap_or_default(),
        };
        Ok(Self { entries: Mutex::new(Entries { files, unsaved: false }) })
    }

    /// Whether the regular file at `path` still is as it was when [`Records::note`] was told that it came from the blob
    /// `source`, or when its own digest was found to be that.
    pub fn matches(&self, look: &dyn Look, path: &Path, source: Digest) -> io::Result<bool> {
        let Some(metadata) = look.metadata(path)?.filter(|metadata| metadata.kind == Kind::File) else {
            return Ok(false);
        };
        Ok(self.with(|entries| {
            entries.files.get(&key(path)).is_some_and(|record| {
                record.is_of(&metadata) && (record.source == Some(source) || record.content == Some(source))
            })
        }))
    }

    /// Notes that the file now at `path` came from the blob `source`. For something just put in place.
    pub fn note(&self, look: &dyn Look, path: &Path, source: Digest) -> io::Result<()> {
        self.update(look, path, |record| record.source = Some(source))
    }

    /// The digest of the content of the file at `path`, hashed only when the record is not of this file any more.
    pub fn digest(&self, look: &dyn Look, path: &Path) -> io::Result<(Digest, u64)> {
        if let Some(metadata) = look.metadata(path)? {
            let known = self.with(|entries| {
                entries
                    .files
                    .get(&key(path))
                    .filter(|record| record.is_of(&metadata))
                    .and_then(|record| record.content)
            });
            if let Some(digest) = known {
                return Ok((digest, metadata.size));
            }
        }
        let before = look.metadata(path)?;
        let (digest, size) = look.digest(path)?;
        // Only what nobody changed while it was read is worth a record.
        if before == look.metadata(path)? && before.is_some_and(|metadata| metadata.kind == Kind::File) {
            self.update(look, path, |record| record.content = Some(digest))?;
        }
        Ok((digest, size))
    }

    /// Writes them, when there is something new.
    pub fn save(&self, system: &dyn System, layout: &Layout) -> io::Result<()> {
        let content = self.with(|entries| {
            entries.unsaved.then(|| serde_json::to_vec(&entries.files).map_err(io::Error::other)).transpose()
        })?;
        let Some(content) = content else { return Ok(()) };
        layout.make(system, &layout.state)?;
        system.write(&layout.records(), &content, 0o600)?;
        self.with(|entries| entries.unsaved = false);
        Ok(())
    }

    fn update(&self, look: &dyn Look, path: &Path, change: impl FnOnce(&mut Record)) -> io::Result<()> {
        let Some(metadata) = look.metadata(path)? else { return Ok(()) };
        self.with(|entries| {
            let record = entries.files.entry(key(path)).or_insert_with(|| Record::of(&metadata));
            if !record.is_of(&metadata) {
                *record = Record::of(&metadata);
            }
            let before = record.clone();
            change(record);
            entries.unsaved |= before != *record || before.source.is_none() && before.content.is_none();
        });
        Ok(())
    }

    fn with<T>(&self, use_them: impl FnOnce(&mut Entries) -> T) -> T {
        use_them(&mut self.entries.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

fn key(path: &Path) -> String {
    path.to_string_lossy().into_owned()
}
