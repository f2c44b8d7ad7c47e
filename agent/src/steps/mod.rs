//! Step kinds: one file each. A kind probes, says what differs, applies, and can restore what it changed.

mod archive;
mod artifact;
pub(crate) mod boot_config;
pub(crate) mod certificate;
mod clock;
mod cluster_note;
mod directory;
mod file;
mod hostname;
mod hosts_entry;
mod image;
mod kernel_module;
mod kubeadm;
mod kubeadm_init;
mod kubeadm_join;
mod membership;
pub(crate) mod nft;
mod oci_layout;
mod package;
pub(crate) mod path;
mod reboot;
pub(crate) mod sshd;
pub(crate) mod swap;
pub(crate) mod sysctl;
mod undo;
pub(crate) mod unit;
mod withdraw;

use std::path::{Path, PathBuf};

use garboard_protocol::change::Change;
use garboard_protocol::step::{Outputs, Step};
use garboard_protocol::{Digest, Observation};

use crate::store::Records;
use crate::system::{self, CommandError, Look, System};

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
    /// A program failed; what it and others said tells why.
    #[error("{message}")]
    Explained {
        /// What happened.
        message: String,
        /// What to do about it.
        help: Option<String>,
        /// Ends of outputs and logs, the most telling first.
        #[source]
        evidence: Evidence,
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

/// What programs said, as causes of an error.
#[derive(Debug, thiserror::Error)]
#[error("{text}")]
pub struct Evidence {
    text: String,
    #[source]
    next: Option<Box<Evidence>>,
}

impl Evidence {
    /// One cause for each text, in their order.
    pub fn of<const COUNT: usize>(texts: [String; COUNT]) -> Self {
        let chain = texts.into_iter().rev().fold(None, |next, text| Some(Box::new(Self { text, next })));
        chain.map_or_else(|| Self { text: String::new(), next: None }, |first| *first)
    }
}

/// What `probe` may use.
#[derive(Clone, Copy)]
pub struct ProbeContext<'a> {
    /// The host, read-only. Within one pass over many steps the same `ask` is answered once and remembered: steps that
    /// want the state of units or images issue the same command (all of it) and pick theirs from the answer.
    pub look: &'a dyn Look,
    /// Which blob the content at a path came from, as long as its size, inode and ctime are what they were.
    pub records: &'a Records,
    /// What earlier steps have noted on this host.
    pub baseline: &'a dyn Baseline,
}

/// What `apply` may use besides the system.
pub struct Context<'a> {
    /// The host.
    pub system: &'a dyn System,
    /// See [`ProbeContext::records`]; `apply` notes what it put in place.
    pub records: &'a Records,
    /// Where complete, verified blobs lie: `DIR/HEX`; see [`Context::blob`].
    pub blobs: &'a Path,
    /// Notes an earlier value; written through (fsync) before it returns. Called before each change.
    pub baseline: &'a dyn Baseline,
    /// Says something to a person while a long step works.
    pub progress: &'a dyn Fn(&str),
    /// Says for whom or what a step stands still.
    pub waiting: &'a dyn Fn(&str),
    /// Waits until a client has logged in after this call began; `false`: nobody has, in time. For changes that may cut the
    /// connection.
    pub confirmed: &'a dyn Fn() -> bool,
}

impl Context<'_> {
    /// The file of a blob.
    pub fn blob(&self, digest: Digest) -> PathBuf {
        self.blobs.join(digest.hex())
    }

    /// Notes what is at `path` now (or that nothing is), before it is changed: kind, content or target, mode, owner.
    pub fn note_path(&self, path: &str) -> Result<(), StepError> {
        if self.baseline.has(&Entry::Path { path: path.to_owned(), before: None }.subject()) {
            return Ok(());
        }
        let before = self.path_before(Path::new(path)).map_err(|source| StepError::File {
            action: "read",
            path: path.to_owned(),
            source,
        })?;
        self.baseline.note(Entry::Path { path: path.to_owned(), before })
    }

    fn path_before(&self, path: &Path) -> std::io::Result<Option<PathBefore>> {
        let Some(metadata) = self.system.metadata(path)? else { return Ok(None) };
        let (kind, content) = match metadata.kind {
            system::Kind::File => ("file", Some(self.baseline.keep(&self.system.read(path)?)?)),
            system::Kind::Directory => ("directory", None),
            system::Kind::Symlink => {
                ("symlink", Some(Content::Text(self.system.read_link(path)?.to_string_lossy().into_owned())))
            }
            system::Kind::Other => ("other", None),
        };
        Ok(Some(PathBefore {
            content,
            kind: kind.to_owned(),
            mode: metadata.mode,
            user: metadata.user,
            group: metadata.group,
        }))
    }
}

/// The step's side of the baseline: the earlier value of everything we changed, written once.
pub trait Baseline {
    /// Notes that `entry` was so before our first change of it; a second note of the same subject is dropped.
    fn note(&self, entry: Entry) -> Result<(), StepError>;
    /// Whether this subject ([`Entry::subject`]) is noted already.
    fn has(&self, subject: &str) -> bool;
    /// Makes earlier content fit for an entry: short UTF-8 text as it is, anything else put beside the entries by digest.
    fn keep(&self, content: &[u8]) -> std::io::Result<Content>;
    /// All entries, oldest first.
    fn entries(&self) -> Vec<Entry>;
    /// Earlier content that did not fit into an entry.
    fn content(&self, digest: Digest) -> std::io::Result<Vec<u8>>;
    /// Removes the entry of `subject`: its earlier value is back.
    fn strike(&self, subject: &str) -> std::io::Result<()>;
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
        /// The unit that turns it on at boot, if any; it was masked.
        unit: Option<String>,
    },
    /// A package that was not installed.
    Package {
        /// With its architecture, `NAME:ARCHITECTURE`, where that is not the host's own.
        name: String,
        /// Whether its configuration was there: it had been installed once, and removed.
        had_configuration: bool,
    },
    /// A unit's state.
    Unit {
        /// With its ending.
        name: String,
        /// `enabled`, `disabled`, `masked`…; empty when it did not exist.
        enabled: String,
        /// Whether it was running.
        active: bool,
        /// Whether it reads files of ours when it starts: running again is not enough then, it has to start anew without them.
        #[serde(default, skip_serializing_if = "std::ops::Not::not")]
        configured: bool,
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
    /// A table of the packet filter that was not there before.
    NftTable {
        /// Family and name.
        table: String,
    },
    /// sshd has read a file of ours, and reads its configuration anew when that is gone.
    Sshd {},
    /// A kernel parameter that was not in a boot loader's file.
    KernelParameter {
        /// The file.
        path: String,
        /// As the kernel takes it.
        parameter: String,
    },
}

impl Entry {
    /// The key under which an entry is written once, and struck: its kind and what it is about.
    pub fn subject(&self) -> String {
        match self {
            Self::Path { path, .. } => format!("path {path}"),
            Self::Sysctl { key, .. } => format!("sysctl {key}"),
            Self::KernelModule { name } => format!("kernel_module {name}"),
            Self::Swap { path, .. } => format!("swap {path}"),
            Self::Package { name, .. } => format!("package {name}"),
            Self::Unit { name, .. } => format!("unit {name}"),
            Self::Hostname { .. } => "hostname".to_owned(),
            Self::Line { path, line } => format!("line {path} {line}"),
            Self::Member { by } => format!("member {by}"),
            Self::NftTable { table } => format!("nft_table {table}"),
            Self::Sshd {} => "sshd".to_owned(),
            Self::KernelParameter { path, parameter } => format!("kernel_parameter {path} {parameter}"),
        }
    }
}

/// Earlier content of a file, or the target of a link.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Content {
    /// As it was.
    Text(String),
    /// Not UTF-8, or long: in the baseline's own folder, under this digest.
    Kept(Digest),
}

/// What was at a path.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct PathBefore {
    /// Content of a file, target of a link.
    pub content: Option<Content>,
    /// `file`, `directory`, `symlink`, `other`.
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
    fn probe(&self, context: &ProbeContext<'_>) -> Result<Observation, StepError>;
    /// Removes the differences (none are given when the probe answered `Unknown`). Gives the step's outputs.
    fn apply(&self, changes: &[Change], context: &Context<'_>) -> Result<Outputs, StepError>;
}

/// The kind of a step.
pub fn kind(step: &Step) -> &dyn Kind {
    match step {
        Step::Directory(step) => step,
        Step::File(step) => step,
        Step::Artifact(step) => step,
        Step::Archive(step) => step,
        Step::Sysctl(step) => step,
        Step::KernelModule(step) => step,
        Step::Swap(step) => step,
        Step::Package(step) => step,
        Step::Unit(step) => step,
        Step::Hostname(step) => step,
        Step::HostsEntry(step) => step,
        Step::Image(step) => step,
        Step::KubeadmInit(step) => step,
        Step::KubeadmJoin(step) => step,
        Step::ClusterNote(step) => step,
        Step::Clock(step) => step,
        Step::BootConfig(step) => step,
        Step::Reboot(step) => step,
        Step::Nft(step) => step,
        Step::Sshd(step) => step,
        Step::Withdraw(step) => step,
    }
}
