//! The person at the terminal: one question at a time, whoever asks.

use std::io::{self, IsTerminal as _, Write as _};
use std::sync::Arc;

use garboard_inventory::Secret;
use tokio::sync::{Mutex, MutexGuard};

use crate::output::Events;

/// A terminal with somebody at it.
pub trait Terminal: Send + Sync {
    /// Shows the question and reads one line without showing it. Blocks.
    fn ask(&self, question: &str) -> io::Result<Secret>;

    /// Shows the question and reads one line as it is typed. Blocks. An end of the input is an error.
    fn ask_openly(&self, _question: &str) -> io::Result<String> {
        Err(io::ErrorKind::Unsupported.into())
    }
}

/// Somebody who can be asked.
pub struct Person {
    terminal: Arc<dyn Terminal>,
    /// Questions come one after the other.
    turn: Mutex<()>,
}

impl Person {
    /// At this terminal.
    pub fn at(terminal: Arc<dyn Terminal>) -> Self {
        Self { terminal, turn: Mutex::default() }
    }

    /// At the terminal this process was started at, if it was started at one. While a question stands there, `events`
    /// shows nothing.
    pub fn at_own_terminal(events: Events) -> Option<Self> {
        io::stdin().is_terminal().then(|| Self::at(Arc::new(OwnTerminal { events })))
    }

    /// Has the terminal to oneself as long as the guard lives.
    pub(crate) async fn turn(&self) -> MutexGuard<'_, ()> {
        self.turn.lock().await
    }

    /// The answer, which was not shown.
    pub(crate) async fn ask(&self, question: String) -> io::Result<Secret> {
        self.answer(move |terminal| terminal.ask(&question)).await
    }

    /// The answer, which was shown.
    pub(crate) async fn ask_openly(&self, question: String) -> io::Result<String> {
        self.answer(move |terminal| terminal.ask_openly(&question)).await
    }

    async fn answer<A: Send + 'static>(
        &self,
        ask: impl FnOnce(&dyn Terminal) -> io::Result<A> + Send + 'static,
    ) -> io::Result<A> {
        let _turn = self.turn().await;
        let terminal = Arc::clone(&self.terminal);
        tokio::task::spawn_blocking(move || ask(&*terminal)).await.map_err(io::Error::other)?
    }
}

/// The terminal this process was started at.
struct OwnTerminal {
    events: Events,
}

impl Terminal for OwnTerminal {
    fn ask(&self, question: &str) -> io::Result<Secret> {
        let _held = self.events.hold();
        let answer = rpassword::prompt_password(format!("{question}: "))?;
        if answer.is_empty() {
            return Err(io::Error::other("the answer is empty"));
        }
        Ok(Secret::new(answer))
    }

    fn ask_openly(&self, question: &str) -> io::Result<String> {
        let _held = self.events.hold();
        let mut target = io::stderr().lock();
        target.write_all(question.as_bytes())?;
        target.flush()?;
        let mut answer = String::new();
        match io::stdin().read_line(&mut answer)? {
            0 => Err(io::ErrorKind::UnexpectedEof.into()),
            _ => Ok(answer),
        }
    }
}
