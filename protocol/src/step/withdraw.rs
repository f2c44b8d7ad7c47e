//! What a host is no longer to have.

use serde::{Deserialize, Serialize};

/// What earlier steps of a playbook made here, and what it would not make here any more: each goes back to what it was before, as with a
/// reset. Nothing to restore.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Withdraw {
    /// Whose steps they were.
    pub playbook: String,
    /// What they may have made; only what the baseline knows is touched. At least one.
    pub things: Vec<Thing>,
    /// Folders above them that other steps make here; all others above them that came with them go once they are empty.
    pub kept: Vec<String>,
}

/// Something that a step makes, by what names it.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Thing {
    /// A file or a folder.
    Path(String),
    /// All files in a folder.
    FilesIn(String),
    /// A kernel setting.
    Sysctl(String),
    /// A kernel module.
    KernelModule(String),
    /// A unit of systemd.
    Unit(String),
    /// A table of nftables.
    NftTable(String),
    /// Settings of sshd, by the path of their file.
    Sshd(String),
}
