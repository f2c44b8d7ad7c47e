//! What the running service is told: a socket in its runtime folder, one JSON line there, one back. Who may write to the
//! socket is the kernel's business: root, and the service's own user.

use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::Context as _;
use serde::{Deserialize, Serialize};
use tokio::io::{AsyncBufReadExt as _, AsyncReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::net::{UnixListener, UnixStream};
use tokio::sync::{mpsc, oneshot};
use tokio::time::timeout;

use crate::report::Report;

/// A line that is longer is none of ours.
const LARGEST: u64 = 64 * 1024;
/// Who connects says what he wants at once.
const PATIENCE: Duration = Duration::from_secs(5);
/// A check asks every source and sends one update a name.
const ANSWER: Duration = Duration::from_mins(3);

/// What can be asked for. `Status` is answered from what is written down, at once; the others once the service has looked.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "command", rename_all = "snake_case", deny_unknown_fields)]
pub enum Command {
    /// Say where every name stands.
    Status,
    /// Look now.
    Update,
    /// Try names again that wait for a person; then look.
    Resume {
        /// One of them, or all.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        name: Option<String>,
    },
}

/// Where the answer goes.
pub(super) type Reply = oneshot::Sender<Report>;

/// The path of the socket.
pub fn socket(runtime: &Path) -> PathBuf {
    runtime.join("control.sock")
}

/// Listens; commands come out of the receiver one by one.
pub(super) fn listen(runtime: &Path, state: &Path) -> anyhow::Result<mpsc::Receiver<(Command, Reply)>> {
    let path = socket(runtime);
    // Left by a process that was killed; whoever holds the state's lock owns the name.
    match fs_err::remove_file(&path) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => return Err(error.into()),
        _ => {}
    }
    let listener =
        UnixListener::bind(&path).with_context(|| format!("cannot listen at `{}`", path.display()))?;
    fs_err::set_permissions(&path, std::fs::Permissions::from_mode(0o600))?;
    let (sender, receiver) = mpsc::channel(4);
    let state = state.to_owned();
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            tokio::spawn(serve(stream, sender.clone(), state.clone()));
        }
    });
    Ok(receiver)
}

async fn serve(stream: UnixStream, commands: mpsc::Sender<(Command, Reply)>, state: PathBuf) -> Option<()> {
    let (read, mut write) = stream.into_split();
    let mut line = String::new();
    timeout(PATIENCE, BufReader::new(read.take(LARGEST)).read_line(&mut line)).await.ok()?.ok()?;
    let command = serde_json::from_str(&line).ok()?;
    let report = if command == Command::Status {
        Report::new(&crate::state::read(&state).ok()?.unwrap_or_default(), true)
    } else {
        let (reply, answer) = oneshot::channel();
        commands.send((command, reply)).await.ok()?;
        answer.await.ok()?
    };
    let text = serde_json::to_string(&report).ok()? + "\n";
    write.write_all(text.as_bytes()).await.ok()
}

/// Tells the running service, and waits for what it says.
///
/// # Errors
/// It does not run, may not be told by this user, or did not answer.
pub async fn ask(runtime: &Path, command: &Command) -> anyhow::Result<Report> {
    let path = socket(runtime);
    let mut stream = UnixStream::connect(&path).await.map_err(|error| match error.kind() {
        std::io::ErrorKind::PermissionDenied => {
            anyhow::anyhow!("`{}` is for root and the service alone; say `sudo` before it", path.display())
        }
        _ => anyhow::anyhow!(
            "the service does not run: nobody listens at `{}` ({error}); `systemctl start garboard-ddns`",
            path.display()
        ),
    })?;
    let text = serde_json::to_string(command)? + "\n";
    stream.write_all(text.as_bytes()).await?;
    let mut line = String::new();
    let answer = timeout(ANSWER, BufReader::new(stream).read_line(&mut line)).await;
    match answer {
        Ok(Ok(length)) if length > 0 => Ok(serde_json::from_str(&line)?),
        Ok(Ok(_)) => anyhow::bail!("the service ended, or did not understand this version's command"),
        Ok(Err(error)) => Err(error.into()),
        Err(_) => anyhow::bail!(
            "the service did not answer within {} s; see `journalctl -u garboard-ddns`",
            ANSWER.as_secs()
        ),
    }
}
