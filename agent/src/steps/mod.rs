//! Step kinds: one file each. A kind probes, says what differs, applies, and can restore what it changed.

use garboard_protocol::Observation;
use garboard_protocol::change::Change;
use garboard_protocol::step::Outputs;

use crate::system::{CommandError, Look, System};

/// Why a step could not be probed, applied or restored.
#[derive(Debug, thiserror::Error)]
pub enum StepError {
    /// A file could not be read or changed.
    #[error("cannot {action} `{path}`")]
    File {
        /// `read`, `write`, `remove`…
        action: &'static str,
        /// The path.
        path: String,
        /// Why.
        source: std::io::Error,
    },
    /// A command failed.
    #[error(transparent)]
    Command(#[from] CommandError),
    /// Anything else, in a sentence, with what the user can do.
    #[error("{message}")]
    Failed {
        /// What happened.
        message: String,
        /// What to do about it.
        help: Option<String>,
    },
    /// Only a person can decide (exit 5).
    #[error("{message}")]
    NeedsPerson {
        /// What happened.
        message: String,
        /// The way out.
        help: String,
    },
}

/// What `apply` may use besides the system.
pub struct Context<'a> {
    /// The host.
    pub system: &'a dyn System,
    /// Where complete, verified blobs lie: `DIR/sha256/HEX`.
    pub blobs: &'a std::path::Path,
    /// Notes an earlier value; written through (fsync) before it returns. Called before each change.
    pub baseline: &'a dyn Baseline,
    /// Says something to a person while a long step works.
    pub progress: &'a dyn Fn(&str),
}

/// The step's side of the baseline: the earlier value of everything we changed, written once.
pub trait Baseline {
    /// Notes that `entry` was so before our first change of it; a second note of the same subject is dropped.
    fn note(&self, entry: Entry) -> Result<(), StepError>;
}

/// One earlier value. The subject is the key: write-once.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Entry {
    /// A path of ours: what was there. `None`: nothing.
    Path {
        /// Absolute.
        path: String,
        /// What was there before.
        before: Option<PathBefore>,
    },
    /// A sysctl's live value.
    Sysctl {
        /// Dotted.
        key: String,
        /// The earlier value.
        before: String,
    },
    /// A kernel module that was not loaded before.
    KernelModule {
        /// Its name.
        name: String,
    },
    /// Swap that was on.
    Swap {
        /// As `/proc/swaps` names it.
        path: String,
        /// Unit that turned it on at boot and was masked by us, if any.
        unit: Option<String>,
    },
    /// A unit's state.
    Unit {
        /// With its ending.
        name: String,
        /// `enabled`, `disabled`, `masked`…; empty when it did not exist.
        enabled: String,
        /// Whether it was running.
        active: bool,
    },
    /// The live host name.
    Hostname {
        /// The earlier one.
        before: String,
    },
    /// A line of a file that we added.
    Line {
        /// The file.
        path: String,
        /// The line, without its end.
        line: String,
    },
    /// Something a program made by our order and that `owns` covers: kubeadm's state.
    Member {
        /// `init` or `join`.
        by: String,
    },
}

/// What was at a path.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct PathBefore {
    /// Content of a file (base64 of it when not UTF-8 lives in the baseline's own folder; see `engine::baseline`), target of a link.
    pub content: Option<String>,
    /// `file`, `directory`, `symlink`.
    pub kind: String,
    /// Permission bits.
    pub mode: u32,
    /// Owner.
    pub user: u32,
    /// Group.
    pub group: u32,
}

/// The contract every kind fulfils. The engine calls `probe`, then for a step that differs `apply` (which notes earlier
/// values before each change), then `probe` again: a change that remains fails the step.
pub trait Kind {
    /// Looks, without changing anything.
    fn probe(&self, look: &dyn Look) -> Result<Observation, StepError>;
    /// Removes the differences. Gives the step's outputs.
    fn apply(&self, changes: &[Change], context: &Context<'_>) -> Result<Outputs, StepError>;
}
