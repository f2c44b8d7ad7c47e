//! Diagnostics: what the user sees of an inventory, or of a playbook, that is wrong.

use std::fmt;
use std::ops::Range;
use std::sync::Arc;

use annotate_snippets::{Annotation, AnnotationKind, Level, Renderer, Snippet};
use serde::Serialize;

use crate::foreign_text::harmless;

/// One violation, at a place in a file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct Diagnostic {
    /// What is wrong: one sentence without a full stop.
    pub message: String,
    /// The file's name as the reader was given it: that of [`crate::load`] or [`crate::parse`], or a path relative to the
    /// folder of the playbooks.
    pub file: String,
    /// Line, counted from 1; 0 where the file as a whole is meant (it cannot be read).
    pub line: usize,
    /// Column in characters, counted from 1; 0 where the file as a whole is meant.
    pub column: usize,
    /// What to do about it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub help: Option<String>,
    #[serde(skip)]
    primary: Option<Excerpt>,
    #[serde(skip)]
    related: Vec<(Excerpt, String)>,
}

/// A place in a file, with the text that is shown around it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Excerpt {
    file: Arc<str>,
    text: Arc<str>,
    range: Range<usize>,
}

impl Excerpt {
    /// A range of bytes of `text`, cut to its first line: a caret under a whole block helps nobody. Secrets in the text are
    /// masked already, at the same offsets.
    pub fn new(file: Arc<str>, text: Arc<str>, range: Range<usize>) -> Self {
        let start = range.start.min(text.len());
        let end = range.end.clamp(start, text.len());
        let range = match text.get(start..end) {
            Some(part) => start..start + part.find('\n').map_or(part.len(), |at| part[..at].trim_end().len()),
            None => start..start,
        };
        Self { file, text, range }
    }

    /// Line and column (in characters) of its first byte, both counted from 1.
    fn position(&self) -> (usize, usize) {
        let before = self.text.get(..self.range.start).unwrap_or(&self.text);
        let line_start = before.rfind('\n').map_or(0, |index| index + 1);
        (before.matches('\n').count() + 1, before[line_start..].chars().count() + 1)
    }

    fn snippet<'a>(
        &'a self,
        annotations: impl IntoIterator<Item = Annotation<'a>>,
    ) -> Snippet<'a, Annotation<'a>> {
        Snippet::source(&*self.text).path(&*self.file).annotations(annotations)
    }

    fn annotation<'a>(&self, label: &'a str) -> Annotation<'a> {
        AnnotationKind::Context.span(self.range.clone()).label(label)
    }
}

impl Diagnostic {
    /// A violation at a place; `related` are other places that matter, as in "first given here".
    pub fn at(
        place: Excerpt,
        message: String,
        help: Option<String>,
        related: Vec<(Excerpt, String)>,
    ) -> Self {
        let (line, column) = place.position();
        // The renderer does that with titles and excerpts, not with labels and help, which repeat what stands in files too.
        let related = related.into_iter().map(|(excerpt, label)| (excerpt, harmless(&label))).collect();
        Self {
            message,
            file: place.file.as_ref().to_owned(),
            line,
            column,
            help: help.map(|help| harmless(&help)),
            primary: Some(place),
            related,
        }
    }

    /// A violation of the file as a whole.
    pub fn of_file(file: &str, message: String, help: Option<String>) -> Self {
        let (file, related) = (file.to_owned(), Vec::new());
        let help = help.map(|help| harmless(&help));
        Self { message, file, line: 0, column: 0, help, primary: None, related }
    }

    fn render(&self, renderer: &Renderer) -> String {
        let is_beside =
            |excerpt: &Excerpt| self.primary.as_ref().is_some_and(|primary| excerpt.file == primary.file);
        let (beside, elsewhere): (Vec<_>, Vec<_>) =
            self.related.iter().partition(|(excerpt, _)| is_beside(excerpt));
        let primary = self.primary.iter().map(|primary| {
            let here = AnnotationKind::Primary.span(primary.range.clone());
            let beside = beside.iter().map(|(excerpt, label)| excerpt.annotation(label));
            primary.snippet(std::iter::once(here).chain(beside))
        });
        let elsewhere = elsewhere.iter().map(|(excerpt, label)| excerpt.snippet([excerpt.annotation(label)]));
        let title = Level::ERROR.primary_title(self.message.as_str());
        let mut group = title.elements(primary.chain(elsewhere));
        if let Some(help) = &self.help {
            group = group.element(Level::HELP.message(help.as_str()));
        }
        // The renderer knows the older half of the control characters only; a terminal may obey these too.
        let newer = |character: char| matches!(character, '\u{80}'..='\u{9f}');
        renderer.render(&[group]).replace(newer, "\u{fffd}")
    }
}

/// All violations of an inventory, or of the playbooks, in the order of the files; never empty.
///
/// `Display` renders each with its excerpt, caret and help, without colour.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Diagnostics {
    list: Vec<Diagnostic>,
}

impl Diagnostics {
    /// All of these; at least one.
    pub fn new(list: Vec<Diagnostic>) -> Self {
        Self { list }
    }

    /// The diagnostics one by one.
    pub fn iter(&self) -> std::slice::Iter<'_, Diagnostic> {
        self.list.iter()
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.list.len()
    }

    /// Always false; there for those who ask by habit.
    pub fn is_empty(&self) -> bool {
        self.list.is_empty()
    }

    /// The text for a terminal, with or without colour; ends with a line break. Control characters, and marks that change
    /// the direction of text, are replaced.
    pub fn render(&self, colour: bool) -> String {
        let renderer = if colour { Renderer::styled() } else { Renderer::plain() };
        let blocks: Vec<String> = self.list.iter().map(|one| one.render(&renderer) + "\n").collect();
        blocks.join("\n")
    }
}

impl fmt::Display for Diagnostics {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.render(false).trim_end())
    }
}

impl std::error::Error for Diagnostics {}

impl<'a> IntoIterator for &'a Diagnostics {
    type Item = &'a Diagnostic;
    type IntoIter = std::slice::Iter<'a, Diagnostic>;

    fn into_iter(self) -> Self::IntoIter {
        self.iter()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn labels_help_and_excerpts_drive_no_terminal() {
        let text: Arc<str> = "one: 1 # \u{9b}2J\n".into();
        let place = Excerpt::new("a.yaml".into(), Arc::clone(&text), 0..3);
        let there = Excerpt::new("a.yaml".into(), text, 5..6);
        let help = Some("say `\u{1b}[2J`".to_owned());
        let one = Diagnostic::at(place, "no".to_owned(), help, vec![(there, "\u{202e}first".to_owned())]);
        let said = Diagnostics::new(vec![one]).render(false);
        assert!(!said.contains('\u{9b}'), "{said:?}");
        assert!(said.contains("say `\\u{1b}[2J`") && said.contains("\\u{202e}first"), "{said}");
    }
}
