//! Sending the agent to a host.

use tokio::io::AsyncWriteExt as _;
use tokio::time::timeout;

use super::reply::{self, Answers};
use super::root::{self, SudoPassword};
use super::{Agent, DeployError, StoreCause};
use crate::ssh::{Connection, Stream};

const SCRIPT: &str = include_str!("push.sh");
const PIECE_BYTES: usize = 32 * 1024;

/// Why the agent is not there.
pub(super) enum NotStored {
    /// Something else arrived; this is its digest, hex.
    Damaged(String),
    Failed(DeployError),
}

impl From<DeployError> for NotStored {
    fn from(error: DeployError) -> Self {
        Self::Failed(error)
    }
}

/// Sends the agent; returns once it is on the host under its own name, verified there.
pub(super) async fn push(
    connection: &dyn Connection,
    sudo: SudoPassword<'_>,
    folder: &str,
    agent: &Agent,
    progress: &(dyn Fn(u64, u64) + Send + Sync),
) -> Result<(), NotStored> {
    let digest = agent.digest.hex();
    let doing = "storing the agent";
    let opened = root::open(connection, sudo, SCRIPT, &[folder, &digest], doing).await?;
    let (mut stream, mut answer) = (opened.stream, opened.answer);
    if answer.as_deref() == Some("send") {
        let sent = send(&mut stream, connection.login(), &agent.bytes, progress).await;
        // A script that gives up early closes its input: why is in its answer, not in the failed write.
        if let Err(error @ DeployError::Stalled { .. }) = sent {
            return Err(error.into());
        }
        answer = Answers::new(connection.login(), doing).next(&mut stream).await?;
    }
    let (status, stderr) = reply::end(stream).await;
    let answer = answer.unwrap_or_default();
    let store = |cause| DeployError::Store { folder: folder.to_owned(), cause };
    Err(match answer.split_whitespace().collect::<Vec<_>>().as_slice() {
        ["stored"] => return Ok(()),
        ["failed", "digest", found] => NotStored::Damaged((*found).to_owned()),
        ["failed", "execute"] => store(StoreCause::NoExecute).into(),
        ["failed", "sha256sum"] => store(StoreCause::NoChecksum).into(),
        ["failed", ..] => store(StoreCause::of(&stderr)).into(),
        _ => DeployError::Shell { login: connection.login().to_owned(), status, said: stderr }.into(),
    })
}

/// Writes all bytes. A peer that takes none for a while is given up: the SSH library would wait for ever.
async fn send(
    stream: &mut Stream,
    login: &str,
    bytes: &[u8],
    progress: &(dyn Fn(u64, u64) + Send + Sync),
) -> Result<(), DeployError> {
    let stalled = || DeployError::Stalled {
        login: login.to_owned(),
        seconds: reply::PATIENCE.as_secs(),
        doing: "receiving the agent",
    };
    let mut ending = stream.ending();
    let total = bytes.len() as u64;
    let mut sent = 0;
    for piece in bytes.chunks(PIECE_BYTES) {
        let written = tokio::select! {
            written = timeout(reply::PATIENCE, stream.write_all(piece)) => written.map_err(|_| stalled())?,
            _ = ending.wait() => return Ok(()),
        };
        if written.is_err() {
            return Ok(());
        }
        sent += piece.len() as u64;
        progress(sent, total);
    }
    // A write or shutdown that fails means the script has ended; its answer tells why.
    let _ = timeout(reply::PATIENCE, stream.shutdown()).await.map_err(|_| stalled())?;
    Ok(())
}
