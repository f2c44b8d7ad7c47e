//! A mapping with known keys: duplicates, unknown keys and keys of later versions are reported as it is opened.

use std::collections::HashMap;

use super::field::Field;
use crate::fault::{Fault, Faults, quote};
use crate::span::Span;
use crate::suggestion::nearest;
use crate::yaml::{Entry, Value};

/// The keys a section may have.
pub(crate) struct Keys {
    /// The section as a user would write it.
    pub(crate) example: &'static str,
    /// What this version acts on.
    pub(crate) known: &'static [&'static str],
    /// What is designed but not built, with what to do meanwhile.
    pub(crate) later: &'static [(&'static str, &'static str)],
    /// What users look for here and find elsewhere, with the place.
    pub(crate) elsewhere: &'static [(&'static str, &'static str)],
}

/// An opened mapping.
pub(crate) struct Section<'a> {
    path: String,
    key: Span,
    entries: Vec<&'a Entry>,
    keys: &'static Keys,
}

impl<'a> Section<'a> {
    /// Opens a field's value, or reports that it is no mapping.
    pub(super) fn open(field: &Field<'a>, keys: &'static Keys, faults: &mut Faults) -> Option<Self> {
        let Value::Mapping(entries) = &field.node.value else {
            let what = format!("a mapping with {}", list(keys.known));
            return field.expected(&what, &format!("write it like `{}`", keys.example), faults);
        };
        let section = Self {
            path: field.path.clone(),
            key: field.key,
            entries: distinct(&field.path, entries, faults),
            keys,
        };
        for entry in &section.entries {
            section.check_key(entry, faults);
        }
        Some(section)
    }

    fn check_key(&self, entry: &Entry, faults: &mut Faults) {
        let key = entry.key.value.as_str();
        if self.keys.known.contains(&key) {
            return;
        }
        let path = Field::new(&self.path, entry).path;
        let fault = |message: String| Fault::new(entry.key.span, message);
        let find = |table: &[(&'static str, &'static str)]| {
            table.iter().find(|(word, _)| *word == key).map(|(_, text)| *text)
        };
        if let Some(meanwhile) = find(self.keys.later) {
            faults.push(fault(format!("{} is not in this version", quote(&path))).help(meanwhile));
            return;
        }
        let unknown = fault(format!("unknown key {}", quote(&path)));
        let help = if key == "<<" {
            "merge keys are not used here; a top-level `ssh:` gives every host its defaults".to_owned()
        } else if let Some(place) = find(self.keys.elsewhere) {
            place.to_owned()
        } else if let Some(word) = nearest(key, self.keys.known.iter().copied()) {
            format!("did you mean `{word}`?")
        } else {
            format!("known here: {}", list(self.keys.known))
        };
        faults.push(unknown.help(help));
    }

    /// Whether a key of it was reported.
    pub(crate) fn has_unknown(&self) -> bool {
        self.entries.iter().any(|entry| !self.keys.known.contains(&entry.key.value.as_str()))
    }

    /// The field with a key of [`Keys::known`].
    pub(crate) fn get(&self, key: &'static str) -> Option<Field<'a>> {
        debug_assert!(self.keys.known.contains(&key), "`{key}` is missing in the section's keys");
        self.entries.iter().find(|entry| entry.key.value == key).map(|entry| Field::new(&self.path, entry))
    }

    /// The same where it must be there.
    pub(crate) fn require(&self, key: &'static str, example: &str, faults: &mut Faults) -> Option<Field<'a>> {
        let field = self.get(key);
        if field.is_none() {
            let message = if self.path.is_empty() {
                format!("`{key}` is missing")
            } else {
                format!("{} has no `{key}`", quote(&self.path))
            };
            faults.push(Fault::new(self.key, message).help(format!("add `{example}`")));
        }
        field
    }
}

/// The entries with each key once (the first counts); the others are reported.
pub(super) fn distinct<'a>(path: &str, entries: &'a [Entry], faults: &mut Faults) -> Vec<&'a Entry> {
    let mut seen: HashMap<&str, Span> = HashMap::new();
    let mut kept = Vec::with_capacity(entries.len());
    for entry in entries {
        if let Some(first) = seen.get(entry.key.value.as_str()) {
            let path = quote(&Field::new(path, entry).path);
            faults.push(
                Fault::new(entry.key.span, format!("{path} is given twice"))
                    .related(*first, "first given here")
                    .help("keep one of the two"),
            );
        } else {
            seen.insert(&entry.key.value, entry.key.span);
            kept.push(entry);
        }
    }
    kept
}

/// Keys for a sentence: "`a`, `b` and `c`".
pub(crate) fn list(words: &[&str]) -> String {
    let quoted: Vec<String> = words.iter().map(|word| format!("`{word}`")).collect();
    match quoted.split_last() {
        Some((last, rest)) if !rest.is_empty() => format!("{} and {last}", rest.join(", ")),
        _ => quoted.concat(),
    }
}
