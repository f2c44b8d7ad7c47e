//! The conversation with the running service, over its socket: one line of JSON there, one back (`docs/ddns.md`).

use std::io;
use std::time::Duration;

use serde::Serialize;
use tokio::io::{
    AsyncBufReadExt as _, AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _, BufReader,
};
use tokio::time::timeout;

use super::Report;

/// The service asks every source and sends an update a name before it answers; it gives up after three minutes itself.
const ANSWER: Duration = Duration::from_mins(4);
/// A report holds a few hundred bytes a name.
const LONGEST: u64 = 1024 * 1024;

/// What the service is asked for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(tag = "command", rename_all = "snake_case")]
pub enum Command {
    /// Where every name stands; nobody is asked for it.
    Status,
    /// Look now.
    Update,
    /// Try again what waits for a person, then look.
    Resume {
        /// This name alone.
        #[serde(skip_serializing_if = "Option::is_none")]
        name: Option<String>,
    },
}

/// Why the service cannot be spoken with.
#[derive(Debug, thiserror::Error)]
pub enum ControlError {
    /// The stream broke, or never came to be.
    #[error("the stream ended without an answer")]
    Stream(#[from] io::Error),
    /// Nothing came in time.
    #[error("no answer for {} s", ANSWER.as_secs())]
    Silent,
    /// It said something else than it should.
    #[error("the answer is none of this version's service: {0}")]
    Answer(String),
}

/// Asks, and waits for what it says.
///
/// # Errors
/// See [`ControlError`].
pub async fn ask<S: AsyncRead + AsyncWrite + Unpin>(
    stream: &mut S,
    command: &Command,
) -> Result<Report, ControlError> {
    let mut question = serde_json::to_vec(command).map_err(io::Error::other)?;
    question.push(b'\n');
    let line = timeout(ANSWER, async {
        stream.write_all(&question).await?;
        stream.flush().await?;
        let mut line = String::new();
        BufReader::new(stream.take(LONGEST)).read_line(&mut line).await?;
        Ok::<_, io::Error>(line)
    });
    let line = line.await.map_err(|_| ControlError::Silent)??;
    if line.is_empty() {
        return Err(io::Error::from(io::ErrorKind::UnexpectedEof).into());
    }
    Report::read(&line).map_err(|error| ControlError::Answer(error.to_string()))
}

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncBufReadExt as _, AsyncWriteExt as _, BufReader};

    use super::{Command, ControlError, ask};

    async fn conversation(
        command: Command,
        answer: &'static str,
    ) -> (String, Result<super::Report, ControlError>) {
        let (mut ours, theirs) = tokio::io::duplex(4096);
        let service = tokio::spawn(async move {
            let mut stream = BufReader::new(theirs);
            let mut line = String::new();
            stream.read_line(&mut line).await.unwrap();
            stream.write_all(answer.as_bytes()).await.unwrap();
            line
        });
        let answer = ask(&mut ours, &command).await;
        (service.await.unwrap(), answer)
    }

    #[tokio::test]
    async fn a_command_is_a_line_and_so_is_the_answer() {
        let nothing = "{\"running\":true,\"outside\":null,\"names\":[]}\n";
        let (asked, answer) = conversation(Command::Status, nothing).await;
        assert_eq!(asked, "{\"command\":\"status\"}\n");
        assert!(answer.unwrap().names.is_empty());
        let name = Some("home.example.org".to_owned());
        let (asked, _) = conversation(Command::Resume { name }, nothing).await;
        assert_eq!(asked, "{\"command\":\"resume\",\"name\":\"home.example.org\"}\n");
        let (asked, answer) = conversation(Command::Resume { name: None }, "{\"names\":7}\n").await;
        assert_eq!(asked, "{\"command\":\"resume\"}\n");
        assert!(matches!(answer, Err(ControlError::Answer(_))));
        let (_, answer) = conversation(Command::Update, "").await;
        assert!(matches!(answer, Err(ControlError::Stream(_))));
    }
}
