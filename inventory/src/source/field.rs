//! One key with its value, read as what it should be; a value that is something else is reported and left out.

use crate::fault::{Fault, Faults, Flaw, quote};
use crate::source::section::{Keys, Section};
use crate::span::{Given, Span, Spanned};
use crate::yaml::{Entry, Node, Value};

/// A key and its value.
pub(crate) struct Field<'a> {
    /// The way to it from the top, such as `hosts.w1.address`.
    pub(crate) path: String,
    /// Where the key stands.
    pub(crate) key: Span,
    /// The value.
    pub(crate) node: &'a Node,
}

impl<'a> Field<'a> {
    /// The field an entry is, inside the section at `parent` (empty at the top).
    pub(crate) fn new(parent: &str, entry: &'a Entry) -> Self {
        let key = &entry.key.value;
        let path = if parent.is_empty() { key.clone() } else { format!("{parent}.{key}") };
        Self { path, key: entry.key.span, node: entry.value.as_ref() }
    }

    /// Where to point: at the value, or at the key where there is none.
    pub(crate) fn span(&self) -> Span {
        if self.node.span.is_empty() { self.key } else { self.node.span }
    }

    /// Reports that something else was expected. Not for values that may be secrets: a scalar is repeated.
    pub(crate) fn expected<T>(&self, what: &str, help: &str, faults: &mut Faults) -> Option<T> {
        let path = quote(&self.path);
        let fault = if self.node.is_null() {
            Fault::new(self.key, format!("{path} has no value, expected {what}"))
                .help("give it a value, or remove the key if it is optional")
        } else {
            let found = match &self.node.value {
                Value::Scalar { text, .. } => quote(text),
                _ => self.node.kind().to_owned(),
            };
            Fault::new(self.span(), format!("{path} must be {what}, found {found}")).help(help)
        };
        faults.push(fault);
        None
    }

    /// Text as written: a plain number or `true` is text here, so that `1.10` stays `1.10`.
    pub(crate) fn text(&self, faults: &mut Faults) -> Option<Spanned<String>> {
        match &self.node.value {
            Value::Scalar { text, .. } if !self.node.is_null() => {
                Some(Spanned::new(text.clone(), self.node.span))
            }
            _ => self.expected("text", "write one value; in quotes it may hold `[`, `{` and `:`", faults),
        }
    }

    /// Text in a form of its own.
    pub(crate) fn parsed<T>(
        &self,
        parse: impl FnOnce(&str) -> Result<T, Flaw>,
        faults: &mut Faults,
    ) -> Option<Spanned<T>> {
        let text = self.text(faults)?;
        match parse(&text.value) {
            Ok(value) => Some(Spanned::new(value, text.span)),
            Err(flaw) => {
                faults.push(
                    Flaw { message: format!("{}: {}", quote(&self.path), flaw.message), ..flaw }
                        .at(self.span()),
                );
                None
            }
        }
    }

    /// `true` or `false`, nothing that only looks like it.
    pub(crate) fn boolean(&self, faults: &mut Faults) -> Option<Spanned<bool>> {
        let value = match &self.node.value {
            Value::Scalar { text, plain: true } if text == "true" => true,
            Value::Scalar { text, plain: true } if text == "false" => false,
            other => {
                let word = match other {
                    Value::Scalar { text, .. } => text.to_lowercase(),
                    _ => String::new(),
                };
                let help = match word.as_str() {
                    "yes" | "on" | "true" | "1" | "y" => "write `true`, without quotes",
                    "no" | "off" | "false" | "0" | "n" => "write `false`, without quotes",
                    _ => "write one of the two, without quotes",
                };
                return self.expected("`true` or `false`", help, faults);
            }
        };
        Some(Spanned::new(value, self.node.span))
    }

    /// The keys of a mapping.
    pub(crate) fn section(&self, keys: &'static Keys, faults: &mut Faults) -> Option<Section<'a>> {
        Section::open(self, keys, faults)
    }

    /// The entries of a mapping whose keys the user chooses; those written twice are reported.
    pub(crate) fn entries(&self, what: &str, example: &str, faults: &mut Faults) -> Option<Vec<&'a Entry>> {
        match &self.node.value {
            Value::Mapping(entries) => Some(crate::source::section::distinct(&self.path, entries, faults)),
            _ => self.expected(what, &format!("write it like `{example}`"), faults),
        }
    }
}

/// Reads a field that may be absent.
pub(crate) fn given<T>(
    field: Option<Field<'_>>,
    read: impl FnOnce(&Field<'_>) -> Option<Spanned<T>>,
) -> Given<T> {
    field.map_or(Given::Absent, |field| read(&field).into())
}
