//! A byte stream to a command on a host.

use std::fmt;
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};

use garboard_protocol::limits::OUTPUT_BYTES;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::sync::watch;
use tokio_util::sync::{CancellationToken, DropGuard};

/// Standard input and output of a command: what is written goes to the one, what is read comes from the other.
/// Shutting it down closes the command's input; dropping it cuts the command off.
pub struct Stream {
    output: Box<dyn AsyncRead + Send + Unpin>,
    input: Box<dyn AsyncWrite + Send + Unpin>,
    ending: Ending,
    _cut: DropGuard,
}

/// How a command ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ExitStatus {
    /// With this code.
    Code(u32),
    /// By this signal, named as in `SIGTERM`'s `TERM`.
    Signal(String),
    /// The connection went away first; why, where that is known.
    Lost(Option<String>),
}

impl fmt::Display for ExitStatus {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Code(code) => write!(formatter, "exit code {code}"),
            Self::Signal(name) => write!(formatter, "signal {name}"),
            Self::Lost(Some(why)) => write!(formatter, "the connection was lost: {why}"),
            Self::Lost(None) => formatter.write_str("the connection was lost"),
        }
    }
}

/// What is to be known about a command's end; stays valid after the stream is gone.
#[derive(Debug, Clone)]
pub struct Ending {
    stderr: watch::Receiver<Tail>,
    status: watch::Receiver<Option<ExitStatus>>,
}

impl Ending {
    /// Waits for the command to end. Its output must be read, or the stream dropped, for that to happen.
    pub async fn wait(&mut self) -> ExitStatus {
        let status = self.status.wait_for(Option::is_some).await.ok().and_then(|status| status.clone());
        status.unwrap_or(ExitStatus::Lost(None))
    }

    /// What the command has written to its standard error: the end of it, without blanks around it.
    pub fn stderr(&self) -> String {
        self.stderr.borrow().text()
    }

    /// Waits until the command has written more to its standard error than this `Ending` has shown. `false`: it will
    /// write no more. Can be given up at any time without losing anything.
    pub async fn more_stderr(&mut self) -> bool {
        self.stderr.changed().await.is_ok()
    }
}

/// The transport's side of a [`Stream`].
pub(super) struct Backend {
    stderr: watch::Sender<Tail>,
    status: watch::Sender<Option<ExitStatus>>,
    cut: CancellationToken,
}

impl Backend {
    pub(super) fn stderr(&self, bytes: &[u8]) {
        self.stderr.send_modify(|tail| tail.push(bytes));
    }

    /// What was written to standard error so far.
    pub(super) fn said(&self) -> String {
        self.stderr.borrow().text()
    }

    /// The first status counts.
    pub(super) fn ended(&self, status: ExitStatus) {
        self.status.send_if_modified(|known| {
            let first = known.is_none();
            if first {
                *known = Some(status);
            }
            first
        });
    }

    /// Completes when the stream was dropped.
    pub(super) async fn cut(&self) {
        self.cut.cancelled().await;
    }
}

impl Stream {
    pub(super) fn new(
        output: impl AsyncRead + Send + Unpin + 'static,
        input: impl AsyncWrite + Send + Unpin + 'static,
    ) -> (Self, Backend) {
        let (status, seen) = watch::channel(None);
        let (stderr, said) = watch::channel(Tail::default());
        let cut = CancellationToken::new();
        let backend = Backend { stderr, status, cut: cut.clone() };
        let ending = Ending { stderr: said, status: seen };
        let stream =
            Self { output: Box::new(output), input: Box::new(input), ending, _cut: cut.drop_guard() };
        (stream, backend)
    }

    /// Over any byte stream, with no command at its other end; its [`Ending`] is [`ExitStatus::Lost`].
    pub fn over(bytes: impl AsyncRead + AsyncWrite + Send + 'static) -> Self {
        let (output, input) = tokio::io::split(bytes);
        Self::new(output, input).0
    }

    /// How the command ends, to keep while the stream is used up.
    pub fn ending(&self) -> Ending {
        self.ending.clone()
    }
}

impl fmt::Debug for Stream {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Stream").field("ending", &self.ending).finish_non_exhaustive()
    }
}

impl AsyncRead for Stream {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.output).poll_read(context, buffer)
    }
}

impl AsyncWrite for Stream {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.input).poll_write(context, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.input).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.input).poll_shutdown(context)
    }
}

/// The end of an output, of bounded size.
#[derive(Debug, Default)]
pub(super) struct Tail(Vec<u8>);

impl Tail {
    pub(super) fn push(&mut self, bytes: &[u8]) {
        self.0.extend_from_slice(bytes);
        // Cut seldom, so that many small pieces do not each move the whole tail.
        if self.0.len() > 2 * OUTPUT_BYTES {
            self.0.drain(..self.0.len() - OUTPUT_BYTES);
        }
    }

    pub(super) fn text(&self) -> String {
        let start = self.0.len().saturating_sub(OUTPUT_BYTES);
        String::from_utf8_lossy(&self.0[start..]).trim().to_owned()
    }
}
