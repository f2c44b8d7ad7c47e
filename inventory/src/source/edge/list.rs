//! Lists under `edge:`

use super::super::field::Field;
use crate::fault::{Faults, Flaw};
use crate::span::Spanned;
use crate::yaml::Value;

/// All items of a list, where each is good; the others are reported, and then there is none.
pub(super) fn list<T>(
    field: &Field<'_>,
    what: &str,
    example: &str,
    parse: fn(&str) -> Result<T, Flaw>,
    faults: &mut Faults,
) -> Option<Spanned<Vec<Spanned<T>>>> {
    let Value::Sequence(items) = &field.node.value else {
        return field.expected(what, &format!("write it like `{example}`"), faults);
    };
    let items: Vec<_> = items
        .iter()
        .enumerate()
        .map(|(index, item)| {
            let path = format!("{}[{index}]", field.path);
            Field { path, key: field.key, node: item.as_ref() }.parsed(parse, faults)
        })
        .collect();
    Some(Spanned::new(items.into_iter().collect::<Option<_>>()?, field.span()))
}
