//! The two directions of the stream, each with a task of its own.

use std::io;
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll};
use std::time::Duration;

use futures::stream::{SplitSink, SplitStream};
use futures::{SinkExt as _, StreamExt as _};
use garboard_protocol::codec::{Chunk, CodecError, read_message};
use garboard_protocol::limits::{HEARTBEAT, SILENCE};
use garboard_protocol::{Event, Frame, FrameCodec};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::sync::mpsc;
use tokio::time::{Instant, MissedTickBehavior, interval, timeout, timeout_at};
use tokio_util::codec::Framed;

use super::SessionError;
use super::waiting::Waiting;
use crate::ssh::{Ending, Stream};

/// How long the end of a command may take to arrive after the end of its output.
const ENDING_PATIENCE: Duration = Duration::from_secs(2);

/// When the last byte came.
#[derive(Clone)]
pub(super) struct Heard(Arc<Mutex<Instant>>);

impl Heard {
    fn now(&self) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Instant::now();
    }

    fn last(&self) -> Instant {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Notes when bytes come: any byte is a heartbeat, also one in the middle of a large frame.
pub(super) struct Listening {
    stream: Stream,
    heard: Heard,
}

impl AsyncRead for Listening {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let before = buffer.filled().len();
        let result = Pin::new(&mut self.stream).poll_read(context, buffer);
        if buffer.filled().len() > before {
            self.heard.now();
        }
        result
    }
}

impl AsyncWrite for Listening {
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

type Wire = Framed<Listening, FrameCodec>;

/// A conversation over one stream, until the stream ends or goes silent; gives why. Every event is handed to who waits
/// for it.
pub(super) async fn converse(
    stream: Stream,
    messages: mpsc::UnboundedReceiver<Frame>,
    chunks: mpsc::Receiver<Chunk>,
    waiting: Arc<Waiting>,
    opening: Duration,
) -> SessionError {
    let ending = stream.ending();
    let heard = Heard(Arc::new(Mutex::new(Instant::now())));
    let (sink, frames) = Framed::new(Listening { stream, heard: heard.clone() }, FrameCodec).split();
    let reading = read(frames, heard, waiting, ending.clone(), opening);
    tokio::pin!(reading);
    tokio::select! {
        why = &mut reading => why,
        error = write(sink, messages, chunks) => {
            // The agent's last words may still be on their way to the reader, and say more than a broken pipe does.
            match timeout(ENDING_PATIENCE, reading).await {
                Ok(why) => why,
                Err(_) => ended(error, ending).await,
            }
        }
    }
}

/// Sends messages first, then chunks of blobs, and a heartbeat when there is neither for a while. Gives why it cannot.
async fn write(
    mut sink: SplitSink<Wire, Frame>,
    mut messages: mpsc::UnboundedReceiver<Frame>,
    mut chunks: mpsc::Receiver<Chunk>,
) -> CodecError {
    let mut beat = interval(HEARTBEAT);
    beat.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        let frame = tokio::select! {
            biased;
            Some(frame) = messages.recv() => frame,
            Some(chunk) = chunks.recv() => Frame::Chunk(chunk),
            _ = beat.tick() => Frame::Heartbeat,
        };
        beat.reset();
        if let Err(error) = sink.send(frame).await {
            return error;
        }
    }
}

/// Hands every event to who waits for it, until the stream ends or goes silent.
async fn read(
    mut frames: SplitStream<Wire>,
    heard: Heard,
    waiting: Arc<Waiting>,
    ending: Ending,
    opening: Duration,
) -> SessionError {
    // The first answer may take longer: the host starts a unit for it.
    let mut patience = opening;
    loop {
        let deadline = heard.last() + patience;
        let frame = match timeout_at(deadline, frames.next()).await {
            Ok(frame) => frame,
            Err(_) if heard.last() + patience > deadline => continue,
            Err(_) => return SessionError::Silent,
        };
        patience = SILENCE;
        match frame {
            Some(Ok(Frame::Message(content))) => match read_message::<Event>(&content) {
                Ok(event) => waiting.event(event),
                Err(error) => return ended(error, ending).await,
            },
            Some(Ok(Frame::Heartbeat)) => {}
            Some(Ok(Frame::Chunk(_))) => {
                return SessionError::Protocol { cause: "it sent a blob".to_owned() };
            }
            Some(Err(error)) => return ended(error, ending).await,
            None => return closed(ending).await,
        }
    }
}

async fn ended(error: CodecError, ending: Ending) -> SessionError {
    match error {
        CodecError::Io(error) if error.kind() != io::ErrorKind::InvalidData => closed(ending).await,
        CodecError::Json(error) => SessionError::Protocol { cause: error.to_string() },
        error => SessionError::Protocol { cause: error.to_string() },
    }
}

async fn closed(mut ending: Ending) -> SessionError {
    let status = timeout(ENDING_PATIENCE, ending.wait()).await;
    let status = status.map_or_else(|_| "it closed its output".to_owned(), |status| status.to_string());
    SessionError::Closed { status, stderr: ending.stderr() }
}
