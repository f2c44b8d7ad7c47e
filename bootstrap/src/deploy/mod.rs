//! From a login to a running agent: root, the right agent for the machine, the agent started.
//!
//! One channel when the agent is there already, three when it has to be sent. Whatever was sent is verified on the
//! host before it is executed, at every login.

mod command_line;
mod error;
mod push;
mod reply;
mod root;
mod sudo;

use bytes::Bytes;
use garboard_protocol::Digest;

pub use command_line::command_line;
pub use error::{DeployError, StoreCause};
pub use root::SudoPassword;
pub use sudo::SudoFault;

use crate::ssh::{Connection, Stream};
use push::NotStored;
use root::Root;

/// Where agents live on hosts.
pub const FOLDER: &str = "/var/lib/garboard";

const LOG_IN: &str = include_str!("log_in.sh");
/// Says that it is there before it becomes the agent: what is sent earlier might be taken for a password.
const PIPE: &str = include_str!("pipe.sh");

/// An agent program.
#[derive(Debug, Clone)]
pub struct Agent {
    /// The kind of machine it runs on, as `uname -m` says it: `x86_64`, `aarch64`.
    pub machine: &'static str,
    /// Of `bytes`.
    pub digest: Digest,
    /// The program.
    pub bytes: Bytes,
}

impl Agent {
    /// An agent for a kind of machine; computes the digest.
    pub fn new(machine: &'static str, bytes: impl Into<Bytes>) -> Self {
        let bytes = bytes.into();
        Self { machine, digest: Digest::of(&bytes), bytes }
    }
}

/// Who logs in and with which agents at hand.
#[derive(Debug, Clone)]
pub struct Login<'a> {
    /// At most one a kind of machine.
    pub agents: &'a [Agent],
    /// Where agents live; [`FOLDER`] but in tests.
    pub folder: &'a str,
    /// Name of the run.
    pub run: &'a str,
    /// Who: `user@laptop`.
    pub owner: &'a str,
    /// For a login that is not root.
    pub sudo: SudoPassword<'a>,
}

/// An agent at work.
#[derive(Debug)]
pub struct Deployed {
    /// To the agent's `connect`: from the first byte on, frames.
    pub stream: Stream,
    /// Which agent.
    pub agent: Digest,
    /// As `uname -m` says it.
    pub machine: String,
    /// Bytes of agent that had to be sent.
    pub pushed: u64,
    program: Program,
}

/// How to start an agent once more, beside the one at work.
#[derive(Debug, Clone)]
pub struct Program {
    path: String,
    root: Root,
}

impl Program {
    /// An agent that a login which is root starts by its path.
    pub fn of_root(path: impl Into<String>) -> Self {
        Self { path: path.into(), root: Root::Login }
    }

    /// Starts it with these arguments, as root. What is written to the stream reaches nobody but the agent.
    pub async fn start(
        &self,
        connection: &dyn Connection,
        arguments: &[&str],
    ) -> Result<Stream, DeployError> {
        let words = [&[self.path.as_str()], arguments].concat();
        if self.root == Root::Login {
            return Ok(connection.open(&command_line(words)).await?);
        }
        let opened = self.root.open(connection, PIPE, &words, "starting the agent once more").await?;
        match opened.answer.as_deref() {
            Some("open") => Ok(opened.stream),
            _ => Err(no_shell(connection, opened.stream).await),
        }
    }
}

impl Deployed {
    /// An agent that was started by other means.
    pub fn new(stream: Stream, agent: Digest, machine: impl Into<String>, program: Program) -> Self {
        Self { stream, agent, machine: machine.into(), pushed: 0, program }
    }

    /// How to start this agent once more.
    pub fn program(&self) -> &Program {
        &self.program
    }
}

/// Starts the agent, after sending it if it is not there. `progress` gets bytes sent and bytes in all.
pub async fn deploy(
    connection: &dyn Connection,
    login: &Login<'_>,
    progress: &(dyn Fn(u64, u64) + Send + Sync),
) -> Result<Deployed, DeployError> {
    let (mut pushed, mut damaged) = (0, None);
    loop {
        let machine = match log_in(connection, login).await? {
            Answer::Ready { stream, machine, root } => {
                let agent = agent_for(login, &machine)?.digest;
                let path = format!("{}/agent-{}", login.folder, agent.hex());
                let program = Program { path, root };
                return Ok(Deployed { pushed, ..Deployed::new(stream, agent, machine, program) });
            }
            Answer::Absent { machine } => machine,
        };
        tracing::debug!(login = connection.login(), machine, "the agent is not there");
        let agent = agent_for(login, &machine)?;
        let (expected, folder) = (agent.digest, login.folder.to_owned());
        match (push::push(connection, login.sudo, login.folder, agent, progress).await, &damaged) {
            // It is not there though it was stored a moment ago.
            (Ok(()), _) if pushed > 0 => return Err(DeployError::Vanished { folder }),
            (Ok(()), _) => pushed = agent.bytes.len() as u64,
            (Err(NotStored::Damaged(found)), None) => damaged = Some(found),
            (Err(NotStored::Damaged(found)), Some(_)) => {
                return Err(DeployError::Damaged { expected, found });
            }
            (Err(NotStored::Failed(error)), _) => return Err(error),
        }
    }
}

enum Answer {
    Ready { stream: Stream, machine: String, root: Root },
    Absent { machine: String },
}

async fn log_in(connection: &dyn Connection, login: &Login<'_>) -> Result<Answer, DeployError> {
    let agents: Vec<_> =
        login.agents.iter().map(|agent| format!("{}={}", agent.machine, agent.digest.hex())).collect();
    let arguments = [login.folder, &agents.join(" "), login.run, login.owner];
    let opened = root::open(connection, login.sudo, LOG_IN, &arguments, "logging in").await?;
    let answer = opened.answer.unwrap_or_default();
    let root = |by: &str| if by == "sudo" { Root::Sudo(opened.password.clone()) } else { Root::Login };
    match answer.split_ascii_whitespace().collect::<Vec<_>>().as_slice() {
        ["ready", by, machine] => {
            Ok(Answer::Ready { machine: (*machine).to_owned(), root: root(by), stream: opened.stream })
        }
        ["absent", _, machine] => Ok(Answer::Absent { machine: (*machine).to_owned() }),
        ["recorded", settings @ ..] => Err(DeployError::Sudo {
            login: connection.login().to_owned(),
            fault: SudoFault::Records(settings.join("`, `")),
        }),
        _ => Err(no_shell(connection, opened.stream).await),
    }
}

async fn no_shell(connection: &dyn Connection, stream: Stream) -> DeployError {
    let (status, said) = reply::end(stream).await;
    DeployError::Shell { login: connection.login().to_owned(), status, said }
}

fn agent_for<'a>(login: &Login<'a>, machine: &str) -> Result<&'a Agent, DeployError> {
    login.agents.iter().find(|agent| agent.machine == machine).ok_or_else(|| DeployError::Architecture {
        machine: machine.to_owned(),
        supported: login.agents.iter().map(|agent| agent.machine).collect::<Vec<_>>().join(", "),
    })
}
