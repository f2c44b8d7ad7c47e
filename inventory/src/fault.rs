//! Faults as the readers and rules find them, before they are put into the user's terms of line and column.

use std::sync::Arc;

use crate::diagnostic::{Diagnostic, Diagnostics, Excerpt};
use crate::span::Span;

/// One violation, by byte range.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Fault {
    /// What is wrong, one sentence without a full stop.
    pub(crate) message: String,
    /// What the caret points at.
    pub(crate) span: Span,
    /// What to do about it.
    pub(crate) help: Option<String>,
    /// Other places that matter, each with a few words.
    pub(crate) related: Vec<(Span, String)>,
}

impl Fault {
    /// A fault at a place.
    pub(crate) fn new(span: Span, message: impl Into<String>) -> Self {
        Self { message: message.into(), span, help: None, related: Vec::new() }
    }

    /// Adds the way out.
    pub(crate) fn help(mut self, help: impl Into<String>) -> Self {
        self.help = Some(help.into());
        self
    }

    /// Adds another place, as in "first given here".
    pub(crate) fn related(mut self, span: Span, text: impl Into<String>) -> Self {
        if span != self.span {
            self.related.push((span, text.into()));
        }
        self
    }
}

/// All faults of a file, in the order they were found.
#[derive(Debug, Default)]
pub(crate) struct Faults(Vec<Fault>);

impl Faults {
    /// Notes one. What an alias repeats is noted once.
    pub(crate) fn push(&mut self, fault: Fault) {
        if !self.0.contains(&fault) {
            self.0.push(fault);
        }
    }

    /// All of them in terms of line and column, in the order of the file. `source` has its secrets masked already, at the
    /// same offsets.
    pub(crate) fn into_diagnostics(self, file: &str, source: &str) -> Diagnostics {
        let (file, source): (Arc<str>, Arc<str>) = (file.into(), source.into());
        let excerpt = |span: Span| Excerpt::new(Arc::clone(&file), Arc::clone(&source), span.range());
        let diagnostic = |fault: Fault| {
            let related = fault.related.into_iter().map(|(span, text)| (excerpt(span), text));
            Diagnostic::at(excerpt(fault.span), fault.message, fault.help, related.collect())
        };
        Diagnostics::new(self.into_sorted().into_iter().map(diagnostic).collect())
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// All of them, in the order of the file.
    fn into_sorted(mut self) -> Vec<Fault> {
        self.0.sort_by_key(|fault| fault.span);
        self.0
    }
}

/// What is wrong with one text, before it is known where it stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Flaw {
    /// What is wrong.
    pub(crate) message: String,
    /// What to do about it.
    pub(crate) help: Option<String>,
}

impl Flaw {
    /// A flaw without a way out (yet).
    pub(crate) fn new(message: impl Into<String>) -> Self {
        Self { message: message.into(), help: None }
    }

    /// Adds the way out.
    pub(crate) fn help(mut self, help: impl Into<String>) -> Self {
        self.help = Some(help.into());
        self
    }

    /// The flaw at a place.
    pub(crate) fn at(self, span: Span) -> Fault {
        Fault { message: self.message, span, help: self.help, related: Vec::new() }
    }
}

/// The text in backticks, without control characters (a terminal would obey them) and not endlessly long.
pub(crate) fn quote(text: &str) -> String {
    const LONGEST: usize = 80;
    let mut quoted = String::from("`");
    for character in text.chars().take(LONGEST) {
        if character.is_control() {
            quoted.extend(character.escape_default());
        } else {
            quoted.push(character);
        }
    }
    if text.chars().nth(LONGEST).is_some() {
        quoted.push('…');
    }
    quoted.push('`');
    quoted
}
