//! One client's byte stream: frames in, frames out, heartbeats both ways.

use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll};

use bytes::{Buf as _, BytesMut};
use futures::StreamExt as _;
use garboard_protocol::codec::CodecError;
use garboard_protocol::event::{Body, Failure, FailureKind};
use garboard_protocol::limits::{HEARTBEAT, SILENCE};
use garboard_protocol::{Event, Frame, FrameCodec};
use tokio::io::{AsyncRead, AsyncWrite, AsyncWriteExt as _, ReadBuf, ReadHalf, WriteHalf};
use tokio::sync::mpsc::UnboundedReceiver;
use tokio::time::{Instant, MissedTickBehavior, interval_at, timeout, timeout_at};
use tokio_util::codec::{Encoder as _, FramedRead};

/// Any stream to a client.
pub trait Stream: AsyncRead + AsyncWrite + Send + Unpin {}
impl<T: AsyncRead + AsyncWrite + Send + Unpin> Stream for T {}

/// Why nothing more comes from a client.
#[derive(Debug, thiserror::Error)]
pub(super) enum Ended {
    /// It closed the stream.
    #[error("the client closed the connection")]
    Closed,
    /// Not a byte for [`SILENCE`].
    #[error("the client was silent for {} s", SILENCE.as_secs())]
    Silent,
    /// What came was no frame.
    #[error(transparent)]
    Codec(#[from] CodecError),
}

/// Frames from a client.
pub(super) struct Incoming {
    frames: FramedRead<Pulse<ReadHalf<Box<dyn Stream>>>, FrameCodec>,
    last: Arc<Mutex<Instant>>,
}

/// Frames to a client.
pub(super) struct Outgoing(WriteHalf<Box<dyn Stream>>);

/// Both directions of a stream.
pub(super) fn split(stream: Box<dyn Stream>) -> (Incoming, Outgoing) {
    let (reader, writer) = tokio::io::split(stream);
    let last = Arc::new(Mutex::new(Instant::now()));
    let pulse = Pulse { reader, last: Arc::clone(&last) };
    (Incoming { frames: FramedRead::new(pulse, FrameCodec), last }, Outgoing(writer))
}

impl Incoming {
    /// The next frame. Silence counts from the last byte, or from this call if we ourselves were busy since.
    pub(super) async fn next(&mut self) -> Result<Frame, Ended> {
        let mut since = Instant::now();
        loop {
            match timeout_at(since + SILENCE, self.frames.next()).await {
                Ok(Some(frame)) => return Ok(frame?),
                Ok(None) => return Err(Ended::Closed),
                Err(_) => {
                    let last = *self.last.lock().unwrap_or_else(PoisonError::into_inner);
                    if last <= since {
                        return Err(Ended::Silent);
                    }
                    since = last;
                }
            }
        }
    }
}

impl Outgoing {
    /// Writes all that comes through `frames`, and heartbeats in between, until its sender is gone or the client is.
    pub(super) async fn run(mut self, mut frames: UnboundedReceiver<Frame>) {
        let mut heartbeat = interval_at(Instant::now() + HEARTBEAT, HEARTBEAT);
        heartbeat.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            let frame = tokio::select! {
                biased;
                frame = frames.recv() => frame,
                _ = heartbeat.tick() => Some(Frame::Heartbeat),
            };
            let Some(frame) = frame else { break };
            if !self.write(frame).await {
                return;
            }
        }
        // The other side may be gone already, which is no loss now.
        let _ = self.0.shutdown().await;
    }

    async fn write(&mut self, frame: Frame) -> bool {
        let mut bytes = BytesMut::new();
        if FrameCodec.encode(frame, &mut bytes).is_err() {
            return false;
        }
        while bytes.has_remaining() {
            match timeout(SILENCE, self.0.write_buf(&mut bytes)).await {
                Ok(Ok(count)) if count > 0 => {}
                _ => return false,
            }
        }
        matches!(timeout(SILENCE, self.0.flush()).await, Ok(Ok(())))
    }
}

/// The frame of an event. One that is too large for a frame becomes a failure of its request.
pub(super) fn frame(event: &Event) -> Frame {
    let fits = |frame: &Frame| match frame {
        Frame::Message(content) => content.len() < garboard_protocol::limits::FRAME_BYTES,
        _ => true,
    };
    match Frame::message(event) {
        Ok(frame) if fits(&frame) => frame,
        other => {
            let why =
                other.err().map_or_else(|| "it is larger than a frame".to_owned(), |error| error.to_string());
            let body = Body::Failed(refusal(format!("the answer cannot be sent: {why}")));
            Frame::message(&Event { number: event.number, request: event.request, body })
                .unwrap_or(Frame::Heartbeat)
        }
    }
}

/// A failure of kind `Refused`.
pub(super) fn refusal(message: impl Into<String>) -> Failure {
    Failure {
        step: None,
        kind: FailureKind::Refused,
        message: message.into(),
        causes: Vec::new(),
        help: None,
    }
}

/// Notes when bytes come, so that half a frame counts as a sign of life.
struct Pulse<Reader> {
    reader: Reader,
    last: Arc<Mutex<Instant>>,
}

impl<Reader: AsyncRead + Unpin> AsyncRead for Pulse<Reader> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<std::io::Result<()>> {
        let before = buffer.filled().len();
        let result = Pin::new(&mut self.reader).poll_read(context, buffer);
        if buffer.filled().len() > before {
            *self.last.lock().unwrap_or_else(PoisonError::into_inner) = Instant::now();
        }
        result
    }
}
