//! What the store says while it works.

use std::sync::Arc;

use garboard_protocol::Digest;

/// News from the store.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Progress {
    /// Bytes came from upstream.
    Fetching {
        /// Of what.
        name: String,
        /// Which content.
        digest: Digest,
        /// Bytes so far.
        done: u64,
        /// Bytes in all, 0 when not known.
        total: u64,
    },
    /// A server asked for patience, or a connection broke; it is tried again.
    Waiting {
        /// Of what.
        name: String,
        /// Until the next attempt.
        milliseconds: u64,
        /// Why.
        because: String,
    },
    /// A blob in the cache was not what its name says; it was thrown away and is fetched again.
    Damaged {
        /// Of what.
        name: String,
        /// What it should have been.
        expected: Digest,
        /// What it was.
        found: Digest,
    },
}

/// Who listens; called often, from any thread, and must return at once.
pub type Listener = Arc<dyn Fn(Progress) + Send + Sync>;

/// Nobody listens.
pub fn silent() -> Listener {
    Arc::new(|_| {})
}
