//! What the software we install makes by itself, as the playbooks say; kept with the baseline.

use std::io;

use garboard_protocol::Owned;

use super::{Layout, read_json};
use crate::system::{Look, System};

/// The list on the host and what this run adds to it.
#[derive(Debug, Default)]
pub struct Owns {
    kept: Vec<Owned>,
    added: Vec<Owned>,
}

impl Owns {
    /// Reads the host's list.
    pub fn load(look: &dyn Look, layout: &Layout) -> io::Result<Self> {
        Ok(Self { kept: read_json(look, &layout.owned())?.unwrap_or_default(), added: Vec::new() })
    }

    /// Adds what the run's playbooks say; nothing is written yet. Earlier entries stay: what an older version of a
    /// playbook made is still there to be removed.
    pub fn add(&mut self, owned: Vec<Owned>) {
        for entry in owned {
            if !self.kept.contains(&entry) && !self.added.contains(&entry) {
                self.added.push(entry);
            }
        }
    }

    /// What this run adds, until it is written.
    pub fn added(&self) -> &[Owned] {
        &self.added
    }

    /// Everything, the host's own list first.
    pub fn all(&self) -> impl Iterator<Item = &Owned> {
        self.kept.iter().chain(&self.added)
    }

    /// Writes what is new; called before a change.
    pub fn save(&mut self, system: &dyn System, layout: &Layout) -> io::Result<()> {
        if self.added.is_empty() {
            return Ok(());
        }
        let all: Vec<&Owned> = self.all().collect();
        layout.make(system, &layout.state)?;
        system.write(&layout.owned(), &serde_json::to_vec(&all).map_err(io::Error::other)?, 0o600)?;
        self.kept.append(&mut self.added);
        Ok(())
    }
}
