//! Keeps secrets out of excerpts: somebody will write a password where a reference belongs, and the diagnostic that
//! says so must not carry it into a terminal's scrollback or a CI log.

use super::node::{Entry, Node, Value};
use crate::span::Span;

/// Keys whose text is taken for a secret.
const SECRET_WORDS: [&str; 5] = ["password", "passphrase", "passwd", "token", "secret"];

fn is_secret(key: &str) -> bool {
    let key = key.to_lowercase();
    SECRET_WORDS.iter().any(|word| key.contains(word))
}

/// `https://me:hunter2@example.org`: a URL that holds a login.
fn has_login(text: &str) -> bool {
    let rest = text.split_once("://").map(|(_, rest)| rest);
    rest.and_then(|rest| rest.split(['/', '?', '#']).next()).is_some_and(|authority| authority.contains('@'))
}

/// `sudo: hunter2`: somebody left out `password`.
fn is_misplaced(entry: &Entry) -> bool {
    entry.key.value == "sudo" && matches!(entry.value.value, Value::Scalar { .. })
}

/// The source with the text directly under secret keys replaced by `*`, at unchanged offsets.
pub(crate) fn mask_tree(source: &str, root: &Node) -> String {
    let mut spans = Vec::new();
    collect(root, &mut spans);
    replace(source, &spans)
}

fn collect(node: &Node, spans: &mut Vec<Span>) {
    match &node.value {
        Value::Scalar { text, .. } if has_login(text) => spans.push(node.span),
        Value::Scalar { .. } => {}
        Value::Sequence(items) => items.iter().for_each(|item| collect(item, spans)),
        Value::Mapping(entries) => {
            for entry in entries {
                if is_secret(&entry.key.value) || is_misplaced(entry) {
                    cover(&entry.value, spans);
                } else {
                    collect(&entry.value, spans);
                }
            }
        }
    }
}

/// Covers all text below a secret key but what a good reference shows.
fn cover(node: &Node, spans: &mut Vec<Span>) {
    match &node.value {
        Value::Scalar { .. } => spans.push(node.span),
        Value::Sequence(items) => items.iter().for_each(|item| cover(item, spans)),
        Value::Mapping(entries) => {
            for entry in entries {
                let shown = match (entry.key.value.as_str(), &entry.value.value) {
                    ("env", Value::Scalar { text, .. }) => {
                        text.chars().all(|character| character.is_ascii_alphanumeric() || character == '_')
                    }
                    ("file", Value::Scalar { .. }) | ("command", Value::Sequence(_)) => true,
                    _ => false,
                };
                if !shown {
                    cover(&entry.value, spans);
                }
            }
        }
    }
}

/// The same for a text that is not YAML and has no tree: what follows a secret key on its line.
pub(crate) fn mask_text(source: &str) -> String {
    let mut spans = Vec::new();
    let mut start = 0;
    for line in source.split_inclusive('\n') {
        if let Some(colon) = line.find(':').and_then(|first| {
            line[first..].match_indices(':').map(|(at, _)| first + at).find(|at| is_secret(&line[..*at]))
        }) {
            spans.push(Span { start: start + colon + 1, end: start + line.len() });
        }
        start += line.len();
    }
    replace(source, &spans)
}

fn replace(source: &str, spans: &[Span]) -> String {
    let masked = |offset: usize| spans.iter().any(|span| span.range().contains(&offset));
    let mut text = String::with_capacity(source.len());
    for (offset, character) in source.char_indices() {
        if masked(offset) && !character.is_whitespace() {
            text.extend(std::iter::repeat_n('*', character.len_utf8()));
        } else {
            text.push(character);
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::{mask_text, mask_tree};
    use crate::yaml::read;

    #[test]
    fn the_text_under_a_secret_key_is_masked_at_unchanged_offsets() {
        let source = "ssh: { passphrase: hünter2, user: pi }\n";
        let masked = mask_tree(source, &read(source).unwrap());
        assert_eq!(masked, "ssh: { passphrase: ********, user: pi }\n");
        assert_eq!(masked.len(), source.len());
    }

    #[test]
    fn a_text_that_is_not_yaml_is_masked_by_line() {
        assert_eq!(mask_text("a: 1\nsudo: { password: hunter2\n"), "a: 1\nsudo: { password: *******\n");
    }
}
