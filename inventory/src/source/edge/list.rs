//! Lists under `edge:`

use super::super::field::Field;
use crate::fault::{Fault, Faults, Flaw, quote};
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
    let items = items(field, what, example, parse, faults)?;
    Some(Spanned::new(items.into_iter().collect::<Option<_>>()?, field.span()))
}

/// The same, and nothing may be written twice.
pub(super) fn distinct<T: PartialEq>(
    field: &Field<'_>,
    what: &str,
    example: &str,
    parse: fn(&str) -> Result<T, Flaw>,
    faults: &mut Faults,
) -> Option<Spanned<Vec<T>>> {
    let mut items = items(field, what, example, parse, faults)?;
    for index in 0..items.len() {
        let (earlier, later) = items.split_at_mut(index);
        let Some(item) = &later[0] else { continue };
        let Some(first) = earlier.iter().flatten().find(|first| first.value == item.value) else { continue };
        let path = format!("{}[{index}]", field.path);
        faults.push(
            Fault::new(item.span, format!("{} is given twice", quote(&path)))
                .related(first.span, "first given here")
                .help("keep one of the two"),
        );
        later[0] = None;
    }
    let values = items.into_iter().map(|item| item.map(|item| item.value)).collect::<Option<_>>()?;
    Some(Spanned::new(values, field.span()))
}

/// Each item, or nothing in the place of one that was reported.
fn items<T>(
    field: &Field<'_>,
    what: &str,
    example: &str,
    parse: fn(&str) -> Result<T, Flaw>,
    faults: &mut Faults,
) -> Option<Vec<Option<Spanned<T>>>> {
    let Value::Sequence(items) = &field.node.value else {
        return field.expected(what, &format!("write it like `{example}`"), faults);
    };
    let read = items.iter().enumerate().map(|(index, item)| {
        let path = format!("{}[{index}]", field.path);
        Field { path, key: field.key, node: item.as_ref() }.parsed(parse, faults)
    });
    Some(read.collect())
}
