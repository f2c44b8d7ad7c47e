//! What an observer sees.

use serde::Serialize;

/// What happened.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    /// A file, folder, link, … came to be.
    Create,
    /// A file's content changed, or it was open for writing and is now closed.
    Write,
    /// Mode, owner, times or extended attributes changed.
    Attributes,
    /// Something got another name.
    Rename,
    /// Something was removed.
    Delete,
    /// A program was executed.
    Execute,
}

/// One thing that happened on a host.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Event {
    /// When we read of it, in microseconds since the watch began.
    pub at: u128,
    /// What happened.
    pub kind: Kind,
    /// To what, as the host names it. `?` stands for a folder that came and went before it could be named.
    pub path: String,
    /// The earlier name, of a rename.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub from: Option<String>,
    /// The process that did it, by its number on this machine.
    pub pid: i32,
    /// Its program; empty when it ended before we could look.
    pub program: String,
    /// Its cgroup as the host names it, such as `/system.slice/ssh.service`; empty when it ended before we could look.
    pub cgroup: String,
}
