//! `playbooks:`, the folders of the user's own playbooks, and `without:`, the shipped ones that are left out.

use super::field::Field;
use crate::fault::{Fault, Faults, Flaw, quote};
use crate::span::Spanned;
use crate::suggestion::nearest;
use crate::yaml::Value;

const EXAMPLE: &str = "playbooks: [./my-playbook]";

/// Reads the list; a folder that is named twice is reported.
pub(super) fn read(field: &Field<'_>, faults: &mut Faults) -> Option<Spanned<Vec<Spanned<String>>>> {
    let Value::Sequence(items) = &field.node.value else {
        return field.expected("a list of folders", &format!("write it like `{EXAMPLE}`"), faults);
    };
    let mut folders: Vec<Spanned<String>> = Vec::with_capacity(items.len());
    for (index, item) in items.iter().enumerate() {
        let item = Field { path: format!("{}[{index}]", field.path), key: field.key, node: item.as_ref() };
        let Some(folder) = item.parsed(folder, faults) else { continue };
        match folders.iter().find(|earlier| plain(&earlier.value) == plain(&folder.value)) {
            Some(first) => faults.push(
                Fault::new(folder.span, format!("{} is named twice", quote(&folder.value)))
                    .related(first.span, "first named here")
                    .help("keep one of the two"),
            ),
            None => folders.push(folder),
        }
    }
    Some(Spanned::new(folders, field.span()))
}

/// Shipped playbooks that a cluster can do without.
pub(super) const OPTIONAL: [&str; 1] = ["sd-card"];

/// Reads the names of shipped playbooks that are left out.
pub(super) fn read_without(field: &Field<'_>, faults: &mut Faults) -> Option<Spanned<Vec<Spanned<String>>>> {
    let Value::Sequence(items) = &field.node.value else {
        return field.expected("a list of playbooks", "write it like `without: [sd-card]`", faults);
    };
    let mut names = Vec::with_capacity(items.len());
    for (index, item) in items.iter().enumerate() {
        let item = Field { path: format!("{}[{index}]", field.path), key: field.key, node: item.as_ref() };
        names.extend(item.parsed(optional, faults));
    }
    Some(Spanned::new(names, field.span()))
}

fn optional(text: &str) -> Result<String, Flaw> {
    if OPTIONAL.contains(&text) {
        return Ok(text.to_owned());
    }
    let flaw = Flaw::new(format!("{} is no playbook that can be left out", quote(text)));
    let help = match nearest(text, OPTIONAL) {
        Some(word) => format!("did you mean `{word}`?"),
        None => format!("only {} can be", OPTIONAL.map(quote).join(", ")),
    };
    Err(flaw.help(help))
}

/// The path of a folder as written; where it leads is found when the file is loaded.
fn folder(text: &str) -> Result<String, Flaw> {
    if text.trim().is_empty() {
        return Err(Flaw::new("the path is empty").help("name the folder of a playbook"));
    }
    if let Some(parent) = text.strip_suffix("playbook.yaml") {
        let folder = if parent.is_empty() { "." } else { parent.trim_end_matches('/') };
        return Err(Flaw::new("this is the file of a playbook, and its folder is wanted")
            .help(format!("write {}", quote(folder))));
    }
    if text.starts_with('~') && text != "~" && !text.starts_with("~/") {
        return Err(Flaw::new("the home folder of another user is not looked up")
            .help("write the path from `/`, or `~/…` for your own home folder"));
    }
    Ok(text.to_owned())
}

/// Without what makes no difference.
fn plain(path: &str) -> &str {
    path.trim_start_matches("./").trim_end_matches('/')
}
