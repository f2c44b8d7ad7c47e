//! From text to the tree.

use serde_saphyr::granit_parser::{Event, Options, Parser, ScalarStyle};

use super::{Node, Value};
use crate::diagnostic::{Fault, Faults};
use crate::file::{Span, Spanned};

/// Levels a playbook may have.
const DEEPEST: usize = 32;

/// Reads exactly one document; the first thing that is not YAML, or that a playbook may not use (tags, anchors, keys
/// that are no text, a second document), is the fault.
pub(crate) fn read(file: usize, source: &str, faults: &mut Faults) -> Option<Node> {
    match tree(file, source) {
        Ok(node) => Some(node),
        Err(fault) => {
            faults.push(*fault);
            None
        }
    }
}

/// A list or mapping whose end is still to come.
struct Open {
    mapping: bool,
    start: usize,
    items: Vec<Node>,
    key: Option<Spanned<String>>,
    entries: Vec<(Spanned<String>, Node)>,
}

fn tree(file: usize, source: &str) -> Result<Node, Box<Fault>> {
    let mut options = Options::default();
    options.set_emit_comments(false);
    let mut open: Vec<Open> = Vec::new();
    let mut root = None;
    for next in Parser::new_from_str_with_options(source, options) {
        let (event, place) = next.map_err(|error| {
            let start = error.marker().byte_offset().unwrap_or(source.len()).min(source.len());
            Fault::new(Span { file, start, end: start }, format!("this is not YAML: {}", error.info()))
        })?;
        let start = place.start.byte_offset().unwrap_or(source.len()).min(source.len());
        let end = place.end.byte_offset().unwrap_or(start).clamp(start, source.len());
        let span = Span { file, start, end };
        if event.tag().is_some() {
            return Err(Fault::new(span, "a playbook uses no YAML tags").into());
        }
        let anchored = match &event {
            Event::Scalar(_, _, anchor, _)
            | Event::SequenceStart(_, anchor, _)
            | Event::MappingStart(_, anchor, _) => *anchor != 0,
            Event::Alias(_) => true,
            _ => false,
        };
        if anchored {
            let fault = Fault::new(span, "a playbook uses no YAML anchors");
            return Err(fault.help("write the value out; what repeats belongs into `vars`").into());
        }
        let node = match event {
            Event::DocumentStart(..) if root.is_some() => {
                return Err(Fault::new(span, "a playbook is one document, a second one starts here").into());
            }
            Event::Scalar(text, style, ..) => Node {
                value: Value::Scalar { text: text.into_owned(), plain: style == ScalarStyle::Plain },
                span,
            },
            Event::SequenceStart(..) | Event::MappingStart(..) => {
                let mapping = matches!(event, Event::MappingStart(..));
                if open.last().is_some_and(|parent| parent.mapping && parent.key.is_none()) {
                    return Err(Fault::new(span, "a key must be text")
                        .help("a value that starts with `{{` needs quotes around it")
                        .into());
                }
                if open.len() >= DEEPEST {
                    return Err(Fault::new(span, format!("nested deeper than {DEEPEST} levels")).into());
                }
                open.push(Open { mapping, start, items: Vec::new(), key: None, entries: Vec::new() });
                continue;
            }
            Event::SequenceEnd | Event::MappingEnd => {
                let Some(done) = open.pop() else { continue };
                let value =
                    if done.mapping { Value::Mapping(done.entries) } else { Value::Sequence(done.items) };
                Node { value, span: Span { file, start: done.start, end: end.max(done.start) } }
            }
            _ => continue,
        };
        match open.last_mut() {
            None => root = Some(node),
            Some(parent) if !parent.mapping => parent.items.push(node),
            Some(parent) => match (parent.key.take(), node.value) {
                (Some(key), value) => parent.entries.push((key, Node { value, span: node.span })),
                (None, Value::Scalar { text, .. }) => {
                    parent.key = Some(Spanned { value: text, span: node.span });
                }
                (None, _) => {
                    let fault = Fault::new(node.span, "a key must be text");
                    return Err(fault.help("a value that starts with `{{` needs quotes around it").into());
                }
            },
        }
    }
    let start = source.len();
    root.ok_or_else(|| Fault::new(Span { file, start, end: start }, "this file is empty").into())
}
