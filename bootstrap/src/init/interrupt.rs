//! Ctrl-C, also when it is pressed between two questions.

use std::io;

use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::sync::Mutex;

use crate::problem::{Exit, Problem};

/// From its making on no Ctrl-C is lost: one that came while nobody waited is told to the next who does.
pub struct Interrupt(Mutex<Signal>);

impl Interrupt {
    /// Takes over what Ctrl-C does.
    ///
    /// # Errors
    /// The system refuses.
    pub fn listen() -> Result<Self, Problem> {
        let made: io::Result<Signal> = signal(SignalKind::interrupt());
        let signal = made.map_err(|error| Problem::from_error(Exit::Failed, &error))?;
        Ok(Self(Mutex::new(signal)))
    }

    /// Waits for it.
    pub(super) async fn pressed(&self) {
        self.0.lock().await.recv().await;
    }
}

/// How a command ends whose person went away.
pub(super) fn broken_off() -> Problem {
    Problem::new(Exit::Failed, "broken off: nothing was written")
}
