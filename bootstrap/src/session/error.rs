//! Why a conversation with an agent failed.

use std::path::PathBuf;
use std::sync::Arc;

use garboard_protocol::Digest;
use garboard_protocol::event::{Failure, FailureKind};
use garboard_protocol::limits::SILENCE;

use crate::problem::{Exit, Problem};

/// Why a conversation with an agent failed. The text names no host; [`SessionError::problem`] adds it.
#[derive(Debug, Clone, thiserror::Error)]
#[non_exhaustive]
pub enum SessionError {
    /// Another run holds the host.
    #[error("{}", failure.message)]
    Held {
        /// From the agent: who, since when.
        failure: Failure,
    },
    /// Nothing came for too long.
    #[error("the host has been silent for {} s", SILENCE.as_secs())]
    Silent,
    /// The stream ended.
    #[error("the connection to the agent ended ({status}){}", after_colon(.stderr))]
    Closed {
        /// How the command on the host ended.
        status: String,
        /// The end of what it wrote to standard error.
        stderr: String,
    },
    /// The stream ended, and the host was not had back.
    #[error("{first}; {outcome}")]
    Lost {
        /// How it ended.
        first: Box<SessionError>,
        /// What became of trying again.
        outcome: String,
    },
    /// The stream ended, and the agent with it.
    #[error(
        "{first}; the agent that worked there is gone: the host was started anew, or the agent was ended"
    )]
    Anew {
        /// How it ended.
        first: Box<SessionError>,
    },
    /// It was given up for a new one.
    #[error("the connection was given up for a new one")]
    Renewed,
    /// What arrives is no conversation of ours.
    #[error("the agent's answer makes no sense: {cause}")]
    Protocol {
        /// What is wrong with it.
        cause: String,
    },
    /// Another agent than the one that was started answers.
    #[error("another agent answers: expected {expected}, found {found}")]
    WrongAgent {
        /// As started.
        expected: Digest,
        /// As answering.
        found: Digest,
    },
    /// The agent did not do it and says why.
    #[error("{}", .0.message)]
    AgentFailed(Failure),
    /// A blob arrived whole but different.
    #[error("a blob arrived damaged: expected {digest}, found {found}; it was thrown away")]
    BlobRefused {
        /// As announced.
        digest: Digest,
        /// As arrived.
        found: Digest,
    },
    /// A blob on this machine cannot be read, or has another size than announced.
    #[error("cannot send `{}`", path.display())]
    BlobUnreadable {
        /// The file.
        path: PathBuf,
        /// Why.
        source: Arc<std::io::Error>,
    },
    /// A further channel could not be opened.
    #[error("cannot reach `{address}` on the host")]
    Pipe {
        /// Where the channel was to lead.
        address: String,
        /// From the transport, or from sudo.
        source: Arc<crate::deploy::DeployError>,
    },
}

impl SessionError {
    /// What a command that meets it ends with.
    pub fn exit(&self) -> Exit {
        match self {
            Self::AgentFailed(Failure { kind: FailureKind::NeedsPerson, .. }) => Exit::NeedsPerson,
            Self::Held { .. } => Exit::Refused,
            _ => Exit::Failed,
        }
    }

    /// What the user can do.
    pub fn help(&self) -> Option<String> {
        Some(match self {
            Self::Held { failure } | Self::AgentFailed(failure) => return failure.help.clone(),
            Self::Silent | Self::Lost { .. } | Self::Renewed => {
                "see the network and the host's power; what runs there goes on, and a re-run takes it over".to_owned()
            }
            Self::Closed { .. } => {
                "what runs there goes on, and a re-run takes it over; `journalctl -u 'garboard-*'` on the host shows what the agent said"
                    .to_owned()
            }
            Self::Anew { .. } => {
                "run again: it goes on from what is there; the host's own journal says why it or the agent ended"
                    .to_owned()
            }
            Self::Protocol { .. } | Self::WrongAgent { .. } => {
                "end the other agent on the host: `systemctl stop 'garboard-*'`, then run again".to_owned()
            }
            Self::BlobRefused { .. } => {
                "run again: what is in the cache is checked and fetched anew if it is damaged".to_owned()
            }
            Self::BlobUnreadable { .. } => "run again: what is missing in the cache is fetched anew".to_owned(),
            Self::Pipe { source, .. } => return source.help(),
        })
    }

    /// Whether only the connection is lost: the agent goes on, and may be reached again.
    pub fn is_loss(&self) -> bool {
        matches!(self, Self::Silent | Self::Closed { .. } | Self::Renewed)
    }

    /// The whole story, for `host` of the inventory.
    pub fn problem(&self, host: &str) -> Problem {
        let mut problem = Problem::from_error(self.exit(), self).host(host);
        if let Self::Held { failure } | Self::AgentFailed(failure) = self {
            problem.step = failure.step.as_ref().map(ToString::to_string);
            problem.causes.extend(failure.causes.iter().cloned());
        }
        problem.help = self.help();
        problem
    }
}

fn after_colon(text: &str) -> String {
    if text.is_empty() { String::new() } else { format!(": {text}") }
}
