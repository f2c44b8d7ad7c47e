//! Sending blobs.

use std::io;
use std::path::Path;
use std::sync::Arc;

use bytes::{Bytes, BytesMut};
use garboard_protocol::codec::Chunk;
use garboard_protocol::limits::CHUNK_BYTES;
use garboard_protocol::step::Blob;
use tokio::fs::File;
use tokio::io::{AsyncReadExt as _, AsyncSeekExt as _};

use super::link::Link;
use super::{Session, SessionError};

impl Session {
    /// Sends the bytes of a blob from `offset` on, out of a file on this machine, and waits until the agent has
    /// stored it. Announce it with [`Session::blobs`] first, which also tells the offset. Any number of blobs can be
    /// under way; chunks take turns, messages go first, and the host's pace holds the reading back. After a lost connection it
    /// goes on at the chunk. `progress` gets
    /// the bytes of the blob that are on their way or there.
    pub async fn send_blob(
        &self,
        blob: &Blob,
        path: &Path,
        offset: u64,
        progress: impl Fn(u64) + Send,
    ) -> Result<(), SessionError> {
        if offset >= blob.size {
            progress(blob.size);
            return Ok(());
        }
        let unreadable =
            |source| SessionError::BlobUnreadable { path: path.to_owned(), source: Arc::new(source) };
        let mut file = File::open(path).await.map_err(unreadable)?;
        let found = file.metadata().await.map_err(unreadable)?.len();
        if found != blob.size {
            let message = format!("it has {found} bytes, {} are expected", blob.size);
            return Err(unreadable(io::Error::new(io::ErrorKind::InvalidData, message)));
        }
        let mut offset = offset;
        loop {
            let link = self.waiting().link().await?;
            let error = match self.send_over(&link, blob, (&mut file, path), offset, &progress).await {
                Err(error) if error.is_loss() => error,
                sent => return sent,
            };
            self.waiting().gone(&link).await;
            tracing::debug!(%error, digest = %blob.digest, "a blob goes on over the next connection");
            offset = self.blobs(vec![*blob]).await?.first().map_or(0, |(_, there)| *there);
            if offset >= blob.size {
                progress(blob.size);
                return Ok(());
            }
        }
    }

    /// Sends the rest over one link.
    async fn send_over(
        &self,
        link: &Arc<Link>,
        blob: &Blob,
        (file, path): (&mut File, &Path),
        offset: u64,
        progress: &(impl Fn(u64) + Send),
    ) -> Result<(), SessionError> {
        let unreadable =
            |source| SessionError::BlobUnreadable { path: path.to_owned(), source: Arc::new(source) };
        file.seek(io::SeekFrom::Start(offset)).await.map_err(unreadable)?;
        let verdict = self.waiting().blob(blob.digest, link);
        let mut position = offset;
        while position < blob.size {
            let wanted = usize::try_from(blob.size - position).unwrap_or(usize::MAX).min(CHUNK_BYTES);
            let bytes = read(file, wanted).await.map_err(unreadable)?;
            let chunk = Chunk { digest: blob.digest, offset: position, bytes };
            position += wanted as u64;
            // A link that writes no more has ended, or is about to be told so.
            link.chunks.send(chunk).await.map_err(|_| SessionError::Silent)?;
            progress(position);
        }
        verdict.await.unwrap_or(Err(SessionError::Silent))
    }
}

/// Exactly `wanted` bytes.
async fn read(file: &mut File, wanted: usize) -> io::Result<Bytes> {
    let mut buffer = BytesMut::zeroed(wanted);
    file.read_exact(&mut buffer).await?;
    Ok(buffer.freeze())
}
