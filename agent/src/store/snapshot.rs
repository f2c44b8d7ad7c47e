//! The file that holds what was on the host before our first change: one line of JSON and its digest.

use std::io;

use garboard_protocol::Digest;
use serde_json::Value;

use super::{Layout, damaged};
use crate::system::{Look, System};

/// The sealed snapshot of a host.
#[derive(Debug, Clone, PartialEq)]
pub struct Snapshot(pub Value);

impl Snapshot {
    /// Whether the host has one.
    pub fn is_taken(look: &dyn Look, layout: &Layout) -> io::Result<bool> {
        Ok(look.metadata(&layout.snapshot())?.is_some())
    }

    /// Reads it; an error when the seal is broken.
    pub fn load(look: &dyn Look, layout: &Layout) -> io::Result<Option<Self>> {
        let path = layout.snapshot();
        let Some(text) = look.read_text(&path)? else { return Ok(None) };
        let (document, seal) = text.split_once('\n').ok_or_else(|| damaged(&path, "it has no seal"))?;
        if seal.trim_end() != Digest::of(document.as_bytes()).to_string() {
            return Err(damaged(&path, "its digest is not the one it was sealed with"));
        }
        serde_json::from_str(document)
            .map(|value| Some(Self(value)))
            .map_err(|error| damaged(&path, &error.to_string()))
    }

    /// Writes it, once.
    pub fn save(&self, system: &dyn System, layout: &Layout) -> io::Result<()> {
        let document = serde_json::to_string(&self.0).map_err(io::Error::other)?;
        let seal = Digest::of(document.as_bytes());
        layout.make(system, &layout.state)?;
        system.write(&layout.snapshot(), format!("{document}\n{seal}\n").as_bytes(), 0o600)
    }
}
