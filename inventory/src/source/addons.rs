//! `addons:`

use super::field::Field;
use crate::addon::Addon;
use crate::fault::{Fault, Faults, Flaw, quote};
use crate::source::section::list;
use crate::span::Spanned;
use crate::suggestion::nearest;
use crate::yaml::Value;

/// What other tools call these.
const OTHER_NAMES: [(&str, &str); 5] = [
    ("metrics", "metrics-server"),
    ("local-path", "local-path-storage"),
    ("local-path-provisioner", "local-path-storage"),
    ("storage", "local-path-storage"),
    ("hostpath-storage", "local-path-storage"),
];

/// Reads the list; each once.
pub(super) fn read(field: &Field<'_>, faults: &mut Faults) -> Option<Spanned<Vec<Addon>>> {
    let Value::Sequence(items) = &field.node.value else {
        return field.expected("a list of addons", "write it like `addons: [metrics-server]`", faults);
    };
    let mut addons: Vec<Spanned<Addon>> = Vec::with_capacity(items.len());
    let mut good = true;
    for (index, item) in items.iter().enumerate() {
        let item = Field { path: format!("{}[{index}]", field.path), key: field.key, node: item.as_ref() };
        let Some(addon) = item.parsed(addon, faults) else {
            good = false;
            continue;
        };
        match addons.iter().find(|earlier| earlier.value == addon.value) {
            Some(first) => faults.push(
                Fault::new(addon.span, format!("{} is named twice", quote(addon.value.word())))
                    .related(first.span, "first named here")
                    .help("keep one of the two"),
            ),
            None => addons.push(addon),
        }
    }
    good.then(|| Spanned::new(addons.into_iter().map(|addon| addon.value).collect(), field.span()))
}

fn addon(text: &str) -> Result<Addon, Flaw> {
    if let Some(addon) = Addon::ALL.into_iter().find(|addon| addon.word() == text) {
        return Ok(addon);
    }
    let words = Addon::ALL.map(Addon::word);
    let meant = OTHER_NAMES.iter().find(|(other, _)| *other == text).map(|(_, word)| *word);
    let flaw = Flaw::new(format!("there is no addon {}", quote(text)));
    Err(match meant.or_else(|| nearest(text, words)) {
        Some(word) => flaw.help(format!("did you mean `{word}`?")),
        None if text == "traefik" || text == "ingress" => flaw.help("write `edge: { ingress: {} }`"),
        None => flaw.help(format!("known here: {}", list(&words))),
    })
}
