//! The one change in flight.

use std::io;

use garboard_protocol::StepId;
use serde::{Deserialize, Serialize};

use super::{Layout, read_json};
use crate::system::{Look, System};

/// Written before a step is applied, removed after: one that is found was left by a crash.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Intent {
    /// The step.
    pub step: StepId,
    /// The run it belonged to.
    pub run: String,
    /// When it began, RFC 3339.
    pub time: String,
}

impl Intent {
    /// The intent on the host. A torn one (the disk was full) is none: nothing had begun.
    pub fn load(look: &dyn Look, layout: &Layout) -> io::Result<Option<Self>> {
        match read_json(look, &layout.intent()) {
            Err(error) if error.kind() == io::ErrorKind::InvalidData => Ok(None),
            other => other,
        }
    }

    /// Writes it through.
    pub fn save(&self, system: &dyn System, layout: &Layout) -> io::Result<()> {
        layout.make(system, &layout.state)?;
        system.write(&layout.intent(), &serde_json::to_vec(self).map_err(io::Error::other)?, 0o600)
    }

    /// Removes the intent of the host, if there is one.
    pub fn clear(system: &dyn System, layout: &Layout) -> io::Result<()> {
        match system.metadata(&layout.intent())? {
            Some(_) => system.remove_file(&layout.intent()),
            None => Ok(()),
        }
    }
}
