//! `{ env: }`, `{ file: }`, `{ command: [..] }`

use std::path::PathBuf;

use schemars::JsonSchema;

use super::field::Field;
use super::path::path;
use super::section::Keys;
use crate::fault::{Fault, Faults, Flaw, quote};
use crate::secret::SecretReference;
use crate::span::Spanned;
use crate::yaml::Value;

/// Where a secret is found. Never the secret itself.
#[derive(JsonSchema)]
#[schemars(rename = "SecretReference", rename_all = "snake_case")]
#[expect(dead_code, reason = "the shape of a value for the schema")]
pub(crate) enum Shape {
    /// The name of an environment variable.
    Env(String),
    /// A file nobody else can read (mode 0600).
    File(String),
    /// A program and its arguments; what it prints is the secret.
    Command(#[schemars(length(min = 1))] Vec<String>),
}

pub(super) static KEYS: Keys = Keys {
    example: "passphrase: { env: SSH_PASSPHRASE }",
    known: &["env", "file", "command"],
    later: &[],
    elsewhere: &[],
};

const FORMS: &str = "`{ env: NAME }`, `{ file: PATH }` or `{ command: [PROGRAM, …] }`";

/// Reads a reference. The text of a value that is no reference is never repeated: it may be the secret.
pub(super) fn read(field: &Field<'_>, faults: &mut Faults) -> Option<Spanned<SecretReference>> {
    let path_of_field = quote(&field.path);
    if matches!(field.node.value, Value::Scalar { .. } | Value::Sequence(_)) && !field.node.is_null() {
        faults.push(
            Fault::new(
                field.key,
                format!("{path_of_field} must be a reference, a secret is never written here"),
            )
            .help(format!("write {FORMS}")),
        );
        return None;
    }
    let section = field.section(&KEYS, faults)?;
    let fields: Vec<_> = KEYS.known.iter().filter_map(|key| section.get(key)).collect();
    let [one] = fields.as_slice() else {
        faults.push(
            Fault::new(field.key, format!("{path_of_field} must name exactly one source"))
                .help(format!("write {FORMS}")),
        );
        return None;
    };
    let reference = match one.path.rsplit('.').next() {
        Some("env") => SecretReference::Env(one.parsed(variable, faults)?.value),
        Some("file") => SecretReference::File(PathBuf::from(one.parsed(path, faults)?.value)),
        _ => SecretReference::Command(command(one, faults)?),
    };
    Some(Spanned::new(reference, one.span()))
}

fn variable(text: &str) -> Result<String, Flaw> {
    let name = text.strip_prefix('$').unwrap_or(text);
    let good = !name.is_empty()
        && !name.starts_with(|first: char| first.is_ascii_digit())
        && name.chars().all(|character| character.is_ascii_alphanumeric() || character == '_');
    if !good {
        return Err(Flaw::new("this is no name of an environment variable")
            .help("a name has letters, digits and `_`, such as `SSH_PASSPHRASE`"));
    }
    if name.len() != text.len() {
        return Err(Flaw::new("the name goes without `$`").help("remove the `$`"));
    }
    Ok(text.to_owned())
}

fn command(field: &Field<'_>, faults: &mut Faults) -> Option<Vec<String>> {
    let Value::Sequence(items) = &field.node.value else {
        // What was written is not repeated: it may be the secret.
        let message = format!("{} must be a list of a program and its arguments", quote(&field.path));
        let help = "write each argument by itself, no shell reads it: `[pass, show, homelab]`";
        faults.push(Fault::new(field.span(), message).help(help));
        return None;
    };
    let words = items
        .iter()
        .enumerate()
        .map(|(index, item)| {
            let item =
                Field { path: format!("{}[{index}]", field.path), key: field.key, node: item.as_ref() };
            item.text(faults).map(|text| text.value)
        })
        .collect::<Vec<_>>();
    let words = words.into_iter().collect::<Option<Vec<_>>>()?;
    if words.first().is_none_or(|program| program.trim().is_empty()) {
        faults.push(
            Fault::new(field.span(), format!("{} names no program", quote(&field.path)))
                .help("write it like `[pass, show, homelab]`"),
        );
        return None;
    }
    Some(words)
}
