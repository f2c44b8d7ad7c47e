//! The kernel's command line in a file, as text. Pure.
//!
//! The firmware of a Raspberry Pi hands over the first line of `cmdline.txt` and ignores all others
//! (<https://www.raspberrypi.com/documentation/computers/configuration.html#kernel-command-line-cmdline-txt>): a parameter on a
//! second line, or after a line break that an editor made, has no effect, and a host without `root=` does not boot.

use std::ops::Range;

/// Why a file is not edited.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Fault {
    /// Bytes that are no text.
    #[error("is not text")]
    NotText,
    /// No parameter at all.
    #[error("is empty")]
    Empty,
    /// More than the one line that the firmware reads.
    #[error("has more than one line, of which the firmware reads only the first")]
    Lines,
    /// A comment, which the firmware would hand to the kernel as parameters.
    #[error("begins with a comment, which the firmware takes for parameters")]
    Comment,
}

/// A file with one line of kernel parameters.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Line<'a> {
    /// From the first byte to the last parameter.
    parameters: &'a str,
    /// What ends the file: blanks and line ends, or nothing.
    end: &'a str,
}

impl<'a> Line<'a> {
    /// Reads a file's content.
    ///
    /// # Errors
    /// When it is no single line of parameters.
    pub fn parse(content: &'a [u8]) -> Result<Self, Fault> {
        let text = std::str::from_utf8(content).map_err(|_| Fault::NotText)?;
        if text.contains('\0') {
            return Err(Fault::NotText);
        }
        let parameters = text.trim_end();
        if parameters.trim_start().is_empty() {
            return Err(Fault::Empty);
        }
        if parameters.trim_start().starts_with('#') {
            return Err(Fault::Comment);
        }
        if parameters.contains(['\n', '\r']) {
            return Err(Fault::Lines);
        }
        Ok(Self { parameters, end: &text[parameters.len()..] })
    }

    /// Whether the parameter is there, wherever it stands.
    pub fn has(&self, parameter: &str) -> bool {
        has_word(self.parameters, parameter)
    }

    /// The content with these parameters, behind all others: of two that contradict each other the kernel takes the last.
    #[must_use]
    pub fn with(&self, parameters: &[String]) -> String {
        let mut line = self.parameters.to_owned();
        for parameter in parameters {
            if has_word(&line, parameter) {
                continue;
            }
            // What stands behind `--` is for the first program, not for the kernel.
            match words(&line).into_iter().find(|word| &line[word.clone()] == "--") {
                Some(word) => line.insert_str(word.start, &format!("{parameter} ")),
                None => line = format!("{line} {parameter}"),
            }
        }
        line + self.end
    }

    /// The content without the last of this parameter, and without the blank that went with it.
    #[must_use]
    pub fn without(&self, parameter: &str) -> String {
        let mut line = self.parameters.to_owned();
        if let Some(word) = words(&line).into_iter().rfind(|word| &line[word.clone()] == parameter) {
            let blank_behind = line[word.end..].starts_with(' ');
            let range = match () {
                () if blank_behind => word.start..word.end + 1,
                () if line[..word.start].ends_with(' ') => word.start - 1..word.end,
                () => word,
            };
            line.replace_range(range, "");
        }
        line + self.end
    }
}

/// Whether `line` holds the parameter as a word of its own.
pub fn has_word(line: &str, parameter: &str) -> bool {
    words(line).into_iter().any(|word| &line[word] == parameter)
}

/// Where the words are: blanks part them, but not inside double quotes (`next_arg` of the kernel's `lib/cmdline.c`).
fn words(line: &str) -> Vec<Range<usize>> {
    let (mut found, mut begin, mut quoted) = (Vec::new(), None, false);
    for (place, one) in line.char_indices() {
        if one == '"' {
            quoted = !quoted;
        }
        match (one.is_whitespace() && !quoted, begin) {
            (true, Some(start)) => {
                found.push(start..place);
                begin = None;
            }
            (false, None) => begin = Some(place),
            _ => {}
        }
    }
    found.extend(begin.map(|start| start..line.len()));
    found
}

#[cfg(test)]
mod tests {
    use super::{Fault, Line};

    const WORD: &str = "cgroup_enable=memory";

    fn with(content: &str) -> String {
        Line::parse(content.as_bytes()).map(|line| line.with(&[WORD.to_owned()])).unwrap_or_default()
    }

    #[test]
    fn a_parameter_comes_behind_the_others_and_the_end_of_the_line_stays() {
        for end in ["", "\n", "\r\n", " \n", "\n\n"] {
            let before = format!("console=tty1  root=PARTUUID=1-02 rootwait{end}");
            let after = format!("console=tty1  root=PARTUUID=1-02 rootwait {WORD}{end}");
            assert_eq!(with(&before), after);
            assert_eq!(Line::parse(after.as_bytes()).map(|line| line.without(WORD)), Ok(before));
        }
    }

    #[test]
    fn one_that_is_there_is_not_added_again() {
        for line in
            ["cgroup_enable=memory root=/dev/sda\n", "a cgroup_enable=memory b", "a cgroup_enable=memory"]
        {
            assert_eq!(with(line), line);
        }
        assert_eq!(with("xcgroup_enable=memory\n"), "xcgroup_enable=memory cgroup_enable=memory\n");
        let quoted = "dyndbg=\"file x cgroup_enable=memory +p\" quiet\n";
        assert_eq!(with(quoted), format!("{} {WORD}\n", quoted.trim_end()));
    }

    #[test]
    fn the_first_programs_own_words_stay_behind() {
        let before = "root=/dev/sda -- single\n";
        let after = with(before);
        assert_eq!(after, "root=/dev/sda cgroup_enable=memory -- single\n");
        assert_eq!(Line::parse(after.as_bytes()).map(|line| line.without(WORD)), Ok(before.to_owned()));
    }

    #[test]
    fn what_is_no_single_line_is_not_edited() {
        let faults = [
            ("", Fault::Empty),
            (" \n", Fault::Empty),
            ("a\nb\n", Fault::Lines),
            ("a\rb", Fault::Lines),
            ("# a\n", Fault::Comment),
            ("a\0b", Fault::NotText),
        ];
        for (content, fault) in faults {
            assert_eq!(Line::parse(content.as_bytes()), Err(fault), "{content:?}");
        }
        assert_eq!(Line::parse(&[0xff, b'a']), Err(Fault::NotText));
    }
}
