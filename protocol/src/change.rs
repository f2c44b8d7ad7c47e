//! What a probe saw and what a step would change.

use serde::{Deserialize, Serialize};

/// One difference between what is and what should be. Empty before: it is not there now; empty after: it goes away.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Change {
    /// What differs: a path, a unit, a sysctl key, an image reference…
    pub subject: String,
    /// Which property of it.
    pub field: Field,
    /// Now. For secret content a digest.
    pub before: Option<String>,
    /// Wanted. For secret content a digest.
    pub after: Option<String>,
}

impl Change {
    /// A change of `field` of `subject`.
    pub fn new(
        subject: impl Into<String>,
        field: Field,
        before: Option<String>,
        after: Option<String>,
    ) -> Self {
        Self { subject: subject.into(), field, before, after }
    }
}

/// The property that differs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum Field {
    /// Whether it is there, and as what (`file`, `directory`, `link`, `absent`).
    Kind,
    /// Text of a file (inline, for `plan --diff`), or the digest of larger or secret content.
    Content,
    /// Permission bits, octal.
    Mode,
    /// Owning user and group, `user:group`.
    Owner,
    /// Target of a symbolic link.
    Target,
    /// A value: of a sysctl, the host name, a line.
    Value,
    /// A kernel module or a table of the packet filter, loaded or not.
    Loaded,
    /// A package of the operating system: `installed`, or the state it is in.
    Installed,
    /// A unit, started at boot or not.
    Enabled,
    /// A unit, running or not.
    Active,
    /// A unit, running with an older configuration than the one on disk.
    Restart,
    /// An image in containerd's store.
    Image,
    /// Swap space in use.
    Swap,
    /// Membership of a cluster: `not started`, `in doubt`, `done`.
    Membership,
    /// What only a boot brings about: `pending`, or `effective`.
    Boot,
}

/// The answer of a probe.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Observation {
    /// Everything is as it should be; with the step's outputs, as if it had just run.
    Converged {
        /// By name; for example `ca_hash`.
        outputs: std::collections::BTreeMap<String, String>,
    },
    /// These differences would be removed by applying the step.
    Differs {
        /// At least one.
        changes: Vec<Change>,
    },
    /// It cannot be told yet; for example an image list while containerd is not installed.
    Unknown {
        /// What stands in the way.
        because: String,
    },
}

impl Observation {
    /// Converged, without outputs.
    pub fn converged() -> Self {
        Self::Converged { outputs: std::collections::BTreeMap::new() }
    }

    /// Converged when `changes` is empty.
    pub fn from_changes(changes: Vec<Change>) -> Self {
        if changes.is_empty() { Self::converged() } else { Self::Differs { changes } }
    }

    /// Whether nothing needs to be done.
    pub fn is_converged(&self) -> bool {
        matches!(self, Self::Converged { .. })
    }
}
