//! The person at the terminal: one question at a time, whoever asks.

use std::fs::File;
use std::io::{self, IsTerminal as _, Write as _};
use std::sync::Arc;

use garboard_inventory::Secret;
use nix::sys::termios::{SetArg, Termios, tcgetattr, tcsetattr};
use tokio::sync::{Mutex, MutexGuard};
use tokio_util::sync::CancellationToken;

use crate::output::Events;

/// A terminal with somebody at it.
pub trait Terminal: Send + Sync {
    /// Shows the question and reads one line without showing it. Blocks.
    fn ask(&self, question: &str) -> io::Result<Secret>;

    /// Shows the question and reads one line as it is typed. Blocks. An end of the input is an error.
    fn ask_openly(&self, _question: &str) -> io::Result<String> {
        Err(io::ErrorKind::Unsupported.into())
    }

    /// Nobody is asked any more: the terminal is as it was.
    fn restore(&self) {}
}

/// Somebody who can be asked.
pub struct Person {
    terminal: Arc<dyn Terminal>,
    /// What shows nothing while a question stands.
    events: Events,
    /// Questions come one after the other.
    turn: Mutex<()>,
    given_up: CancellationToken,
}

impl Person {
    /// At this terminal.
    pub fn at(terminal: Arc<dyn Terminal>) -> Self {
        Self::beside(terminal, Events::default())
    }

    fn beside(terminal: Arc<dyn Terminal>, events: Events) -> Self {
        Self { terminal, events, turn: Mutex::default(), given_up: CancellationToken::new() }
    }

    /// At the terminal this process was started at, if it was started at one. While a question stands there, `events`
    /// shows nothing.
    pub fn at_own_terminal(events: Events) -> Option<Self> {
        io::stdin().is_terminal().then(|| Self::beside(Arc::new(OwnTerminal::open()), events))
    }

    /// Whoever is asked need not answer any more, and nothing else is asked.
    pub(crate) fn give_up(&self) {
        self.given_up.cancel();
    }

    /// The terminal is as it was before the first question.
    pub(crate) fn restore_terminal(&self) {
        self.terminal.restore();
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
        let gone = || io::Error::other("nobody waits for it any more");
        if self.given_up.is_cancelled() {
            return Err(gone());
        }
        let _held = self.events.hold();
        let terminal = Arc::clone(&self.terminal);
        let asking = tokio::task::spawn_blocking(move || ask(&*terminal));
        tokio::select! {
            biased;
            answer = asking => answer.map_err(io::Error::other)?,
            () = self.given_up.cancelled() => Err(gone()),
        }
    }
}

/// The terminal this process was started at.
struct OwnTerminal {
    /// As it was before the first question: whoever asked, we or a program of ours, may be gone without mending it.
    before: Option<(File, std::sync::Mutex<Termios>)>,
}

impl OwnTerminal {
    fn open() -> Self {
        let terminal = File::options().read(true).write(true).open("/dev/tty").ok();
        let before = terminal.and_then(|terminal| {
            let settings = tcgetattr(&terminal).ok()?;
            Some((terminal, std::sync::Mutex::new(settings)))
        });
        Self { before }
    }
}

impl Terminal for OwnTerminal {
    fn ask(&self, question: &str) -> io::Result<Secret> {
        let answer = rpassword::prompt_password(format!("{question}: "))?;
        if answer.is_empty() {
            return Err(io::Error::other("the answer is empty"));
        }
        Ok(Secret::new(answer))
    }

    fn ask_openly(&self, question: &str) -> io::Result<String> {
        let mut target = io::stderr().lock();
        target.write_all(question.as_bytes())?;
        target.flush()?;
        let mut answer = String::new();
        match io::stdin().read_line(&mut answer)? {
            0 => Err(io::ErrorKind::UnexpectedEof.into()),
            _ => Ok(answer),
        }
    }

    fn restore(&self) {
        let Some((terminal, settings)) = &self.before else { return };
        let settings = &*settings.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        let is_as_before = tcgetattr(terminal).is_ok_and(|now| now.local_flags == settings.local_flags);
        if !is_as_before {
            // A terminal that is gone needs none of it. The cursor stands behind a question.
            let _ = tcsetattr(terminal, SetArg::TCSANOW, settings);
            let _ = (&*terminal).write_all(b"\n");
        }
    }
}
