//! Root on a host: the login itself, or `sudo`, whose password goes over its standard input and nowhere else.
//!
//! `sudo -k -S -p PROMPT`: a ticket of an earlier login is never relied on, the password is read from standard input,
//! and the prompt is one that nothing else prints. It is answered once. What the command on the host is to read is
//! written only after the script has answered, which it does once sudo is through: sudo-rs reads ahead, and would take
//! it for more of the password.

use garboard_inventory::{Secret, SecretReference};
use tokio::io::AsyncWriteExt as _;
use tokio::time::timeout;

use super::DeployError;
use super::command_line::as_root;
use super::reply::{self, Answers};
use super::sudo::SudoFault;
use crate::secrets::Secrets;
use crate::ssh::{Connection, Stream};

/// Where the password of `sudo` comes from, should it ask for one.
#[derive(Debug, Clone, Copy)]
pub struct SudoPassword<'a> {
    /// The secrets of the run.
    pub secrets: &'a Secrets,
    /// What the inventory says.
    pub reference: Option<&'a SecretReference>,
}

/// How the login became root, to do it again on a further channel.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Root {
    /// It is root.
    Login,
    /// By `sudo`, which asked for this password if there is one.
    Sudo(Option<Secret>),
}

/// A script at work as root.
pub(super) struct Opened {
    pub(super) stream: Stream,
    /// Its first answer; none if it ended without one.
    pub(super) answer: Option<String>,
    /// The password sudo asked for.
    pub(super) password: Option<Secret>,
}

/// What is to be said to sudo when it asks.
enum Reply<'a> {
    Known(&'a Secret),
    Wanted(SudoPassword<'a>),
}

/// Starts a script as root and waits for its first answer.
pub(super) async fn open(
    connection: &dyn Connection,
    password: SudoPassword<'_>,
    script: &str,
    arguments: &[&str],
    doing: &'static str,
) -> Result<Opened, DeployError> {
    begin(connection, Reply::Wanted(password), script, arguments, doing).await
}

impl Root {
    /// Starts a script in the way that is known to lead to root, and waits for its first answer.
    pub(super) async fn open(
        &self,
        connection: &dyn Connection,
        script: &str,
        arguments: &[&str],
        doing: &'static str,
    ) -> Result<Opened, DeployError> {
        let nobody = Secrets::default();
        let reply = match self {
            Self::Sudo(Some(password)) => Reply::Known(password),
            _ => Reply::Wanted(SudoPassword { secrets: &nobody, reference: None }),
        };
        begin(connection, reply, script, arguments, doing).await
    }
}

async fn begin(
    connection: &dyn Connection,
    reply: Reply<'_>,
    script: &str,
    arguments: &[&str],
    doing: &'static str,
) -> Result<Opened, DeployError> {
    let answerable = match &reply {
        Reply::Known(_) => true,
        Reply::Wanted(password) => password.secrets.can_have(password.reference),
    };
    // Nobody could answer: sudo is told not to ask.
    let prompt = if answerable { prompt()? } else { String::new() };
    let login = connection.login();
    let mut stream = connection.open(&as_root(&prompt, script, arguments)).await?;
    let (mut ending, mut answers) = (stream.ending(), Answers::new(login, doing));
    let (mut listening, mut password) = (answerable, None);
    let answer = loop {
        tokio::select! {
            answer = answers.next(&mut stream) => break answer?,
            more = ending.more_stderr(), if listening => listening = more,
        }
        let said = ending.stderr();
        if password.is_none() && listening && said.contains(&prompt) {
            let secret = match &reply {
                Reply::Known(secret) => (*secret).clone(),
                Reply::Wanted(password) => fetch(*password, login).await?,
            };
            tell(&mut stream, &secret, login).await?;
            password = Some(secret);
        }
        // Dropped with an error, the stream ends sudo's input: it gets no second answer.
        if password.is_some()
            && let Some(fault) = SudoFault::after_answer(&said, &prompt)
        {
            return Err(DeployError::Sudo { login: login.to_owned(), fault });
        }
    };
    if answer.as_deref() == Some("sudo-absent") {
        return Err(DeployError::Sudo { login: login.to_owned(), fault: SudoFault::Absent });
    }
    if answer.is_none() {
        return Err(without_answer(stream, login, &prompt).await);
    }
    Ok(Opened { stream, answer, password })
}

/// A script that ended, or never began, without a word: whose fault it was is in what was written to standard error.
async fn without_answer(stream: Stream, login: &str, prompt: &str) -> DeployError {
    let (status, said) = reply::end(stream).await;
    let login = login.to_owned();
    let said = if prompt.is_empty() { said } else { said.replace(prompt, "") };
    match SudoFault::of(&said) {
        Some(fault) => DeployError::Sudo { login, fault },
        None => DeployError::Shell { login, status, said },
    }
}

async fn fetch(password: SudoPassword<'_>, login: &str) -> Result<Secret, DeployError> {
    // One question for all hosts of a login.
    let user = login.split('@').next().unwrap_or(login);
    let question = format!("sudo password of `{user}` on the hosts");
    let got = password.secrets.get(password.reference, &question).await;
    got.map_err(|source| DeployError::SudoSecret { login: login.to_owned(), source })
}

async fn tell(stream: &mut Stream, secret: &Secret, login: &str) -> Result<(), DeployError> {
    let line = zeroize::Zeroizing::new(format!("{}\n", secret.expose()));
    let stalled = |_| DeployError::Stalled {
        login: login.to_owned(),
        seconds: reply::PATIENCE.as_secs(),
        doing: "sudo was to read its password",
    };
    // A write that fails means that sudo has ended; what it said tells why.
    let _ = timeout(reply::PATIENCE, stream.write_all(line.as_bytes())).await.map_err(stalled)?;
    let _ = timeout(reply::PATIENCE, stream.flush()).await.map_err(stalled)?;
    Ok(())
}

/// A prompt that nothing prints by accident, without the `%` that sudo would expand.
fn prompt() -> Result<String, DeployError> {
    let number =
        getrandom::u64().map_err(|error| DeployError::Random { source: std::io::Error::other(error) })?;
    Ok(format!("garboard-{number:016x}"))
}
