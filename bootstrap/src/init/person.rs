//! Somebody who can be asked.

use std::io::{self, IsTerminal as _, Write as _};

use async_trait::async_trait;

use super::interrupt::{Interrupt, broken_off};
use crate::output::paint::{Ink, Paint};
use crate::output::text;
use crate::problem::{Ended, Problem};

/// Answers questions, one line each.
#[async_trait]
pub trait Person: Send + Sync {
    /// Asks. An empty answer is the default, where there is one, else an empty text.
    ///
    /// # Errors
    /// The person went away, and with them the command: nothing was written yet.
    async fn answer(&self, question: &str, default: Option<&str>) -> Result<String, Ended>;

    /// Tells something; it may have several lines.
    fn tell(&self, text: &str);

    /// Tells what is wrong with an answer.
    fn object(&self, problems: &[Problem]);
}

/// Who answers what flags leave open.
#[derive(Clone, Copy)]
pub enum Whom<'a> {
    /// A person.
    Person(&'a dyn Person),
    /// The defaults, where there are any: `--yes`.
    Defaults,
    /// Nobody.
    Nobody,
}

/// The person at the terminal this process was started at.
pub struct Terminal<'a> {
    paint: Paint,
    interrupt: &'a Interrupt,
}

impl<'a> Terminal<'a> {
    /// If there is one: questions go to standard error, answers come from standard input.
    pub fn of_this_process(paint: Paint, interrupt: &'a Interrupt) -> Option<Self> {
        (io::stdin().is_terminal() && io::stderr().is_terminal()).then_some(Self { paint, interrupt })
    }
}

#[async_trait]
impl Person for Terminal<'_> {
    async fn answer(&self, question: &str, default: Option<&str>) -> Result<String, Ended> {
        let shown = default.map_or_else(String::new, |default| format!(" [{default}]"));
        say(&format!("{}{}: ", self.paint.ink(Ink::Strong, question), text::one_line(&shown)));
        // A line that never comes keeps its thread, not the process.
        let line = tokio::task::spawn_blocking(|| {
            let mut line = String::new();
            io::stdin().read_line(&mut line).map(|count| (count > 0).then_some(line))
        });
        let line = tokio::select! {
            line = line => line.ok().and_then(Result::ok).flatten(),
            () = self.interrupt.pressed() => None,
        };
        let Some(line) = line else {
            say("\n");
            return Err(broken_off().into());
        };
        let line = line.trim();
        Ok(if line.is_empty() { default.unwrap_or_default().to_owned() } else { line.to_owned() })
    }

    fn tell(&self, text: &str) {
        say(&(text::harmless(text) + "\n"));
    }

    fn object(&self, problems: &[Problem]) {
        for problem in problems {
            say(&(text::problem(problem, self.paint) + "\n"));
        }
    }
}

/// Whoever closed standard error does not want to know.
fn say(text: &str) {
    let mut target = io::stderr().lock();
    let _ = target.write_all(text.as_bytes()).and_then(|()| target.flush());
}
