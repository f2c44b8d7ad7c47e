//! The events seen so far.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use super::event::Event;

/// What several threads see, in one list.
#[derive(Default)]
pub(super) struct Events {
    list: Mutex<List>,
}

#[derive(Default)]
struct List {
    events: Vec<Event>,
    /// Of each process, where its latest event is.
    latest: HashMap<i32, usize>,
}

impl Events {
    /// Adds an event, unless it repeats the latest one of its process: a write of many pieces is one.
    pub(super) fn push(&self, event: Event) {
        let mut list = lock(&self.list);
        let repeats = list.latest.get(&event.pid).is_some_and(|at| {
            let latest = &list.events[*at];
            latest.kind == event.kind && latest.path == event.path && latest.from == event.from
        });
        if !repeats {
            let at = list.events.len();
            list.latest.insert(event.pid, at);
            list.events.push(event);
        }
    }

    /// All of them, in order.
    pub(super) fn take(&self) -> Vec<Event> {
        let mut events = std::mem::take(&mut *lock(&self.list)).events;
        events.sort_by_key(|event| event.at);
        events
    }
}

/// A thread that panicked while it held the lock has ended the watch; what it wrote is whole.
pub(super) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::super::event::Kind;
    use super::*;

    #[test]
    fn a_repeated_event_counts_once_and_another_process_for_itself() {
        let event = |at, kind, pid| Event {
            at,
            kind,
            path: "/a".into(),
            from: None,
            pid,
            program: String::new(),
            cgroup: String::new(),
        };
        let events = Events::default();
        for (at, kind, pid) in [
            (2, Kind::Write, 1),
            (3, Kind::Write, 1),
            (1, Kind::Write, 2),
            (4, Kind::Delete, 1),
            (5, Kind::Write, 1),
        ] {
            events.push(event(at, kind, pid));
        }
        let seen: Vec<_> = events.take().iter().map(|event| event.at).collect();
        assert_eq!(seen, [1, 2, 4, 5]);
    }
}
