//! JSON on standard output: lines for a command that takes long, else one document.

use std::io::{self, Write};
use std::sync::Mutex;

use serde::Serialize;
use serde_json::ser::{CompactFormatter, Formatter, PrettyFormatter};

use super::text::is_harmful;
use super::{Event, Listener};

/// Writes events as lines of JSON.
pub struct Json<Target> {
    target: Mutex<Target>,
    only_failures: bool,
}

impl<Target: Write + Send> Json<Target> {
    /// Each to `target`.
    pub fn new(target: Target) -> Self {
        Self { target: Mutex::new(target), only_failures: false }
    }

    /// Only what failed, for a command that prints a document: it may have none to print then, or one without some hosts.
    pub fn of_failures(target: Target) -> Self {
        Self { only_failures: true, ..Self::new(target) }
    }
}

impl<Target: Write + Send> Listener for Json<Target> {
    fn event(&self, event: &Event) {
        if self.only_failures && !matches!(event, Event::Failed { .. }) {
            return;
        }
        let Ok(line) = line(event) else { return };
        if let Ok(mut target) = self.target.lock() {
            // A reader that went away is no reason to stop working on hosts.
            let _ = target.write_all(&line).and_then(|()| target.flush());
        }
    }
}

/// One line of JSON. Characters that would drive a terminal, or reorder what it shows, are written as `\u` escapes: no
/// byte of the value is lost, and a person may look at it.
pub fn line(value: &impl Serialize) -> serde_json::Result<Vec<u8>> {
    text(value, CompactFormatter)
}

/// The same on several lines, for a file that a person may look at.
pub fn document(value: &impl Serialize) -> serde_json::Result<Vec<u8>> {
    text(value, PrettyFormatter::new())
}

fn text(value: &impl Serialize, form: impl Formatter) -> serde_json::Result<Vec<u8>> {
    let mut text = Vec::new();
    value.serialize(&mut serde_json::Serializer::with_formatter(&mut text, Harmless(form)))?;
    text.push(b'\n');
    Ok(text)
}

/// Prints one document.
pub fn print(value: &impl Serialize) {
    if let Ok(line) = line(value) {
        super::print(&String::from_utf8_lossy(&line));
    }
}

/// One line that says why a command did not do its work, for commands that print a document.
pub fn problems(problems: &crate::problem::Problems) {
    for problem in &problems.0 {
        print(&Event::Failed { problem: problem.clone() });
    }
}

/// serde's own forms but for the characters in strings that [`is_harmful`] names.
struct Harmless<Form>(Form);

impl<Form: Formatter> Formatter for Harmless<Form> {
    fn write_string_fragment<W: ?Sized + Write>(&mut self, writer: &mut W, fragment: &str) -> io::Result<()> {
        let mut rest = fragment;
        while let Some((at, character)) = rest.char_indices().find(|(_, character)| is_harmful(*character)) {
            self.0.write_string_fragment(writer, &rest[..at])?;
            for unit in character.encode_utf16(&mut [0; 2]) {
                write!(writer, "\\u{unit:04x}")?;
            }
            rest = &rest[at + character.len_utf8()..];
        }
        self.0.write_string_fragment(writer, rest)
    }

    fn begin_array<W: ?Sized + Write>(&mut self, writer: &mut W) -> io::Result<()> {
        self.0.begin_array(writer)
    }

    fn end_array<W: ?Sized + Write>(&mut self, writer: &mut W) -> io::Result<()> {
        self.0.end_array(writer)
    }

    fn begin_array_value<W: ?Sized + Write>(&mut self, writer: &mut W, first: bool) -> io::Result<()> {
        self.0.begin_array_value(writer, first)
    }

    fn end_array_value<W: ?Sized + Write>(&mut self, writer: &mut W) -> io::Result<()> {
        self.0.end_array_value(writer)
    }

    fn begin_object<W: ?Sized + Write>(&mut self, writer: &mut W) -> io::Result<()> {
        self.0.begin_object(writer)
    }

    fn end_object<W: ?Sized + Write>(&mut self, writer: &mut W) -> io::Result<()> {
        self.0.end_object(writer)
    }

    fn begin_object_key<W: ?Sized + Write>(&mut self, writer: &mut W, first: bool) -> io::Result<()> {
        self.0.begin_object_key(writer, first)
    }

    fn begin_object_value<W: ?Sized + Write>(&mut self, writer: &mut W) -> io::Result<()> {
        self.0.begin_object_value(writer)
    }

    fn end_object_value<W: ?Sized + Write>(&mut self, writer: &mut W) -> io::Result<()> {
        self.0.end_object_value(writer)
    }
}

#[cfg(test)]
mod tests {
    use super::line;

    #[test]
    fn a_line_drives_no_terminal_and_loses_nothing() {
        let evil = "\u{1b}]0;evil\u{7}\u{9b}2J\u{202e}\u{e0041}\n木";
        let written = String::from_utf8(line(&evil).unwrap()).unwrap();
        assert!(written.trim_end().chars().all(|character| !super::is_harmful(character)), "{written:?}");
        assert_eq!(serde_json::from_str::<String>(&written).unwrap(), evil);
    }

    #[test]
    fn a_document_is_what_serde_makes_of_it_where_nothing_is_harmful() {
        let value = serde_json::json!({ "a": [1, { "b": [] }, "c"], "d": {}, "e": null });
        let written = String::from_utf8(super::document(&value).unwrap()).unwrap();
        assert_eq!(written, serde_json::to_string_pretty(&value).unwrap() + "\n");
    }
}
