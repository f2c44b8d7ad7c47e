//! Why no agent runs on a host.

use garboard_protocol::Digest;

use super::sudo::SudoFault;
use crate::problem::{Exit, Problem};
use crate::secrets::SecretFault;
use crate::ssh::SshError;

/// Why no agent runs on a host.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum DeployError {
    /// From the transport.
    #[error(transparent)]
    Ssh(#[from] SshError),
    /// The login is not root, and sudo does not make it root.
    #[error("{}", fault.text(login))]
    Sudo {
        /// Who logged in where.
        login: String,
        /// Why.
        fault: SudoFault,
    },
    /// sudo asks for a password, which cannot be had.
    #[error("cannot get the password that `sudo` of `{login}` asks for")]
    SudoSecret {
        /// Who logged in where.
        login: String,
        /// Why.
        source: SecretFault,
    },
    /// This machine gives no random numbers.
    #[error("this machine gives no random numbers")]
    Random {
        /// Why.
        source: std::io::Error,
    },
    /// The login's shell did not do what it was told.
    #[error("`{login}` gives no usable shell ({status}){}", after_colon(.said))]
    Shell {
        /// Who logged in where.
        login: String,
        /// How the command ended.
        status: String,
        /// What it wrote.
        said: String,
    },
    /// There is no agent for this kind of machine.
    #[error("the machine is a `{machine}`, which this version has no agent for ({supported})")]
    Architecture {
        /// From `uname -m`.
        machine: String,
        /// What there is: `x86_64`, ….
        supported: String,
    },
    /// The agent cannot be stored.
    #[error("`{folder}` cannot take the agent: {cause}")]
    Store {
        /// The agent's folder.
        folder: String,
        /// Why.
        cause: StoreCause,
    },
    /// What arrived is not what was sent, twice.
    #[error(
        "the agent arrived damaged twice: expected {expected}, found sha256:{found}; it was removed and not run"
    )]
    Damaged {
        /// As sent.
        expected: Digest,
        /// As found on the host, hex.
        found: String,
    },
    /// The agent is there and right, and still the login does not find it.
    #[error("the agent was stored in `{folder}` and is not there any more")]
    Vanished {
        /// The agent's folder.
        folder: String,
    },
    /// Nothing moves any more.
    #[error("`{login}` took nothing and said nothing for {seconds} s while {doing}")]
    Stalled {
        /// Who logged in where.
        login: String,
        /// The limit.
        seconds: u64,
        /// What was going on.
        doing: &'static str,
    },
}

/// Why a folder cannot take the agent.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum StoreCause {
    /// `ENOSPC`, `EDQUOT`.
    #[error("no space is left")]
    NoSpace,
    /// `EROFS`.
    #[error("its file system is read-only")]
    ReadOnly,
    /// Mounted with `noexec`.
    #[error("its file system executes no programs (`noexec`)")]
    NoExecute,
    /// A tool of the OS is missing.
    #[error("`sha256sum` is not installed")]
    NoChecksum,
    /// In the host's own words.
    #[error("{0}")]
    Other(String),
}

impl StoreCause {
    /// From what the commands on the host wrote to standard error, in the C locale.
    pub(super) fn of(stderr: &str) -> Self {
        if stderr.contains("No space left on device") || stderr.contains("Disk quota exceeded") {
            Self::NoSpace
        } else if stderr.contains("Read-only file system") {
            Self::ReadOnly
        } else if stderr.is_empty() {
            Self::Other("the host does not say why".to_owned())
        } else {
            Self::Other(stderr.split_whitespace().collect::<Vec<_>>().join(" "))
        }
    }
}

impl DeployError {
    /// What a command that meets it ends with. Nothing was changed when the login or the machine is not fit.
    pub fn exit(&self) -> Exit {
        match self {
            Self::Ssh(error) => error.exit(),
            Self::Sudo { .. } | Self::Architecture { .. } | Self::Store { .. } => Exit::Refused,
            Self::SudoSecret { .. }
            | Self::Random { .. }
            | Self::Shell { .. }
            | Self::Damaged { .. }
            | Self::Vanished { .. }
            | Self::Stalled { .. } => Exit::Failed,
        }
    }

    /// What the user can do.
    pub fn help(&self) -> Option<String> {
        Some(match self {
            Self::Ssh(error) => return error.help(),
            Self::Sudo { login, fault } => fault.help(login),
            Self::SudoSecret { .. } => "correct `ssh.sudo.password` in the inventory, or its source".to_owned(),
            Self::Random { .. } => return None,
            Self::Shell { .. } => {
                "give the login a POSIX shell and no forced command, and see what `ssh` shows there".to_owned()
            }
            Self::Architecture { .. } => "64-bit x86 and ARM machines with a 64-bit OS can be used".to_owned(),
            Self::Store { folder, cause } => match cause {
                StoreCause::NoSpace => format!("make room there: `df -h {folder}` shows how much there is"),
                StoreCause::ReadOnly => {
                    "mount it writable; after a power cut a damaged file system is mounted so: see `dmesg`".to_owned()
                }
                StoreCause::NoExecute => format!("mount the file system of `{folder}` with `exec`"),
                StoreCause::NoChecksum => "install `coreutils` there".to_owned(),
                StoreCause::Other(_) => return None,
            },
            Self::Damaged { .. } => {
                "disk or memory of the host may be failing, or somebody changes what is sent: see `dmesg` there".to_owned()
            }
            Self::Vanished { .. } => "see what cleans that folder on the host".to_owned(),
            Self::Stalled { .. } => "see the network and the host's load; a re-run is safe".to_owned(),
        })
    }

    /// The whole story, for `host` of the inventory.
    pub fn problem(&self, host: &str) -> Problem {
        let problem = Problem::from_error(self.exit(), self).host(host);
        match self.help() {
            Some(help) => problem.help(help),
            None => problem,
        }
    }
}

fn after_colon(said: &str) -> String {
    if said.is_empty() { String::new() } else { format!(": {said}") }
}
