//! Giving a host back, and proof of it.

use serde::{Deserialize, Serialize};

use crate::owned::Owned;

/// How far reset goes.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ResetOptions {
    /// Keep `/var/lib/garboard/blobs`, so that a rebuild sends nothing.
    pub keep_blobs: bool,
    /// Also delete what `owns` lists as `data`.
    pub delete_data: bool,
    /// What today's playbooks say the software makes by itself; added to what the host has noted.
    pub owned: Vec<Owned>,
}

/// Baseline and snapshot of a host, handed to the laptop before the folder that holds them goes away. The laptop keeps
/// it as it is and gives it back for `Verify`; only the agent reads it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Keepsake(pub serde_json::Value);

/// What reset or verify found.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ResetReport {
    /// Things given back or removed.
    pub restored: u64,
    /// What is still there, or still changed, though it should not be.
    pub leftovers: Vec<Leftover>,
    /// What was left alone on purpose: data, foreign mounts, values whose earlier state is unknown.
    pub kept: Vec<Leftover>,
}

/// One thing on the host.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Leftover {
    /// `file`, `directory`, `link`, `nft table`, `sysctl`, `unit`, `mount`…
    pub kind: String,
    /// Its path, name or key.
    pub subject: String,
    /// What was expected and what is.
    pub detail: String,
}
