//! Text for a terminal: remote text made harmless, sizes, times, problems.

use std::fmt::Write as _;

use super::paint::{Ink, Paint};
use crate::problem::Problem;

/// Text from elsewhere (a host, a file, an upstream) with everything escaped that is not seen as what it is, so that
/// nobody but us drives the user's terminal or reorders what it shows. Line ends and tabs stay.
///
/// Escaped are control characters (C0, DEL, C1: all of ANSI begins with one), marks that change the direction of text
/// (Unicode Standard Annex 9, "Trojan Source"), line and paragraph separators, invisible characters and tags.
pub fn harmless(text: &str) -> String {
    escaped(text, |character| is_harmful(character) && !matches!(character, '\n' | '\t'))
}

/// The same for a place where only one line belongs: a line end of somebody else's would look like a line of ours.
pub fn one_line(text: &str) -> String {
    escaped(text.trim_end(), is_harmful)
}

/// Whether a character must not reach a terminal or a page as it is.
pub fn is_harmful(character: char) -> bool {
    character.is_control()
        || matches!(
            character,
            '\u{ad}'
                | '\u{61c}'
                | '\u{180e}'
                | '\u{200b}'..='\u{200f}'
                | '\u{2028}'..='\u{202e}'
                | '\u{2060}'..='\u{206f}'
                | '\u{feff}'
                | '\u{fff9}'..='\u{fffb}'
                | '\u{e0000}'..='\u{e007f}'
        )
}

fn escaped(text: &str, is_escaped: impl Fn(char) -> bool) -> String {
    text.chars().fold(String::with_capacity(text.len()), |mut safe, character| {
        if is_escaped(character) {
            safe.extend(character.escape_default());
        } else {
            safe.push(character);
        }
        safe
    })
}

/// Bytes for a person, in powers of 1000 as disks and networks are sold.
pub fn bytes(count: u64) -> String {
    #[allow(clippy::cast_precision_loss, reason = "shown with one digit after the point")]
    let count_as_float = count as f64;
    match count {
        0..1_000 => format!("{count} B"),
        1_000..1_000_000 => format!("{:.0} kB", count_as_float / 1e3),
        1_000_000..1_000_000_000 => format!("{:.1} MB", count_as_float / 1e6),
        _ => format!("{:.2} GB", count_as_float / 1e9),
    }
}

/// Milliseconds for a person.
pub fn duration(milliseconds: u64) -> String {
    match milliseconds {
        0..1_000 => format!("{milliseconds} ms"),
        1_000..100_000 => format!("{}.{} s", milliseconds / 1_000, milliseconds % 1_000 / 100),
        _ => format!("{} min {:02} s", milliseconds / 60_000, milliseconds % 60_000 / 1_000),
    }
}

/// A problem as a person reads it: what, where, why, what to do.
pub fn problem(problem: &Problem, paint: Paint) -> String {
    let mut text = paint.ink(Ink::Bad, "error:") + " ";
    let place = match (&problem.host, &problem.step) {
        (Some(host), Some(step)) => format!("{host}, step {step}: "),
        (Some(host), None) => format!("{host}: "),
        (None, Some(step)) => format!("step {step}: "),
        (None, None) => String::new(),
    };
    text.push_str(&paint.ink(Ink::Strong, &place));
    text.push_str(&indented(&problem.message, 7));
    for cause in &problem.causes {
        let _ = write!(text, "\n  {} {}", paint.ink(Ink::Faint, "cause:"), indented(cause, 9));
    }
    if let Some(help) = &problem.help {
        let _ = write!(text, "\n  {} {}", paint.ink(Ink::Good, "help:"), indented(help, 8));
    }
    text
}

/// Text of several lines, all but the first set in: none of them looks like a line of ours.
fn indented(text: &str, width: usize) -> String {
    harmless(text.trim_end()).replace('\n', &format!("\n{:width$}", ""))
}

#[cfg(test)]
mod tests {
    use crate::output::paint::Paint;
    use crate::problem::{Exit, Problem};

    #[test]
    fn escape_sequences_of_a_host_do_not_reach_the_terminal() {
        assert_eq!(super::harmless("a\u{1b}[2Jb\n\tc\u{7}"), "a\\u{1b}[2Jb\n\tc\\u{7}");
        assert_eq!(super::harmless("\u{9b}2J\r\u{7f}"), "\\u{9b}2J\\r\\u{7f}");
    }

    #[test]
    fn marks_that_reorder_or_hide_text_are_shown_as_what_they_are() {
        assert_eq!(super::harmless("a\u{202e}b\u{2066}c\u{200b}d"), "a\\u{202e}b\\u{2066}c\\u{200b}d");
        assert_eq!(super::harmless("Größe → 木"), "Größe → 木");
    }

    #[test]
    fn a_line_end_from_elsewhere_makes_no_line_of_ours() {
        assert_eq!(super::one_line("full\nw2  ok\n"), "full\\nw2  ok");
    }

    #[test]
    fn a_problem_names_host_step_cause_and_fix() {
        let problem = Problem::new(Exit::Failed, "cannot write `/etc/x`")
            .host("w1")
            .step("host/3")
            .cause("No space left on device")
            .help("free some space");
        assert_eq!(
            super::problem(&problem, Paint::default()),
            "error: w1, step host/3: cannot write `/etc/x`\n  cause: No space left on device\n  help: free some space"
        );
    }

    #[test]
    fn sizes_and_times_read_well() {
        assert_eq!([999, 1_500, 61_234_567].map(super::bytes), ["999 B", "2 kB", "61.2 MB"]);
        assert_eq!([12, 1_250, 125_000].map(super::duration), ["12 ms", "1.2 s", "2 min 05 s"]);
    }
}
