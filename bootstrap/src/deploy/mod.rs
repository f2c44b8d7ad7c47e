//! From a login to a running agent: root, the right agent for the machine, the agent started.
//!
//! One channel when the agent is there already, three when it has to be sent. Whatever was sent is verified on the
//! host before it is executed, at every login.

mod command_line;
mod error;
mod push;
mod reply;

use bytes::Bytes;
use garboard_protocol::Digest;

pub use command_line::command_line;
pub use error::{DeployError, StoreCause};

use crate::ssh::{Connection, Stream};
use push::NotStored;

/// Where agents live on hosts.
pub const FOLDER: &str = "/var/lib/garboard";

const LOG_IN: &str = include_str!("log_in.sh");

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
    program: Vec<String>,
}

impl Deployed {
    /// An agent that was started by other means. `program` is how to start it again: its path, after `sudo -n` where
    /// the login is not root.
    pub fn new(stream: Stream, agent: Digest, machine: impl Into<String>, program: Vec<String>) -> Self {
        Self { stream, agent, machine: machine.into(), pushed: 0, program }
    }

    /// A command line that runs this agent with these arguments, as root.
    pub fn command<'a>(&'a self, arguments: impl IntoIterator<Item = &'a str>) -> String {
        command_line(self.program.iter().map(String::as_str).chain(arguments))
    }

    pub(crate) fn program(&self) -> &[String] {
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
        let (machine, sudo) = match log_in(connection, login).await? {
            Answer::Ready { stream, machine, sudo } => {
                let agent = agent_for(login, &machine)?.digest;
                let path = format!("{}/agent-{}", login.folder, agent.hex());
                let program = if sudo { vec!["sudo".to_owned(), "-n".to_owned(), path] } else { vec![path] };
                return Ok(Deployed { pushed, ..Deployed::new(stream, agent, machine, program) });
            }
            Answer::Absent { machine, sudo } => (machine, sudo),
        };
        tracing::debug!(login = connection.login(), machine, sudo, "the agent is not there");
        let agent = agent_for(login, &machine)?;
        let (expected, folder) = (agent.digest, login.folder.to_owned());
        match (push::push(connection, login.folder, agent, progress).await, &damaged) {
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
    Ready { stream: Stream, machine: String, sudo: bool },
    Absent { machine: String, sudo: bool },
}

async fn log_in(connection: &dyn Connection, login: &Login<'_>) -> Result<Answer, DeployError> {
    let agents: Vec<_> =
        login.agents.iter().map(|agent| format!("{}={}", agent.machine, agent.digest.hex())).collect();
    let command = command_line::as_root(LOG_IN, &[login.folder, &agents.join(" "), login.run, login.owner]);
    let mut stream = connection.open(&command).await?;
    let name = connection.login();
    let answer = reply::next(&mut stream, name, "logging in").await?;
    let login = name.to_owned();
    let answer = answer.unwrap_or_default();
    let (word, rest) = answer.split_once(' ').unwrap_or((&answer, ""));
    Err(match (word, rest.split_once(' ')) {
        ("ready", Some((by, machine))) => {
            return Ok(Answer::Ready { machine: machine.to_owned(), sudo: by == "sudo", stream });
        }
        ("absent", Some((by, machine))) => {
            return Ok(Answer::Absent { machine: machine.to_owned(), sudo: by == "sudo" });
        }
        ("sudo-absent", _) => DeployError::SudoAbsent { login },
        ("sudo-refused", _) if rest.contains("password is required") => DeployError::SudoPassword { login },
        ("sudo-refused", _) => DeployError::SudoRefused { login, said: rest.to_owned() },
        _ => {
            let (status, said) = reply::end(stream).await;
            DeployError::Shell { login, status, said }
        }
    })
}

fn agent_for<'a>(login: &Login<'a>, machine: &str) -> Result<&'a Agent, DeployError> {
    login.agents.iter().find(|agent| agent.machine == machine).ok_or_else(|| DeployError::Architecture {
        machine: machine.to_owned(),
        supported: login.agents.iter().map(|agent| agent.machine).collect::<Vec<_>>().join(", "),
    })
}
