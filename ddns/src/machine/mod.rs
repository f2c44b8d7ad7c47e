//! The state machine of one name: events in, a new state and at most one action out. Pure: time and chance are handed in.
//!
//! ```text
//!            two agree           sent              good
//! Unknown ──► Changing ──► Updating ──────────────► InSync ──► Changing …
//!                             │ 5xx, 429, 911, silence
//!                             ├──────────► HeldTransient (until) ──► Updating
//!                             │ badauth, nohost, abuse, …
//!                             └──────────► HeldFatal (until the configuration changes, or `resume`)
//! ```

mod backoff;
#[cfg(test)]
mod tests;
mod transition;

use std::time::Duration;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::address::Addresses;
use crate::quorum::Verdict;

pub use backoff::{CAP, LONGEST_TERM, Terms};
pub use transition::step;

/// All that is remembered of a name.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct NameState {
    /// Digest of what the user configured for it, its secret included.
    pub configuration: String,
    /// What the provider last confirmed.
    #[serde(default)]
    pub published: Addresses,
    /// Whether the record may differ from `published`: an update was sent and its answer is not known.
    #[serde(default)]
    pub in_doubt: bool,
    /// Failed updates since the last good one.
    #[serde(default)]
    pub failures: u32,
    /// When the provider last confirmed an update.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_success: Option<Timestamp>,
    /// Where it stands.
    pub phase: Phase,
}

/// Where a name stands.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "is", rename_all = "snake_case", deny_unknown_fields)]
pub enum Phase {
    /// Nothing was published yet under this configuration.
    Unknown,
    /// The record holds the address.
    InSync {
        /// Since when.
        since: Timestamp,
    },
    /// Another address was seen, and not by enough.
    Changing {
        /// The addresses seen.
        to: Addresses,
        /// Why they are not believed yet.
        because: String,
        /// Since when.
        since: Timestamp,
    },
    /// An update was sent; this is on the disk before the first byte of it leaves.
    Updating {
        /// What the record is to hold.
        to: Addresses,
        /// Since when.
        since: Timestamp,
    },
    /// The provider, or the way to it, had trouble: nothing is sent before that time.
    HeldTransient {
        /// Until when.
        until: Timestamp,
        /// What it said.
        reason: String,
        /// Since when.
        since: Timestamp,
    },
    /// The provider refused: nothing is sent before a person acts.
    HeldFatal {
        /// What it said, and the fix.
        reason: String,
        /// Since when.
        since: Timestamp,
    },
}

/// What happens to a name.
#[derive(Debug, Clone, PartialEq)]
pub enum Event {
    /// The service started.
    Started {
        /// Digest of the configuration as it is now.
        configuration: String,
    },
    /// The sources were asked; one verdict for each family the name wants.
    Seen(Vec<Verdict>),
    /// The provider answered the update.
    Answered(Answer),
    /// The provider refused another name of the same account, for the account's sake.
    AccountHeld(Answer),
    /// A person said `resume`.
    Resumed,
}

/// What a provider said to an update, whatever its words are.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Answer {
    /// The record holds the addresses now.
    Good,
    /// Try again later.
    Transient {
        /// What it said.
        reason: String,
        /// Not before this time has passed, by the provider's custom.
        at_least: Option<Duration>,
        /// The same, from this very answer (`Retry-After`).
        retry_after: Option<Duration>,
        /// Whether it holds for all names of the account.
        scope: Scope,
    },
    /// Never again before a person acts.
    Fatal {
        /// What it said, and the fix.
        reason: String,
        /// Whether it holds for all names of the account.
        scope: Scope,
    },
}

/// For whom an answer holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Scope {
    /// This name.
    Name,
    /// All names of the account.
    Account,
}

/// What is to be done.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Action {
    /// Send one update.
    Update {
        /// What the records are to hold.
        all: Addresses,
        /// Those of them that changed, or are in doubt.
        changed: Addresses,
    },
}

impl NameState {
    /// That of a name nobody has heard of.
    pub fn new(configuration: String) -> Self {
        Self {
            configuration,
            published: Addresses::default(),
            in_doubt: false,
            failures: 0,
            last_success: None,
            phase: Phase::Unknown,
        }
    }
}
