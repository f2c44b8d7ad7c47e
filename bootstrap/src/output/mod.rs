//! One stream of events, several ways to show it: a progress display on a terminal, plain lines otherwise, JSON lines
//! for programs; and the report file that every run leaves.

pub mod event;
pub mod human;
pub mod json;
pub mod report;
pub mod text;

use std::sync::Arc;

pub use event::Event;

/// Takes events in the order in which they happen. Called from many tasks.
pub trait Listener: Send + Sync {
    /// Takes one event.
    fn event(&self, event: &Event);
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

    /// Tells a person something that belongs to no host.
    pub fn note(&self, text: impl Into<String>) {
        self.send(&Event::Note { text: text.into() });
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

/// Data for the user, on standard output. A reader that went away is no failure.
pub fn print(text: &str) {
    use std::io::Write as _;
    let mut target = std::io::stdout().lock();
    let _ = target.write_all(text.as_bytes()).and_then(|()| target.flush());
}
