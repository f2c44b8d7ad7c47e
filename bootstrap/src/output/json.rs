//! JSON on standard output: lines for a command that takes long, else one document.

use std::io::{self, Write};
use std::sync::Mutex;

use serde::Serialize;
use serde_json::ser::{CompactFormatter, Formatter};

use super::{Event, Listener, text};

/// Writes each event as one line of JSON.
pub struct Json<Target> {
    target: Mutex<Target>,
}

impl<Target: Write + Send> Json<Target> {
    /// To `target`.
    pub fn new(target: Target) -> Self {
        Self { target: Mutex::new(target) }
    }
}

impl<Target: Write + Send> Listener for Json<Target> {
    fn event(&self, event: &Event) {
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
    let mut line = Vec::new();
    value.serialize(&mut serde_json::Serializer::with_formatter(&mut line, Harmless(CompactFormatter)))?;
    line.push(b'\n');
    Ok(line)
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

/// serde's own form but for the characters in strings that [`text::is_harmful`] names.
struct Harmless(CompactFormatter);

impl Formatter for Harmless {
    fn write_string_fragment<W: ?Sized + Write>(&mut self, writer: &mut W, fragment: &str) -> io::Result<()> {
        let mut rest = fragment;
        while let Some((at, character)) =
            rest.char_indices().find(|(_, character)| text::is_harmful(*character))
        {
            self.0.write_string_fragment(writer, &rest[..at])?;
            for unit in character.encode_utf16(&mut [0; 2]) {
                write!(writer, "\\u{unit:04x}")?;
            }
            rest = &rest[at + character.len_utf8()..];
        }
        self.0.write_string_fragment(writer, rest)
    }
}

#[cfg(test)]
mod tests {
    use super::line;

    #[test]
    fn a_line_drives_no_terminal_and_loses_nothing() {
        let evil = "\u{1b}]0;evil\u{7}\u{9b}2J\u{202e}\u{e0041}\n木";
        let written = String::from_utf8(line(&evil).unwrap()).unwrap();
        assert!(
            written.trim_end().chars().all(|character| !super::text::is_harmful(character)),
            "{written:?}"
        );
        assert_eq!(serde_json::from_str::<String>(&written).unwrap(), evil);
    }
}
