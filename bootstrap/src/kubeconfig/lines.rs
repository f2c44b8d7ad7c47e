//! Edits a kubeconfig line by line, so that comments, spacing and everything else in it stay as they are. Good for files
//! as `kubectl` and people write them (lists with one `- ` an entry); the caller checks the result and has another way
//! for the rest.

use super::tree::Tree;

/// Puts `entry` into the list at the top-level key `section`: in the place of the entry of the same name, else at the
/// end. `None` when the list is written in a way that this cannot edit.
pub(super) fn put(text: &str, section: &str, name: &str, entry: &Tree) -> Option<String> {
    let mut lines: Vec<String> = text.lines().map(str::to_owned).collect();
    let Some(head) = position(&lines, section) else {
        lines.push(format!("{section}:"));
        lines.extend(item(entry, 0)?);
        return Some(joined(&lines));
    };
    let value = lines[head][section.len() + 1..].split('#').next().unwrap_or_default().trim();
    if matches!(value, "[]" | "null" | "~") {
        lines[head] = format!("{section}:");
    } else if !value.is_empty() {
        return None;
    }
    let end = end_of_section(&lines, head);
    let starts = items(&lines, head, end);
    let indent = starts.first().map_or(0, |start| indent_of(&lines[*start]));
    let mut place = None;
    // From the back, so that earlier positions stay right.
    for (index, start) in starts.iter().enumerate().rev() {
        let next = starts.get(index + 1).copied().unwrap_or(end);
        let stop = last_line_of_item(&lines, *start, next, indent) + 1;
        let parsed: Tree = serde_saphyr::from_str(&lines[*start..stop].join("\n")).ok()?;
        let Tree::List(parsed) = parsed else { return None };
        let [parsed] = parsed.as_slice() else { return None };
        if parsed.get("name").and_then(Tree::as_text) == Some(name) {
            lines.drain(*start..stop);
            place = Some(*start);
        }
    }
    let place = place.unwrap_or_else(|| {
        let last = starts.last().map(|start| last_line_of_item(&lines, *start, end, indent) + 1);
        last.unwrap_or(head + 1)
    });
    lines.splice(place..place, item(entry, indent)?);
    Some(joined(&lines))
}

/// Sets a top-level key with a plain value.
pub(super) fn set(text: &str, key: &str, value: &str) -> Option<String> {
    let mut lines: Vec<String> = text.lines().map(str::to_owned).collect();
    let entry = Tree::Map(vec![(key.to_owned(), Tree::text(value))]);
    let line = serde_saphyr::to_string(&entry).ok()?.trim_end().to_owned();
    match position(&lines, key) {
        Some(at) => lines[at] = line,
        None => lines.push(line),
    }
    Some(joined(&lines))
}

/// The line of a top-level key.
fn position(lines: &[String], key: &str) -> Option<usize> {
    lines.iter().position(|line| {
        line.strip_prefix(key)
            .and_then(|rest| rest.strip_prefix(':'))
            .is_some_and(|rest| rest.is_empty() || rest.starts_with([' ', '\t']))
    })
}

/// One past the section's last line: the next top-level key, or the end.
fn end_of_section(lines: &[String], head: usize) -> usize {
    let is_key = |line: &String| !line.is_empty() && !line.starts_with([' ', '\t', '#', '-']);
    let next = lines.iter().skip(head + 1).position(|line| is_key(line) || line.starts_with("---"));
    next.map_or(lines.len(), |next| head + 1 + next)
}

/// Where the entries of a list start.
fn items(lines: &[String], head: usize, end: usize) -> Vec<usize> {
    let is_item = |line: &str| line.trim_start() == "-" || line.trim_start().starts_with("- ");
    let mut indent = None;
    (head + 1..end)
        .filter(|at| {
            let line = &lines[*at];
            is_item(line) && *indent.get_or_insert(indent_of(line)) == indent_of(line)
        })
        .collect()
}

/// An entry's last line: comments and blank lines between it and the next belong to neither.
fn last_line_of_item(lines: &[String], start: usize, next: usize, indent: usize) -> usize {
    let inside = |line: &String| !line.trim().is_empty() && indent_of(line) > indent;
    (start + 1..next)
        .rev()
        .find(|at| inside(&lines[*at]) && !lines[*at].trim_start().starts_with('#'))
        .unwrap_or(start)
}

fn indent_of(line: &str) -> usize {
    line.len() - line.trim_start_matches(' ').len()
}

/// An entry as lines.
fn item(entry: &Tree, indent: usize) -> Option<Vec<String>> {
    let text = serde_saphyr::to_string(&Tree::List(vec![entry.clone()])).ok()?;
    Some(text.lines().map(|line| format!("{:indent$}{line}", "")).collect())
}

fn joined(lines: &[String]) -> String {
    let mut text = lines.join("\n");
    text.push('\n');
    text
}
