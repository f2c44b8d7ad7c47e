//! Text for a terminal: remote text made harmless, sizes, times, problems.

use std::fmt::Write as _;

use jiff::Timestamp;

use super::Event;
use super::paint::{Ink, Paint};
use crate::problem::Problem;

pub use garboard_inventory::{harmless, is_harmful, one_line};

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
        100_000..7_200_000 => format!("{} min {:02} s", milliseconds / 60_000, milliseconds % 60_000 / 1_000),
        7_200_000..172_800_000 => {
            format!("{} h {:02} min", milliseconds / 3_600_000, milliseconds / 60_000 % 60)
        }
        _ => format!("{} days", milliseconds / 86_400_000),
    }
}

/// The day of a moment, as the whole world counts it: `2026-11-21`.
pub fn date(moment: Timestamp) -> String {
    moment.strftime("%Y-%m-%d").to_string()
}

/// A moment to the minute: `2026-11-21 12:00 UTC`.
pub fn moment(moment: Timestamp) -> String {
    moment.strftime("%Y-%m-%d %H:%M UTC").to_string()
}

/// Where the cluster is found from outside, one line each; nothing for any other event.
pub fn front_door(event: &Event) -> String {
    let Event::FrontDoor { host, address, urls, forwards, authority } = event else { return String::new() };
    let mut lines: Vec<String> = urls.clone();
    let forwards: Vec<String> = forwards
        .iter()
        .map(|forward| format!("{}/{} ({})", forward.port, forward.protocol, forward.what))
        .collect();
    lines.push(format!("your router forwards to {host} ({address}): {}", forwards.join(", ")));
    lines.extend(authority.iter().map(|file| {
        format!("devices that trust `{file}` open them without a warning (docs/ingress.md#an-authority-of-your-own)")
    }));
    lines.iter().map(|line| one_line(line)).collect::<Vec<_>>().join("\n")
}

/// Rows with columns under each other; the first row is the heading.
pub fn table<const N: usize>(rows: &[[String; N]]) -> String {
    let width = |column: usize| rows.iter().map(|row| row[column].len()).max().unwrap_or(0);
    let widths: [usize; N] = std::array::from_fn(width);
    let line = |row: &[String; N]| {
        let cells = row.iter().zip(widths).map(|(cell, width)| format!("{cell:width$}"));
        cells.collect::<Vec<_>>().join("  ").trim_end().to_owned()
    };
    rows.iter().map(line).collect::<Vec<_>>().join("\n") + "\n"
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
