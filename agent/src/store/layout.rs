//! Where everything of ours lies on a host.

use std::io;
use std::path::{Path, PathBuf};

use crate::system::System;

/// The two folders of ours and the names in them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Layout {
    /// `/var/lib/garboard`, 0700: what outlives a reboot.
    pub state: PathBuf,
    /// `/run/garboard`, 0700: what does not.
    pub run: PathBuf,
}

impl Layout {
    /// The places of the design.
    pub fn host() -> Self {
        Self { state: "/var/lib/garboard".into(), run: "/run/garboard".into() }
    }

    /// The same below another root, for tests.
    pub fn below(root: &Path) -> Self {
        Self { state: root.join("var/lib/garboard"), run: root.join("run/garboard") }
    }

    /// Folder of the baseline.
    pub fn baseline(&self) -> PathBuf {
        self.state.join("baseline")
    }

    /// The baseline's entries, one JSON document a line.
    pub fn entries(&self) -> PathBuf {
        self.baseline().join("entries")
    }

    /// Earlier contents that do not fit into an entry, by digest.
    pub fn contents(&self) -> PathBuf {
        self.baseline().join("content")
    }

    /// What was there before our first change.
    pub fn snapshot(&self) -> PathBuf {
        self.state.join("snapshot.json")
    }

    /// What the software makes by itself.
    pub fn owned(&self) -> PathBuf {
        self.state.join("owned.json")
    }

    /// Known digests of files, with size, inode and ctime.
    pub fn records(&self) -> PathBuf {
        self.state.join("records.json")
    }

    /// The change in flight.
    pub fn intent(&self) -> PathBuf {
        self.state.join("intent")
    }

    /// The cluster note.
    pub fn cluster(&self) -> PathBuf {
        self.state.join("cluster.json")
    }

    /// All that is below `blobs`.
    pub fn blobs(&self) -> PathBuf {
        self.state.join("blobs")
    }

    /// Complete, verified blobs, by hex digest.
    pub fn complete_blobs(&self) -> PathBuf {
        self.blobs().join("sha256")
    }

    /// Blobs on their way, by hex digest.
    pub fn partial_blobs(&self) -> PathBuf {
        self.blobs().join("partial")
    }

    /// Left by a reset that was told to keep the blobs: they stay when a later run changes nothing.
    pub fn kept_blobs(&self) -> PathBuf {
        self.blobs().join("kept")
    }

    /// Locked by the executor; says who it works for.
    pub fn lock(&self) -> PathBuf {
        self.run.join("lock")
    }

    /// The executor's socket.
    pub fn socket(&self) -> PathBuf {
        self.run.join("executor.sock")
    }

    /// Makes `folder`, at or below [`Layout::state`], and those above it, 0700.
    pub(crate) fn make(&self, system: &dyn System, folder: &Path) -> io::Result<()> {
        if system.metadata(folder)?.is_some() {
            return Ok(());
        }
        if folder.starts_with(&self.state)
            && let Some(parent) = folder.parent()
        {
            self.make(system, parent)?;
        }
        system.create_directory(folder, 0o700)
    }
}
