//! Numbered events of the queue, kept for a client that comes back.

use garboard_protocol::Event;
use garboard_protocol::event::Body;

/// All kept events of this executor's life.
#[derive(Debug, Default)]
pub(super) struct Log {
    events: Vec<Event>,
}

impl Log {
    /// Numbers and keeps an event.
    pub(super) fn keep(&mut self, request: u64, body: Body) -> Event {
        let event = Event { number: self.events.len() as u64 + 1, request, body };
        self.events.push(event.clone());
        event
    }

    /// Those after number `seen`.
    pub(super) fn after(&self, seen: u64) -> &[Event] {
        let from = usize::try_from(seen).unwrap_or(usize::MAX).min(self.events.len());
        &self.events[from..]
    }
}
