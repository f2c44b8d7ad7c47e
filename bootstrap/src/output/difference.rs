//! How a text changed, line by line.

use similar::{ChangeTag, TextDiff};

/// A line of a difference.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Sign {
    /// In both.
    Same,
    /// Only before.
    Removed,
    /// Only after.
    Added,
    /// Lines in between are left out.
    Gap,
}

/// Unchanged lines shown around a changed one.
const CONTEXT: usize = 3;

/// The lines that differ, each with some of its neighbours. Line ends are cut off.
pub fn lines(before: &str, after: &str) -> Vec<(Sign, String)> {
    let difference = TextDiff::from_lines(before, after);
    let mut lines = Vec::new();
    for (index, group) in difference.grouped_ops(CONTEXT).iter().enumerate() {
        if index > 0 {
            lines.push((Sign::Gap, String::new()));
        }
        for change in group.iter().flat_map(|operation| difference.iter_changes(operation)) {
            let sign = match change.tag() {
                ChangeTag::Equal => Sign::Same,
                ChangeTag::Delete => Sign::Removed,
                ChangeTag::Insert => Sign::Added,
            };
            lines.push((sign, change.value().trim_end_matches(['\n', '\r']).to_owned()));
        }
    }
    lines
}

#[cfg(test)]
mod tests {
    use super::{Sign, lines};

    #[test]
    fn only_what_differs_is_shown_with_some_lines_around_it() {
        let numbers: Vec<String> = (1..=20).map(|number| number.to_string()).collect();
        let before = numbers.join("\n") + "\n";
        let after = before.replace("\n10\n", "\nten\n");
        let signs: Vec<(Sign, String)> = lines(&before, &after);
        let words: Vec<&str> = signs.iter().map(|(_, text)| text.as_str()).collect();
        assert_eq!(words, ["7", "8", "9", "10", "ten", "11", "12", "13"]);
        assert_eq!((signs[3].0, signs[4].0), (Sign::Removed, Sign::Added));
    }
}
