//! Fields that conditions of a template name.

use std::ops::Range;

use tera::{Context, Value};

/// Mappings whose keys are the user's: that one is missing is what a condition may well ask.
const FREE: [&str; 1] = ["labels"];

/// A field that is not there.
pub(super) struct Missing {
    /// As written: `facts.features.swap`.
    pub(super) path: String,
    /// The part that is missing.
    pub(super) name: String,
    /// What there is instead.
    pub(super) known: Vec<String>,
    /// Where it stands in the template.
    pub(super) range: Range<usize>,
}

/// Every dotted name in `{% if … %}` and `{% elif … %}` that starts with a variable of `context` and leads nowhere.
/// Names that a template sets itself are left to rendering.
pub(super) fn missing_fields(source: &str, context: &Context) -> Vec<Missing> {
    let mut missing = Vec::new();
    let mut from = 0;
    while let Some(open) = source[from..].find("{%").map(|at| from + at) {
        let Some(close) = source[open..].find("%}").map(|at| open + at) else { break };
        let inside = source[open + 2..close].trim_start_matches('-').trim_start();
        if ["if ", "elif "].iter().any(|word| inside.starts_with(word)) {
            missing.extend(
                dotted_names(&source[open..close])
                    .filter_map(|(at, path)| lookup(context, path, open + at..open + at + path.len())),
            );
        }
        from = close + 2;
    }
    missing
}

/// `a.b.c`, with offsets, outside quotes.
fn dotted_names(text: &str) -> impl Iterator<Item = (usize, &str)> {
    let mut names = Vec::new();
    let mut quote = None;
    let mut start = None;
    for (at, character) in text.char_indices().chain([(text.len(), ' ')]) {
        let part = quote.is_none() && (character.is_alphanumeric() || matches!(character, '_' | '.'));
        match (part, start) {
            (true, None) => start = Some(at),
            (false, Some(begin)) => {
                names.push((begin, &text[begin..at]));
                start = None;
            }
            _ => {}
        }
        match quote {
            Some(open) if open == character => quote = None,
            None if matches!(character, '"' | '\'' | '`') => quote = Some(character),
            _ => {}
        }
    }
    names.into_iter().filter(|(_, name)| name.contains('.'))
}

fn lookup(context: &Context, path: &str, range: Range<usize>) -> Option<Missing> {
    let mut parts = path.split('.');
    let mut value: &Value = context.get(parts.next()?)?;
    let mut parent = "";
    for part in parts {
        if FREE.contains(&parent) || part.is_empty() {
            return None;
        }
        let map = value.as_map();
        let Some((_, next)) = map.and_then(|map| map.iter().find(|(key, _)| key.as_str() == Some(part)))
        else {
            let keys = map.into_iter().flat_map(|map| map.keys()).filter_map(|key| key.as_str());
            let mut known: Vec<String> = keys.map(str::to_owned).collect();
            known.sort();
            return Some(Missing { path: path.to_owned(), name: part.to_owned(), known, range });
        };
        value = next;
        parent = part;
    }
    None
}
