//! Byte streams to services on a host.

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::sync::OwnedSemaphorePermit;

use super::{Session, SessionError};
use crate::ssh::Stream;

/// A byte stream to a service as the host sees it.
#[derive(Debug)]
pub struct Pipe {
    stream: Stream,
    _permit: OwnedSemaphorePermit,
}

impl Session {
    /// A byte stream to `address` (`127.0.0.1:6443`: an IP and a port; `unix:/run/a.sock`: a socket) on the host: one more channel of the same
    /// connection. At most four at a time; the fifth waits.
    pub async fn pipe(&self, address: &str) -> Result<Pipe, SessionError> {
        let permits = self.pipes().clone();
        let permit = permits.acquire_owned().await.expect("nobody closes the semaphore");
        let link = self.waiting().link().await?;
        let opened = link.program.start(link.connection.as_ref(), &["pipe", address]).await;
        let stream = opened
            .map_err(|source| SessionError::Pipe { address: address.to_owned(), source: Arc::new(source) })?;
        Ok(Pipe { stream, _permit: permit })
    }
}

impl Pipe {
    /// What the host's end of the pipe wrote to standard error: why the service could not be reached.
    pub fn stderr(&self) -> String {
        self.stream.ending().stderr()
    }
}

impl AsyncRead for Pipe {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_read(context, buffer)
    }
}

impl AsyncWrite for Pipe {
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
