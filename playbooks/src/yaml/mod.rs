//! The YAML of a playbook as a tree that remembers where everything stands.
//!
//! `serde` stops at its first error, and loses positions behind `flatten` and `untagged`; so the events of
//! `serde-saphyr`'s own parser are kept as a tree, and the readers in `crate::parse` go on after a fault.

mod fields;
mod read;

pub(crate) use fields::Fields;
pub(crate) use read::read;

use crate::diagnostic::{Fault, Faults};
use crate::file::{Span, Spanned};

/// A value of the file.
#[derive(Debug, Clone)]
pub(crate) struct Node {
    pub(crate) value: Value,
    pub(crate) span: Span,
}

/// The kinds of value.
#[derive(Debug, Clone)]
pub(crate) enum Value {
    /// Text as written; `plain` if it was not quoted, so that `true` and `"true"` differ.
    Scalar { text: String, plain: bool },
    /// A list.
    Sequence(Vec<Node>),
    /// Keys and values in the order of the file.
    Mapping(Vec<(Spanned<String>, Node)>),
}

impl Node {
    /// What this is, for "expected …, found …".
    fn kind(&self) -> &'static str {
        match &self.value {
            Value::Scalar { text, plain: true } if matches!(text.as_str(), "" | "~" | "null") => "nothing",
            Value::Scalar { .. } => "text",
            Value::Sequence(_) => "a list",
            Value::Mapping(_) => "a mapping",
        }
    }

    fn wrong<T>(&self, expected: &str, faults: &mut Faults) -> Option<T> {
        faults.push(Fault::new(self.span, format!("expected {expected}, found {}", self.kind())));
        None
    }

    /// Text that is not empty.
    pub(crate) fn text(&self, expected: &str, faults: &mut Faults) -> Option<Spanned<String>> {
        match &self.value {
            Value::Scalar { text, .. } if self.kind() == "text" && !text.is_empty() => {
                Some(Spanned { value: text.clone(), span: self.span })
            }
            _ => self.wrong(expected, faults),
        }
    }

    /// `true` or `false`, not quoted.
    pub(crate) fn boolean(&self, faults: &mut Faults) -> Option<bool> {
        match &self.value {
            Value::Scalar { text, plain: true } if text == "true" => Some(true),
            Value::Scalar { text, plain: true } if text == "false" => Some(false),
            _ => self.wrong("`true` or `false`", faults),
        }
    }

    /// Permission bits in octal digits, quoted or not: `0755`, `"0644"`.
    pub(crate) fn mode(&self, faults: &mut Faults) -> Option<u32> {
        let text = self.text("permission bits, for example `\"0755\"`", faults)?;
        match u32::from_str_radix(&text.value, 8) {
            Ok(mode) if mode <= 0o777 && text.value.len() >= 3 => Some(mode),
            _ => {
                let message = format!("`{}` is no permission: expected three octal digits", text.value);
                faults.push(Fault::new(self.span, message).help("for example `\"0755\"` or `\"0600\"`"));
                None
            }
        }
    }

    /// The elements of a list.
    pub(crate) fn list(&self, expected: &str, faults: &mut Faults) -> Option<&[Node]> {
        match &self.value {
            Value::Sequence(items) => Some(items),
            _ => self.wrong(expected, faults),
        }
    }

    /// The texts of a list; the good ones where some are bad.
    pub(crate) fn texts(&self, expected: &str, faults: &mut Faults) -> Option<Vec<Spanned<String>>> {
        let items = self.list(expected, faults)?;
        Some(items.iter().filter_map(|item| item.text(expected, faults)).collect())
    }

    /// As JSON, by YAML's core schema: for `vars`.
    pub(crate) fn to_json(&self) -> serde_json::Value {
        match &self.value {
            Value::Scalar { text, plain: false } => serde_json::Value::String(text.clone()),
            Value::Scalar { text, plain: true } => match text.as_str() {
                "" | "~" | "null" => serde_json::Value::Null,
                "true" => true.into(),
                "false" => false.into(),
                text => match (text.parse::<i64>(), text.parse::<f64>()) {
                    (Ok(number), _) => number.into(),
                    (_, Ok(number)) if number.is_finite() && text.contains('.') => number.into(),
                    _ => text.into(),
                },
            },
            Value::Sequence(items) => items.iter().map(Self::to_json).collect(),
            Value::Mapping(entries) => {
                entries.iter().map(|(key, value)| (key.value.clone(), value.to_json())).collect()
            }
        }
    }
}
