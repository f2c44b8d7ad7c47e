//! What the agent says.

use serde::{Deserialize, Serialize};

use crate::change::{Change, Observation};
use crate::digest::Digest;
use crate::facts::Facts;
use crate::mesh::{Answer, Heard, Listener};
use crate::reset::{Keepsake, ResetReport};
use crate::secret::Secret;
use crate::step::{Blob, Outputs, StepId};

/// An event.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Event {
    /// Numbered from 1 within the executor's life for events of the queue (which are kept and replayed); 0 for answers that are not kept.
    pub number: u64,
    /// The request it answers. Replayed events carry the id the earlier connection had chosen.
    pub request: u64,
    /// What happened.
    pub body: Body,
}

/// Every event of this version.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Body {
    /// Terminal answer to Hello.
    Welcome(Welcome),
    /// Terminal answer to Facts.
    Facts(Box<Facts>),
    /// One probed step.
    Probed {
        /// Which.
        id: StepId,
        /// What was seen.
        observation: Observation,
    },
    /// Terminal answer to Blobs: for each announced blob, how many bytes of it are there (all of them: complete and verified).
    Blobs {
        /// In the order asked; (blob, bytes present).
        present: Vec<(Blob, u64)>,
    },
    /// A blob is complete and its digest is right. Answers no request (request id 0).
    BlobStored {
        /// Which.
        digest: Digest,
    },
    /// A blob arrived whole but is not what it should be; it was thrown away. Answers no request (request id 0).
    BlobRefused {
        /// What it should have been.
        digest: Digest,
        /// What arrived.
        found: Digest,
    },
    /// A step of the queue begins; its blobs are here.
    Started {
        /// Which.
        id: StepId,
        /// What it does now, for a person.
        doing: String,
    },
    /// News from inside a long step: a line for a person.
    Progress {
        /// Which.
        id: StepId,
        /// One line, without secrets.
        text: String,
        /// Whether the step stands still until another program on the host is done.
        waits: bool,
    },
    /// What a step has changed may have cut the host off: it is taken back unless a client that connects from now on says `Confirm`.
    Unconfirmed {
        /// Which.
        id: StepId,
        /// How long it waits.
        seconds: u64,
    },
    /// A step of the queue ended well.
    Finished {
        /// Which.
        id: StepId,
        /// What it changed; empty: nothing had to be done.
        changes: Vec<Change>,
        /// Its results.
        outputs: Outputs,
        /// How long it took.
        milliseconds: u64,
    },
    /// Terminal answer to Admin.
    Admin(AdminCredentials),
    /// Baseline and snapshot, before reset removes them.
    Keepsake(Keepsake),
    /// Terminal answer to Reset and Verify.
    Reset(ResetReport),
    /// Terminal answer to `MeshListen`.
    MeshListening {
        /// In the order asked.
        listeners: Vec<Listener>,
    },
    /// Terminal answer to `MeshProbe`.
    MeshProbed {
        /// In the order asked.
        answers: Vec<Answer>,
    },
    /// Terminal answer to `MeshClose`.
    MeshClosed {
        /// Whoever came, each once.
        heard: Vec<Heard>,
        /// Ports that the agent had not opened, looked at once more: what served them may have stopped meanwhile.
        served: Vec<Listener>,
    },
    /// Terminal: the request is done.
    Done,
    /// Terminal: it failed.
    Failed(Failure),
}

impl Body {
    /// Whether the request has ended with this event.
    pub fn is_terminal(&self) -> bool {
        matches!(
            self,
            Self::Welcome(_)
                | Self::Facts(_)
                | Self::Blobs { .. }
                | Self::Admin(_)
                | Self::Reset(_)
                | Self::MeshListening { .. }
                | Self::MeshProbed { .. }
                | Self::MeshClosed { .. }
                | Self::Done
                | Self::Failed(_)
        )
    }
}

/// The agent introduces itself.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Welcome {
    /// SHA-256 of `/proc/self/exe`.
    pub agent: Digest,
    /// The step an earlier connection of this run left running, which goes on.
    pub running: Option<StepId>,
    /// Which executor answers: another one than before knows nothing of what was queued.
    pub executor: String,
}

/// Why a request failed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Failure {
    /// The step at fault, if it was one.
    pub step: Option<StepId>,
    /// What kind of failure.
    pub kind: FailureKind,
    /// What happened: one sentence with path or command.
    pub message: String,
    /// Its causes, outermost first; may hold the end of a command's output.
    pub causes: Vec<String>,
    /// What the user can do.
    pub help: Option<String>,
}

/// Kinds the client acts on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum FailureKind {
    /// Another run holds the host.
    Held,
    /// A step failed; a re-run is safe.
    Step,
    /// It needs a person (exit 5).
    NeedsPerson,
    /// The request makes no sense here, or is unknown.
    Refused,
    /// The queue was cancelled.
    Cancelled,
}

/// The `admin.conf` of a control plane, taken apart. Kept in memory only.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct AdminCredentials {
    /// PEM of the cluster's CA.
    pub certificate_authority: String,
    /// PEM of the client certificate.
    pub certificate: String,
    /// PEM of its key.
    pub key: Secret,
}
