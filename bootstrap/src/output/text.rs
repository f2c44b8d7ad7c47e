//! Text for a terminal: remote text made harmless, sizes, times, problems.

use std::fmt::Write as _;

use crate::problem::Problem;

/// Remote text with control characters (but line ends) escaped, so that a host cannot drive the user's terminal.
pub fn harmless(text: &str) -> String {
    text.chars().fold(String::with_capacity(text.len()), |mut safe, character| {
        if character.is_control() && character != '\n' && character != '\t' {
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
pub fn problem(problem: &Problem) -> String {
    let mut text = String::from("error: ");
    match (&problem.host, &problem.step) {
        (Some(host), Some(step)) => {
            let _ = write!(text, "{host}, step {step}: ");
        }
        (Some(host), None) => {
            let _ = write!(text, "{host}: ");
        }
        (None, Some(step)) => {
            let _ = write!(text, "step {step}: ");
        }
        (None, None) => {}
    }
    text.push_str(&harmless(&problem.message));
    for cause in &problem.causes {
        let cause = harmless(cause.trim_end());
        let _ = write!(text, "\n  cause: {}", cause.replace('\n', "\n         "));
    }
    if let Some(help) = &problem.help {
        let _ = write!(text, "\n  help: {}", harmless(help).replace('\n', "\n        "));
    }
    text
}

#[cfg(test)]
mod tests {
    use crate::problem::{Exit, Problem};

    #[test]
    fn escape_sequences_of_a_host_do_not_reach_the_terminal() {
        assert_eq!(super::harmless("a\u{1b}[2Jb\n\tc\u{7}"), "a\\u{1b}[2Jb\n\tc\\u{7}");
    }

    #[test]
    fn a_problem_names_host_step_cause_and_fix() {
        let problem = Problem::new(Exit::Failed, "cannot write `/etc/x`")
            .host("w1")
            .step("host/3")
            .cause("No space left on device")
            .help("free some space");
        assert_eq!(
            super::problem(&problem),
            "error: w1, step host/3: cannot write `/etc/x`\n  cause: No space left on device\n  help: free some space"
        );
    }

    #[test]
    fn sizes_and_times_read_well() {
        assert_eq!([999, 1_500, 61_234_567].map(super::bytes), ["999 B", "2 kB", "61.2 MB"]);
        assert_eq!([12, 1_250, 125_000].map(super::duration), ["12 ms", "1.2 s", "2 min 05 s"]);
    }
}
