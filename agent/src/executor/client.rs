//! The client that is attached now.

use garboard_protocol::Event;
use garboard_protocol::event::Body;
use garboard_protocol::limits::SILENCE;
use garboard_protocol::{Frame, limits};
use tokio::sync::mpsc::{UnboundedSender, unbounded_channel};
use tokio::task::JoinHandle;
use tokio::time::timeout;

use super::connection::{Outgoing, frame};

/// One attached client. Dropped, its connection is cut.
pub(super) struct Client {
    pub epoch: u64,
    /// It wants to miss nothing of what an earlier connection of it asked for.
    follows: bool,
    frames: Option<UnboundedSender<Frame>>,
    reader: JoinHandle<()>,
    writer: JoinHandle<()>,
}

impl Client {
    pub(super) fn new(epoch: u64, follows: bool, outgoing: Outgoing, reader: JoinHandle<()>) -> Self {
        // Bounded in time: a client that takes nothing for 15 s is cut off.
        let (frames, waiting) = unbounded_channel();
        Self { epoch, follows, frames: Some(frames), reader, writer: tokio::spawn(outgoing.run(waiting)) }
    }

    pub(super) fn send(&self, event: &Event) {
        if let Some(frames) = &self.frames {
            // A client that is gone is noticed by its reader.
            let _ = frames.send(frame(event));
        }
    }

    /// An event of the queue. One that an earlier client asked for keeps its request's id only for a client that knows
    /// these ids; another is told of the running step, but gets no answers to questions it never asked.
    pub(super) fn send_kept(&self, epoch: u64, event: Event) {
        if epoch == self.epoch || self.follows {
            self.send(&event);
        } else if !event.body.is_terminal() || matches!(event.body, Body::Reset(_)) {
            self.send(&Event { request: 0, ..event });
        }
    }

    /// Lets what is on its way arrive, then closes.
    pub(super) async fn close(mut self) {
        self.frames = None;
        // After that it is as good as gone.
        let _ = timeout(SILENCE.min(limits::HEARTBEAT), &mut self.writer).await;
    }
}

impl Drop for Client {
    fn drop(&mut self) {
        self.reader.abort();
        self.writer.abort();
    }
}
