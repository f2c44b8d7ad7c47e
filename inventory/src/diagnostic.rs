//! Diagnostics: what the user sees of a bad inventory.

use std::fmt;
use std::ops::Range;

use annotate_snippets::{AnnotationKind, Level, Renderer, Snippet};
use serde::Serialize;

use crate::fault::Fault;

/// One violation, at a place in a file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct Diagnostic {
    /// What is wrong: one sentence without a full stop.
    pub message: String,
    /// The file's name as it was given to [`crate::load`] or [`crate::parse`].
    pub file: String,
    /// Line, counted from 1; 0 where the file as a whole is meant (it cannot be read).
    pub line: usize,
    /// Column in characters, counted from 1; 0 where the file as a whole is meant.
    pub column: usize,
    /// What to do about it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub help: Option<String>,
    #[serde(skip)]
    span: Option<Range<usize>>,
    #[serde(skip)]
    related: Vec<(Range<usize>, String)>,
}

/// All violations of one inventory, in the order of the file; never empty.
///
/// `Display` renders each with its excerpt, caret and help, without colour.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Diagnostics {
    list: Vec<Diagnostic>,
    /// The text excerpts are cut from; secrets written into it are masked.
    source: String,
}

impl Diagnostics {
    /// One diagnostic about the file as a whole.
    pub(crate) fn of_file(file: &str, message: String, help: Option<String>) -> Self {
        let diagnostic = Diagnostic {
            message,
            file: file.to_owned(),
            line: 0,
            column: 0,
            help,
            span: None,
            related: Vec::new(),
        };
        Self { list: vec![diagnostic], source: String::new() }
    }

    /// Puts faults into terms of line and column. `source` has its secrets masked already, at the same offsets.
    pub(crate) fn new(file: &str, source: String, faults: Vec<Fault>) -> Self {
        let list = faults
            .into_iter()
            .map(|fault| {
                let (line, column) = position(&source, fault.span.start);
                Diagnostic {
                    message: fault.message,
                    file: file.to_owned(),
                    line,
                    column,
                    help: fault.help,
                    span: Some(on_one_line(&source, fault.span.range())),
                    related: fault
                        .related
                        .into_iter()
                        .map(|(span, text)| (on_one_line(&source, span.range()), text))
                        .collect(),
                }
            })
            .collect();
        Self { list, source }
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

    /// The text for a terminal, with or without colour; ends with a line break.
    pub fn render(&self, colour: bool) -> String {
        let renderer = if colour { Renderer::styled() } else { Renderer::plain() };
        let mut text = String::new();
        for (index, diagnostic) in self.list.iter().enumerate() {
            if index > 0 {
                text.push('\n');
            }
            text.push_str(&self.render_one(diagnostic, &renderer));
            text.push('\n');
        }
        text
    }

    fn render_one(&self, diagnostic: &Diagnostic, renderer: &Renderer) -> String {
        let mut group =
            Level::ERROR.primary_title(diagnostic.message.as_str()).elements(diagnostic.span.iter().map(
                |span| {
                    Snippet::source(self.source.as_str())
                        .path(diagnostic.file.as_str())
                        .annotation(AnnotationKind::Primary.span(span.clone()))
                        .annotations(diagnostic.related.iter().map(|(span, text)| {
                            AnnotationKind::Context.span(span.clone()).label(text.as_str())
                        }))
                },
            ));
        if let Some(help) = &diagnostic.help {
            group = group.element(Level::HELP.message(help.as_str()));
        }
        renderer.render(&[group])
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

/// Line and column (in characters) of a byte, both counted from 1.
fn position(source: &str, offset: usize) -> (usize, usize) {
    let before = source.get(..offset).unwrap_or(source);
    let line_start = before.rfind('\n').map_or(0, |index| index + 1);
    (before.matches('\n').count() + 1, before[line_start..].chars().count() + 1)
}

/// The part of a range on its first line: a caret under a whole block helps nobody.
fn on_one_line(source: &str, range: Range<usize>) -> Range<usize> {
    let start = range.start.min(source.len());
    let end = range.end.clamp(start, source.len());
    match source.get(start..end) {
        Some(text) => {
            start..start + text.find('\n').map_or(text.len(), |index| text[..index].trim_end().len())
        }
        None => start..start,
    }
}
