//! Reads a mapping key by key, and complains about every key that nobody asked for.

use super::{Node, Value};
use crate::diagnostic::{Fault, Faults, suggestion};
use crate::file::{Span, Spanned};

/// A mapping while it is read.
pub(crate) struct Fields<'a> {
    what: &'a str,
    span: Span,
    entries: &'a [(Spanned<String>, Node)],
    asked: Vec<&'static str>,
}

impl<'a> Fields<'a> {
    /// Starts to read `node`; `what` names the mapping in messages, for example `a playbook`.
    pub(crate) fn of(node: &'a Node, what: &'a str, faults: &mut Faults) -> Option<Self> {
        let Value::Mapping(entries) = &node.value else {
            return node.wrong(&format!("{what}, which is a mapping"), faults);
        };
        for (index, (key, _)) in entries.iter().enumerate() {
            if let Some((first, _)) = entries[..index].iter().find(|(earlier, _)| earlier.value == key.value)
            {
                faults.push(
                    Fault::new(key.span, format!("`{}` is given twice", key.value))
                        .related(first.span, "first given here"),
                );
            }
        }
        Some(Self { what, span: node.span, entries, asked: Vec::new() })
    }

    /// The value of a key that may be left out.
    pub(crate) fn optional(&mut self, key: &'static str) -> Option<&'a Node> {
        self.asked.push(key);
        self.entries.iter().find(|(known, _)| known.value == key).map(|(_, value)| value)
    }

    /// The value of a key that must be there.
    pub(crate) fn required(&mut self, key: &'static str, faults: &mut Faults) -> Option<&'a Node> {
        let found = self.optional(key);
        if found.is_none() {
            faults.push(Fault::new(self.span, format!("{} needs `{key}`", self.what)));
        }
        found
    }

    /// Keys nobody has asked for yet.
    pub(crate) fn rest(&self) -> impl Iterator<Item = &'a (Spanned<String>, Node)> + use<'a> {
        let asked = self.asked.clone();
        self.entries.iter().filter(move |(key, _)| !asked.contains(&key.value.as_str()))
    }

    /// Complains about the keys nobody asked for.
    pub(crate) fn finish(self, faults: &mut Faults) {
        for (key, _) in self.rest() {
            let mut fault = Fault::new(key.span, format!("{} has no key `{}`", self.what, key.value));
            if let Some(help) = suggestion(&key.value, self.asked.iter().copied()) {
                fault = fault.help(help);
            }
            faults.push(fault);
        }
    }
}
