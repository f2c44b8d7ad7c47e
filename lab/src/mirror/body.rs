//! What is sent: a part of a file, read as the client takes it; and the record of what was sent.

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bytes::{BufMut as _, Bytes, BytesMut};
use http_body_util::combinators::UnsyncBoxBody;
use hyper::body::{Body, Frame, SizeHint};
use tokio::io::AsyncReadExt as _;
use tokio::time::Interval;
use tokio_util::io::poll_read_buf;

use super::connection::Cut;
use super::faults::Fault;
use super::log::{Log, Request};

/// Read at once, and hence the most that one answer holds in memory.
const CHUNK: usize = 1 << 18;
/// How often a slowed-down answer sends something.
const PACE: Duration = Duration::from_millis(50);

/// Any answer's body.
pub(super) type AnyBody = UnsyncBoxBody<Bytes, io::Error>;

/// A part of a file.
pub(super) struct FileBody {
    file: tokio::io::Take<tokio::fs::File>,
    position: u64,
    end: u64,
    /// The byte to spoil and the bit in it.
    flip: Option<(u64, u8)>,
    pace: Option<Interval>,
    chunk: usize,
}

impl FileBody {
    /// Bytes `position` to `end` of an open file whose read position is there already; `size` is the whole file's.
    pub(super) fn new(file: tokio::fs::File, position: u64, end: u64, size: u64, fault: &Fault) -> Self {
        let stop = fault.truncate.map_or(end, |at| at.clamp(position, end));
        let flip = fault.flip_bit.filter(|_| size > 0).map(|bit| ((bit / 8) % size, 1 << (bit % 8)));
        let per_beat = |rate: u64| usize::try_from(rate / 20).unwrap_or(CHUNK).clamp(1, CHUNK);
        Self {
            file: file.take(stop - position),
            position,
            end,
            flip,
            pace: fault.bytes_per_second.map(|_| tokio::time::interval(PACE)),
            chunk: fault.bytes_per_second.map_or(CHUNK, |rate| per_beat(rate.get())),
        }
    }
}

impl Body for FileBody {
    type Data = Bytes;
    type Error = io::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<io::Result<Frame<Bytes>>>> {
        let this = &mut *self;
        if this.position == this.end {
            return Poll::Ready(None);
        }
        if let Some(pace) = &mut this.pace {
            ready!(pace.poll_tick(context));
        }
        let mut buffer = BytesMut::with_capacity(this.chunk);
        let count = {
            let mut limited = (&mut buffer).limit(this.chunk);
            ready!(poll_read_buf(Pin::new(&mut this.file), context, &mut limited))?
        };
        if count == 0 {
            let broken = io::Error::new(io::ErrorKind::UnexpectedEof, "the content ends too early");
            return Poll::Ready(Some(Err(broken)));
        }
        if let Some((at, bit)) = this.flip
            && let Some(offset) = at.checked_sub(this.position)
            && let Some(byte) = usize::try_from(offset).ok().and_then(|offset| buffer.get_mut(offset))
        {
            *byte ^= bit;
        }
        this.position += count as u64;
        Poll::Ready(Some(Ok(Frame::data(buffer.freeze()))))
    }

    fn is_end_stream(&self) -> bool {
        self.position == self.end
    }

    fn size_hint(&self) -> SizeHint {
        SizeHint::with_exact(self.end - self.position)
    }
}

/// Counts what passes and writes the log line before the last of it: whoever has the answer finds it in the log.
pub(super) struct Logged {
    inner: AnyBody,
    log: Arc<Log>,
    request: Option<Request>,
    cut: Cut,
}

impl Logged {
    /// `request` says all but the bytes; a body that fails asks for the `cut`.
    pub(super) fn new(inner: AnyBody, log: Arc<Log>, request: Request, cut: Cut) -> Self {
        let mut logged = Self { inner, log, request: Some(request), cut };
        if logged.inner.is_end_stream() {
            logged.write(true);
        }
        logged
    }

    fn write(&mut self, complete: bool) {
        if let Some(mut request) = self.request.take() {
            request.complete = complete;
            self.log.write(&request);
        }
    }
}

impl Body for Logged {
    type Data = Bytes;
    type Error = io::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<io::Result<Frame<Bytes>>>> {
        let frame = ready!(Pin::new(&mut self.inner).poll_frame(context));
        match &frame {
            Some(Ok(frame)) => {
                let count = frame.data_ref().map_or(0, |data| data.len() as u64);
                if let Some(request) = &mut self.request {
                    request.bytes += count;
                }
                if self.inner.is_end_stream() {
                    self.write(true);
                }
            }
            Some(Err(_)) => {
                self.write(false);
                self.cut.ask();
                // Nobody needs to wake this: the flush that follows ends the connection.
                return Poll::Pending;
            }
            None => self.write(true),
        }
        Poll::Ready(frame)
    }

    fn is_end_stream(&self) -> bool {
        self.inner.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.inner.size_hint()
    }
}

impl Drop for Logged {
    /// A client that left, or only wanted the head.
    fn drop(&mut self) {
        let head = self.request.as_ref().is_some_and(|request| request.method == "HEAD");
        self.write(head);
    }
}
