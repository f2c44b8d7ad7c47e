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

use super::{Session, SessionError};

impl Session {
    /// Sends the bytes of a blob from `offset` on, out of a file on this machine, and waits until the agent has
    /// stored it. Announce it with [`Session::blobs`] first, which also tells the offset. Any number of blobs can be
    /// under way; chunks take turns, messages go first, and the host's pace holds the reading back. `progress` gets
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
        file.seek(io::SeekFrom::Start(offset)).await.map_err(unreadable)?;
        let verdict = self.waiting().blob(blob.digest);
        let mut position = offset;
        while position < blob.size {
            let wanted = usize::try_from(blob.size - position).unwrap_or(usize::MAX).min(CHUNK_BYTES);
            let bytes = read(&mut file, wanted).await.map_err(unreadable)?;
            let chunk = Chunk { digest: blob.digest, offset: position, bytes };
            position += wanted as u64;
            self.send_chunk(chunk).await?;
            progress(position);
        }
        match verdict.await {
            Ok(verdict) => verdict,
            Err(_) => Err(self.waiting().end_of_all().await),
        }
    }
}

/// Exactly `wanted` bytes.
async fn read(file: &mut File, wanted: usize) -> io::Result<Bytes> {
    let mut buffer = BytesMut::zeroed(wanted);
    file.read_exact(&mut buffer).await?;
    Ok(buffer.freeze())
}
