//! Streams to the API server, opened on demand: `agent pipe` over SSH, or whatever a test brings.

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use futures::FutureExt as _;
use futures::future::BoxFuture;
use hyper::rt::{Read, ReadBufCursor, Write};
use hyper_util::client::legacy::connect::{Connected, Connection};
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// Connections at a time; sshd's own limit of channels (`MaxSessions 10`) leaves room for the rest of a run.
pub(super) const AT_A_TIME: usize = 4;

/// Bytes both ways.
pub trait ByteStream: AsyncRead + AsyncWrite + Send + Unpin {}
impl<T: AsyncRead + AsyncWrite + Send + Unpin> ByteStream for T {}

/// Opens a stream to a control plane's `127.0.0.1:6443`.
pub type Opener = Arc<dyn Fn() -> BoxFuture<'static, io::Result<Box<dyn ByteStream>>> + Send + Sync>;

/// Connects by opening a stream; where to is the opener's business.
#[derive(Clone)]
pub(super) struct Pipes {
    open: Opener,
    slots: Arc<Semaphore>,
}

impl Pipes {
    pub(super) fn new(open: Opener) -> Self {
        Self { open, slots: Arc::new(Semaphore::new(AT_A_TIME)) }
    }
}

impl tower::Service<http::Uri> for Pipes {
    type Response = Pipe;
    type Error = io::Error;
    type Future = BoxFuture<'static, io::Result<Pipe>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, _: http::Uri) -> Self::Future {
        let Self { open, slots } = self.clone();
        async move {
            let slot = slots.acquire_owned().await.map_err(io::Error::other)?;
            Ok(Pipe { stream: TokioIo::new(open().await?), _slot: slot })
        }
        .boxed()
    }
}

/// A stream that gives its slot back when it is closed.
pub(super) struct Pipe {
    stream: TokioIo<Box<dyn ByteStream>>,
    _slot: OwnedSemaphorePermit,
}

impl Connection for Pipe {
    fn connected(&self) -> Connected {
        Connected::new()
    }
}

impl Read for Pipe {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: ReadBufCursor<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_read(context, buffer)
    }
}

impl Write for Pipe {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write(context, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(context)
    }
}
