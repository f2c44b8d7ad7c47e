//! A process of this machine as a [`Stream`].

use std::io;
use std::pin::Pin;
use std::process::Stdio;
use std::task::{Context, Poll};

use nix::sys::signal::{Signal, killpg};
use nix::unistd::Pid;
use tokio::io::{AsyncReadExt as _, AsyncWrite};
use tokio::process::{Child, ChildStderr, ChildStdin, Command};

use super::counted::{Counted, Counters};
use super::stream::{Backend, ExitStatus, Stream};

/// Starts it in a process group of its own. `meaning` has the first word on how it ended; it sees standard error too.
pub(super) fn open(
    mut command: Command,
    counters: &Counters,
    meaning: impl Fn(std::process::ExitStatus, &str) -> Option<ExitStatus> + Send + 'static,
) -> io::Result<Stream> {
    let mut child = command
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .process_group(0)
        .kill_on_drop(true)
        .spawn()?;
    let missing = || io::Error::other("a pipe to the command is missing");
    let input = child.stdin.take().ok_or_else(missing)?;
    let output = child.stdout.take().ok_or_else(missing)?;
    let stderr = child.stderr.take().ok_or_else(missing)?;
    let (stream, backend) = Stream::new(
        Counted::new(output, counters.clone()),
        Counted::new(Input(Some(input)), counters.clone()),
    );
    tokio::spawn(watch(child, stderr, backend, meaning));
    Ok(stream)
}

/// A command's standard input; the command sees its end once this is shut down.
struct Input(Option<ChildStdin>);

impl Input {
    fn open(&mut self) -> io::Result<Pin<&mut ChildStdin>> {
        self.0.as_mut().map(Pin::new).ok_or_else(|| io::ErrorKind::BrokenPipe.into())
    }
}

impl AsyncWrite for Input {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        self.open()?.poll_write(context, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.open()?.poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, _context: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.0 = None;
        Poll::Ready(Ok(()))
    }
}

/// Reads standard error to its end and waits for the command; ends it when its stream was dropped.
async fn watch(
    mut child: Child,
    mut stderr: ChildStderr,
    backend: Backend,
    meaning: impl Fn(std::process::ExitStatus, &str) -> Option<ExitStatus> + Send + 'static,
) {
    use std::os::unix::process::ExitStatusExt as _;
    let group = child.id().and_then(|id| i32::try_from(id).ok()).map(Pid::from_raw);
    let mut buffer = [0_u8; 4096];
    let mut open = true;
    let status = loop {
        tokio::select! {
            count = stderr.read(&mut buffer), if open => match count {
                Ok(count) if count > 0 => backend.stderr(&buffer[..count]),
                _ => open = false,
            },
            status = child.wait(), if !open => break status,
            () = backend.cut() => {
                if let Some(group) = group {
                    // The group is gone already when the command ended by itself.
                    let _ = killpg(group, Signal::SIGKILL);
                }
                break child.wait().await;
            }
        }
    };
    backend.ended(match status {
        Ok(status) => match (meaning(status, &backend.said()), status.code(), status.signal()) {
            (Some(meant), ..) => meant,
            (None, Some(code), _) => ExitStatus::Code(code.unsigned_abs()),
            (None, None, Some(number)) => ExitStatus::Signal(signal_name(number)),
            (None, None, None) => ExitStatus::Lost(None),
        },
        Err(error) => ExitStatus::Lost(Some(error.to_string())),
    });
}

fn signal_name(number: i32) -> String {
    Signal::try_from(number).map_or_else(|_| number.to_string(), |signal| signal.as_str()[3..].to_owned())
}
