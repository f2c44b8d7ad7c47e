//! Faults as the readers and checks find them, before they are put into the user's terms of line and column. What the user
//! sees then is the same as for an inventory.

use std::sync::Arc;

use garboard_inventory::{Diagnostic, Diagnostics, Excerpt};

use crate::file::{Files, Span};

/// One violation as the readers and checks find it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Fault {
    span: Span,
    message: String,
    help: Option<String>,
    related: Vec<(Span, String)>,
}

impl Fault {
    pub(crate) fn new(span: Span, message: impl Into<String>) -> Self {
        Self { span, message: message.into(), help: None, related: Vec::new() }
    }

    /// Adds the way out.
    pub(crate) fn help(mut self, help: impl Into<String>) -> Self {
        self.help = Some(help.into());
        self
    }

    /// Adds a remark where there is no way out yet.
    pub(crate) fn remark(mut self, remark: impl Into<String>) -> Self {
        self.help.get_or_insert_with(|| remark.into());
        self
    }

    /// Adds another place, as in "first given here".
    pub(crate) fn related(mut self, span: Span, label: impl Into<String>) -> Self {
        self.related.push((span, label.into()));
        self
    }
}

/// All faults found so far.
#[derive(Debug, Default)]
pub(crate) struct Faults(Vec<Fault>);

impl Faults {
    /// Notes one; the same at the same place (for another host, say) is noted once.
    pub(crate) fn push(&mut self, fault: Fault) {
        if !self.0.iter().any(|known| known.span == fault.span && known.message == fault.message) {
            self.0.push(fault);
        }
    }

    /// Notes one unless something is known to be wrong at this place: what fails for one host fails for the next.
    pub(crate) fn push_first(&mut self, fault: Fault) {
        if !self.0.iter().any(|known| known.span == fault.span) {
            self.0.push(fault);
        }
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// All of them, in the order of the files.
    fn into_diagnostics(mut self, files: &Files) -> Diagnostics {
        self.0.sort_by_key(|fault| fault.span);
        let excerpt = |span: Span| {
            let file = files.get(span.file);
            Excerpt::new(file.path.as_str().into(), Arc::clone(&file.text), span.start..span.end)
        };
        let diagnostic = |fault: Fault| {
            let related = fault.related.into_iter().map(|(span, label)| (excerpt(span), label));
            Diagnostic::at(excerpt(fault.span), fault.message, fault.help, related.collect())
        };
        Diagnostics::new(self.0.into_iter().map(diagnostic).collect())
    }

    /// `value` if nothing is wrong.
    pub(crate) fn or<T>(self, files: &Files, value: T) -> Result<T, Diagnostics> {
        if self.0.is_empty() { Ok(value) } else { Err(self.into_diagnostics(files)) }
    }
}

/// "did you mean" for a word, else the words there are.
pub(crate) fn suggestion<'a>(given: &str, known: impl IntoIterator<Item = &'a str>) -> Option<String> {
    let known: Vec<&str> = known.into_iter().collect();
    let allowed = (given.chars().count() / 3).clamp(1, 3);
    let nearest = known
        .iter()
        .map(|word| (strsim::damerau_levenshtein(given, word), word))
        .filter(|(distance, _)| *distance <= allowed)
        .min_by_key(|(distance, _)| *distance);
    match nearest {
        Some((_, word)) => Some(format!("did you mean `{word}`?")),
        None if known.is_empty() => None,
        None => Some(format!("there is `{}`", known.join("`, `"))),
    }
}
