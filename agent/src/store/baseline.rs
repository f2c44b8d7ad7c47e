//! The earlier value of everything we changed: written once, before the change; struck entry by entry as reset restores.

use std::io;
use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use garboard_protocol::Digest;

use super::{Layout, damaged};
use crate::steps::{Content, Entry, StepError};
use crate::system::{Look, System, temporary};

/// Longest earlier content that is kept inside an entry, in bytes.
const TEXT_BYTES: usize = 64 * 1024;

/// The baseline of a host.
pub struct Baseline {
    system: Arc<dyn System>,
    layout: Layout,
    entries: Mutex<Entries>,
}

#[derive(Default)]
struct Entries {
    list: Vec<Entry>,
    /// A crash cut the last line: its entry was never acknowledged, so its change was never made.
    torn: bool,
}

impl Baseline {
    /// Reads the host's baseline.
    pub fn load(system: Arc<dyn System>, layout: &Layout) -> io::Result<Self> {
        let entries = parse(system.look(), &layout.entries())?;
        Ok(Self { system, layout: layout.clone(), entries: Mutex::new(entries) })
    }

    /// Whether the host at `look` has entries: it was changed by us.
    pub fn exists(look: &dyn Look, layout: &Layout) -> io::Result<bool> {
        Ok(!parse(look, &layout.entries())?.list.is_empty())
    }

    /// All entries, oldest first.
    pub fn entries(&self) -> Vec<Entry> {
        self.lock().list.clone()
    }

    /// Content that did not fit into an entry.
    pub fn content(&self, digest: Digest) -> io::Result<Vec<u8>> {
        let path = self.layout.contents().join(digest.hex());
        let content = self.system.read(&path)?;
        if Digest::of(&content) != digest {
            return Err(damaged(&path, "its content has another digest"));
        }
        Ok(content)
    }

    /// Removes the entry of `subject`: its earlier value is back. Also what a crash while it was written left beside it.
    pub fn strike(&self, subject: &str) -> io::Result<()> {
        let mut entries = self.lock();
        let (struck, kept): (Vec<_>, Vec<_>) =
            entries.list.iter().cloned().partition(|entry| entry.subject() == subject);
        for entry in &struck {
            if let Entry::Path { path, .. } = entry {
                remove_if_there(&*self.system, &temporary(Path::new(path)))?;
            }
        }
        if !struck.is_empty() {
            self.rewrite(&kept)?;
            *entries = Entries { list: kept, torn: false };
        }
        Ok(())
    }

    fn add(&self, entry: &Entry) -> io::Result<()> {
        let mut entries = self.lock();
        let subject = entry.subject();
        if entries.list.iter().any(|known| known.subject() == subject) {
            return Ok(());
        }
        self.layout.make(&*self.system, &self.layout.baseline())?;
        if entries.torn {
            self.rewrite(&entries.list)?;
            entries.torn = false;
        }
        // Whatever a failed append left in the file is cut away by the next note.
        entries.torn = true;
        self.system.append(&self.layout.entries(), &line(entry)?, 0o600)?;
        entries.torn = false;
        entries.list.push(entry.clone());
        Ok(())
    }

    fn rewrite(&self, entries: &[Entry]) -> io::Result<()> {
        let lines = entries.iter().map(line).collect::<io::Result<Vec<_>>>()?;
        self.system.write(&self.layout.entries(), &lines.concat(), 0o600)
    }

    fn lock(&self) -> MutexGuard<'_, Entries> {
        self.entries.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl crate::steps::Baseline for Baseline {
    fn note(&self, entry: Entry) -> Result<(), StepError> {
        self.add(&entry).map_err(|source| StepError::File {
            action: "write",
            path: self.layout.entries().to_string_lossy().into_owned(),
            source,
        })
    }

    fn has(&self, subject: &str) -> bool {
        self.lock().list.iter().any(|entry| entry.subject() == subject)
    }

    fn keep(&self, content: &[u8]) -> io::Result<Content> {
        if content.len() <= TEXT_BYTES
            && let Ok(text) = std::str::from_utf8(content)
        {
            return Ok(Content::Text(text.to_owned()));
        }
        let digest = Digest::of(content);
        self.layout.make(&*self.system, &self.layout.contents())?;
        self.system.write(&self.layout.contents().join(digest.hex()), content, 0o600)?;
        Ok(Content::Kept(digest))
    }

    fn entries(&self) -> Vec<Entry> {
        Self::entries(self)
    }

    fn content(&self, digest: Digest) -> io::Result<Vec<u8>> {
        Self::content(self, digest)
    }

    fn strike(&self, subject: &str) -> io::Result<()> {
        Self::strike(self, subject)
    }
}

fn parse(look: &dyn Look, path: &Path) -> io::Result<Entries> {
    let Some(text) = look.read_text(path)? else { return Ok(Entries::default()) };
    let mut entries = Entries::default();
    for (number, line) in text.split_inclusive('\n').enumerate() {
        match serde_json::from_str(line) {
            Ok(entry) if line.ends_with('\n') => entries.list.push(entry),
            _ if !line.ends_with('\n') => entries.torn = true,
            Ok(_) => {}
            Err(error) => return Err(damaged(path, &format!("line {}: {error}", number + 1))),
        }
    }
    Ok(entries)
}

fn line(entry: &Entry) -> io::Result<Vec<u8>> {
    let mut line = serde_json::to_vec(entry).map_err(io::Error::other)?;
    line.push(b'\n');
    Ok(line)
}

fn remove_if_there(system: &dyn System, path: &Path) -> io::Result<()> {
    match system.metadata(path)? {
        Some(_) => system.remove_file(path),
        None => Ok(()),
    }
}
