//! Templates: files of a playbook, and texts written into its steps.

mod condition;
mod filters;

use std::collections::BTreeMap;
use std::fmt;
use std::ops::Range;
use std::sync::Arc;

use tera::{Context, ErrorKind, Tera};

use crate::diagnostic::{Fault, Faults, suggestion};
use crate::file::{Files, Span};

/// A text with variables: a template file, or a text of a step.
#[derive(Debug, Clone)]
pub(crate) struct Text {
    /// Its name among the templates.
    pub(crate) template: String,
    /// Where the playbook names or contains it.
    pub(crate) span: Span,
}

/// Where a template's text stands.
#[derive(Debug, Clone)]
enum Origin {
    /// It is the file of this number.
    File(usize),
    /// It stands in a playbook.
    Inline(Span),
}

/// All templates of a site, compiled. Cheap to clone.
#[derive(Clone)]
pub(crate) struct Templates {
    engine: Arc<Tera>,
    origins: Arc<BTreeMap<String, Origin>>,
    sources: Arc<BTreeMap<String, String>>,
}

impl fmt::Debug for Templates {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_set().entries(self.origins.keys()).finish()
    }
}

/// Compiles templates one by one.
pub(crate) struct Compiler {
    engine: Tera,
    origins: BTreeMap<String, Origin>,
    sources: BTreeMap<String, String>,
}

impl Compiler {
    pub(crate) fn new() -> Self {
        let mut engine = Tera::default();
        filters::register(&mut engine);
        Self { engine, origins: BTreeMap::new(), sources: BTreeMap::new() }
    }

    /// Compiles a template file; a second time it is just found again.
    pub(crate) fn file(
        &mut self,
        number: usize,
        path: &str,
        text: &str,
        span: Span,
        faults: &mut Faults,
    ) -> Text {
        self.compile(path.to_owned(), text, Origin::File(number), faults);
        Text { template: path.to_owned(), span }
    }

    /// Compiles a text of a step.
    pub(crate) fn inline(&mut self, text: &str, span: Span, faults: &mut Faults) -> Text {
        let name = format!("text {} of file {}", span.start, span.file);
        self.compile(name.clone(), text, Origin::Inline(span), faults);
        Text { template: name, span }
    }

    /// Compiles a condition; it renders to `yes` or to nothing.
    pub(crate) fn condition(&mut self, expression: &str, span: Span, faults: &mut Faults) -> Text {
        self.inline(&format!("{{% if {expression} %}}yes{{% endif %}}"), span, faults)
    }

    fn compile(&mut self, name: String, text: &str, origin: Origin, faults: &mut Faults) {
        if self.origins.contains_key(&name) {
            return;
        }
        if let Err(error) = self.engine.add_raw_template(&name, text) {
            faults.push(fault(&error, &origin, text).help("templates are written in Tera's language"));
            // Its name stays known, so that one mistake is one message.
            let _ = self.engine.add_raw_template(&name, "");
        }
        self.sources.insert(name.clone(), text.to_owned());
        self.origins.insert(name, origin);
    }

    pub(crate) fn finish(self) -> Templates {
        Templates {
            engine: Arc::new(self.engine),
            origins: Arc::new(self.origins),
            sources: Arc::new(self.sources),
        }
    }
}

impl Templates {
    /// Renders, or says at which place of the template it went wrong.
    pub(crate) fn render(&self, text: &Text, context: &Context) -> Result<String, Fault> {
        self.engine.render(&text.template, context).map_err(|error| {
            let origin = self.origins.get(&text.template).cloned().unwrap_or(Origin::Inline(text.span));
            // A failed rendering tells its place itself.
            fault(&error, &origin, "")
        })
    }

    /// The same for someone who has no files at hand: the engine's own report, with its excerpt.
    pub(crate) fn render_or_report(&self, text: &Text, context: &Context) -> Result<String, String> {
        self.engine.render(&text.template, context).map_err(|error| error.to_string())
    }

    /// Whether a text uses this top-level variable.
    pub(crate) fn uses(&self, text: &Text, variable: &str) -> bool {
        self.engine.get_template_variables(&text.template).is_ok_and(|names| names.contains(variable))
    }

    /// Whether this word stands anywhere in a text.
    pub(crate) fn holds(&self, text: &Text, word: &str) -> bool {
        self.sources.get(&text.template).is_some_and(|source| source.contains(word))
    }

    /// Complains about fields in conditions that are not there. Tera takes them for false, so that a slip in a name
    /// would silently decide what is left out.
    pub(crate) fn check_conditions(&self, text: &Text, context: &Context, faults: &mut Faults) {
        let (Some(source), Some(origin)) =
            (self.sources.get(&text.template), self.origins.get(&text.template))
        else {
            return;
        };
        for field in condition::missing_fields(source, context) {
            let span = match origin {
                Origin::File(number) => {
                    Span { file: *number, start: field.range.start, end: field.range.end }
                }
                Origin::Inline(span) => *span,
            };
            let mut fault = Fault::new(span, format!("in this condition: there is no `{}`", field.path));
            if let Some(help) = suggestion(&field.name, field.known.iter().map(String::as_str)) {
                fault = fault.help(help);
            }
            faults.push(fault);
        }
    }

    /// Complains about top-level variables outside `known`, also in branches that a rendering would not reach.
    pub(crate) fn check_variables(&self, text: &Text, known: &[&str], files: &Files, faults: &mut Faults) {
        let Ok(names) = self.engine.get_template_variables(&text.template) else { return };
        let mut unknown: Vec<&str> = names.into_iter().filter(|name| !known.contains(name)).collect();
        unknown.sort_unstable();
        for name in unknown {
            let span = match self.origins.get(&text.template) {
                Some(Origin::File(number)) => find_word(*number, &files.get(*number).text, name),
                Some(Origin::Inline(span)) => *span,
                None => text.span,
            };
            let mut fault = Fault::new(span, format!("there is no variable `{name}` here"));
            if let Some(help) = suggestion(name, known.iter().copied()) {
                fault = fault.help(help);
            }
            faults.push(fault);
        }
    }
}

fn fault(error: &tera::Error, origin: &Origin, text: &str) -> Fault {
    let (message, range) = match error.kind() {
        ErrorKind::SyntaxError(report) | ErrorKind::RenderingError(report) => {
            (report.message().to_owned(), Some(report.span().range.clone()))
        }
        other => (other.to_string(), None),
    };
    // Some kinds hold their report only as text: what is wrong in its first line, the place in the second.
    let mut lines = message.lines().map(str::trim);
    let first = lines.next().unwrap_or_default();
    let message = first.trim_start_matches("error: ").trim_end_matches('.').to_owned();
    let range = range.or_else(|| range_of_report(lines.next()?, text));
    let span = match (origin, range) {
        (Origin::File(number), Some(range)) => Span { file: *number, start: range.start, end: range.end },
        (Origin::File(number), None) => Span { file: *number, start: 0, end: 0 },
        (Origin::Inline(span), _) => *span,
    };
    Fault::new(span, format!("in this template: {message}"))
}

/// The place that a line ` --> NAME:LINE:COLUMN` of a report tells, as a range of bytes.
fn range_of_report(line: &str, text: &str) -> Option<Range<usize>> {
    let mut parts = line.rsplit(':');
    let column: usize = parts.next()?.parse().ok()?;
    let line: usize = parts.next()?.parse().ok()?;
    let start: usize = text.split_inclusive('\n').take(line.checked_sub(1)?).map(str::len).sum();
    let rest = text.get(start..)?;
    let start = start + rest.char_indices().nth(column.checked_sub(1)?)?.0;
    let word = text[start..].find(|next: char| !next.is_alphanumeric() && next != '_').unwrap_or(0);
    Some(start..start + word.max(1))
}

/// The first place where `word` stands as a whole word inside `{{ … }}` or `{% … %}`, not after a dot.
fn find_word(file: usize, text: &str, word: &str) -> Span {
    let boundary = |character: Option<char>| {
        character
            .is_none_or(|character| !character.is_alphanumeric() && !matches!(character, '_' | '.' | '-'))
    };
    let start = text
        .match_indices(word)
        .find(|(at, _)| {
            let opened = text[..*at].rfind("{{").max(text[..*at].rfind("{%"));
            let closed = text[..*at].rfind("}}").max(text[..*at].rfind("%}"));
            opened > closed
                && boundary(text[..*at].chars().next_back())
                && text[at + word.len()..]
                    .chars()
                    .next()
                    .is_none_or(|next| !next.is_alphanumeric() && next != '_')
        })
        .map_or(0, |(at, _)| at);
    let end = if start == 0 { 0 } else { start + word.len() };
    Span { file, start, end }
}
