//! Lines for the journal.

use std::io::Write as _;

/// How urgent a line is (`sd-daemon(3)`).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Level {
    Warning = 4,
    Information = 6,
}

/// One line to standard error; for the journal with its level before it.
pub(super) fn say(level: Level, text: &str) {
    let level = match std::env::var_os("JOURNAL_STREAM") {
        Some(_) => format!("<{}>", level as u8),
        None => String::new(),
    };
    // Nobody is left to tell if this fails.
    let _ = writeln!(std::io::stderr(), "{level}{text}");
}
