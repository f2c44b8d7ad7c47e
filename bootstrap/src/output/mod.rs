//! One stream of events, several ways to show it: a progress display on a terminal, plain lines otherwise, JSON lines
//! for programs; and the report file that every run leaves.

mod activity;
pub mod difference;
pub mod event;
pub mod human;
pub mod json;
pub mod paint;
mod progress;
pub mod report;
pub mod terminal;
pub mod text;

use std::sync::Arc;

pub use event::{Event, Forward};

/// Takes events in the order in which they happen. Called from many tasks.
pub trait Listener: Send + Sync {
    /// Takes one event.
    fn event(&self, event: &Event);

    /// Takes away whatever moves: something else is about to be shown.
    fn rest(&self) {}

    /// Shows nothing from now on, loses nothing: a person is asked something.
    fn hold(&self) {}

    /// Goes on, with what happened meanwhile first.
    fn go_on(&self) {}
}

impl<T: Listener + ?Sized> Listener for Arc<T> {
    fn event(&self, event: &Event) {
        self.as_ref().event(event);
    }

    fn rest(&self) {
        self.as_ref().rest();
    }

    fn hold(&self) {
        self.as_ref().hold();
    }

    fn go_on(&self) {
        self.as_ref().go_on();
    }
}

/// Hands every event to each of its listeners.
#[derive(Clone, Default)]
pub struct Events {
    listeners: Arc<Vec<Box<dyn Listener>>>,
}

impl Events {
    /// To these listeners.
    pub fn new(listeners: Vec<Box<dyn Listener>>) -> Self {
        Self { listeners: Arc::new(listeners) }
    }

    /// Tells all listeners.
    pub fn send(&self, event: &Event) {
        for listener in self.listeners.iter() {
            listener.event(event);
        }
    }

    /// Has all listeners come to rest, before a document goes to standard output.
    pub fn rest(&self) {
        for listener in self.listeners.iter() {
            listener.rest();
        }
    }

    /// Has all listeners show nothing as long as what it gives lives.
    pub fn hold(&self) -> Held {
        self.listeners.iter().for_each(|listener| listener.hold());
        Held { events: self.clone() }
    }

    /// Tells a person something that belongs to no host.
    pub fn note(&self, text: impl Into<String>) {
        self.send(&Event::Note { text: text.into() });
    }
}

/// While it lives, listeners show nothing.
#[must_use]
pub struct Held {
    events: Events,
}

impl Drop for Held {
    fn drop(&mut self) {
        self.events.listeners.iter().for_each(|listener| listener.go_on());
    }
}

/// How to show things.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, clap::ValueEnum)]
pub enum Format {
    /// For a person.
    #[default]
    Human,
    /// For a program: one JSON document, or JSON lines for a command that takes long.
    Json,
}

/// A document for a person, on standard output, made harmless: much of it was said by hosts.
pub fn print_harmless(document: &str) {
    print(&text::harmless(document));
}

/// Data for the user, on standard output, as it is. A reader that went away is no failure.
pub fn print(text: &str) {
    use std::io::Write as _;
    let mut target = std::io::stdout().lock();
    let _ = target.write_all(text.as_bytes()).and_then(|()| target.flush());
}
