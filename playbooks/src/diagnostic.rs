//! Diagnostics: what the user sees of a playbook that is wrong. They look like those of the inventory.

use std::fmt;
use std::ops::Range;

use annotate_snippets::{AnnotationKind, Level, Renderer, Snippet};
use serde::Serialize;

use crate::file::{Files, Span};

/// One violation, at a place in a playbook's file or template.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct Diagnostic {
    /// What is wrong: one sentence without a full stop.
    pub message: String,
    /// The file, relative to the folder of the playbooks; for example `flannel/playbook.yaml`.
    pub file: String,
    /// Line, counted from 1.
    pub line: usize,
    /// Column in characters, counted from 1.
    pub column: usize,
    /// What to do about it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub help: Option<String>,
    #[serde(skip)]
    primary: Excerpt,
    #[serde(skip)]
    related: Vec<(Excerpt, String)>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
struct Excerpt {
    file: String,
    text: String,
    range: Range<usize>,
}

/// All violations found; never empty. `Display` renders each with its excerpt, caret and help, without colour.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Diagnostics {
    list: Vec<Diagnostic>,
}

impl Diagnostics {
    pub(crate) fn new(files: &Files, faults: Faults) -> Self {
        let mut faults = faults.0;
        faults.sort_by_key(|fault| fault.span);
        Self { list: faults.into_iter().map(|fault| diagnostic(files, fault)).collect() }
    }

    /// The diagnostics one by one, in the order of the files.
    pub fn iter(&self) -> std::slice::Iter<'_, Diagnostic> {
        self.list.iter()
    }

    /// The text for a terminal, with or without colour; ends with a line break.
    pub fn render(&self, colour: bool) -> String {
        let renderer = if colour { Renderer::styled() } else { Renderer::plain() };
        let blocks: Vec<String> = self.list.iter().map(|one| render_one(one, &renderer) + "\n").collect();
        blocks.join("\n")
    }
}

impl<'a> IntoIterator for &'a Diagnostics {
    type Item = &'a Diagnostic;
    type IntoIter = std::slice::Iter<'a, Diagnostic>;

    fn into_iter(self) -> Self::IntoIter {
        self.iter()
    }
}

impl fmt::Display for Diagnostics {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.render(false).trim_end())
    }
}

impl std::error::Error for Diagnostics {}

fn render_one(diagnostic: &Diagnostic, renderer: &Renderer) -> String {
    let primary = &diagnostic.primary;
    let (beside, elsewhere): (Vec<_>, Vec<_>) =
        diagnostic.related.iter().partition(|(excerpt, _)| excerpt.file == primary.file);
    let mut group = Level::ERROR.primary_title(diagnostic.message.as_str()).element(
        Snippet::source(primary.text.as_str())
            .path(primary.file.as_str())
            .annotation(AnnotationKind::Primary.span(primary.range.clone()))
            .annotations(beside.iter().map(|(excerpt, label)| {
                AnnotationKind::Context.span(excerpt.range.clone()).label(label.as_str())
            })),
    );
    for (excerpt, label) in elsewhere {
        group = group.element(
            Snippet::source(excerpt.text.as_str())
                .path(excerpt.file.as_str())
                .annotation(AnnotationKind::Context.span(excerpt.range.clone()).label(label.as_str())),
        );
    }
    if let Some(help) = &diagnostic.help {
        group = group.element(Level::HELP.message(help.as_str()));
    }
    renderer.render(&[group])
}

fn diagnostic(files: &Files, fault: Fault) -> Diagnostic {
    let primary = excerpt(files, fault.span);
    let before = primary.text.get(..primary.range.start).unwrap_or_default();
    let line_start = before.rfind('\n').map_or(0, |index| index + 1);
    Diagnostic {
        message: fault.message,
        file: primary.file.clone(),
        line: before.matches('\n').count() + 1,
        column: before[line_start..].chars().count() + 1,
        help: fault.help,
        related: fault.related.into_iter().map(|(span, label)| (excerpt(files, span), label)).collect(),
        primary,
    }
}

/// The part of a span on its first line: a caret under a whole block helps nobody.
fn excerpt(files: &Files, span: Span) -> Excerpt {
    let file = files.get(span.file);
    let start = span.start.min(file.text.len());
    let end = span.end.clamp(start, file.text.len());
    let range = match file.text.get(start..end) {
        Some(text) => start..start + text.find('\n').map_or(text.len(), |at| text[..at].trim_end().len()),
        None => start..start,
    };
    Excerpt { file: file.path.clone(), text: file.text.clone(), range }
}

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

    /// `value` if nothing is wrong.
    pub(crate) fn or<T>(self, files: &Files, value: T) -> Result<T, Diagnostics> {
        if self.0.is_empty() { Ok(value) } else { Err(Diagnostics::new(files, self)) }
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
