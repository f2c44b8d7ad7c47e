//! What outlives a reset: enough to tell later whether the host is as it was.

use garboard_protocol::Owned;
use serde::{Deserialize, Serialize};

use crate::steps::Entry;

/// What the laptop keeps of a host that was given back.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Kept {
    /// Of this layout.
    pub(super) version: u32,
    /// The baseline, oldest first.
    pub(super) entries: Vec<Entry>,
    /// The snapshot.
    pub(super) before: Option<serde_json::Value>,
    /// What the software makes by itself.
    pub(super) owned: Vec<Owned>,
}
