//! From text to the tree.

use std::collections::HashMap;
use std::rc::Rc;

use serde_saphyr::granit_parser::{Event, Options, Parser, ScalarStyle, Span as ParserSpan};

use super::node::{Entry, Node, Value};
use crate::fault::{Fault, quote};
use crate::span::{Span, Spanned};

/// Nodes an inventory may have once aliases are written out; a thousand hosts need some ten thousand.
const MOST_NODES: usize = 100_000;
/// Levels an inventory may have; it needs six.
const DEEPEST: usize = 64;

/// Reads exactly one document.
///
/// # Errors
/// The first thing that is not YAML, or that an inventory may not use: tags, keys that are no text, a second document,
/// more nodes or levels than any inventory needs.
pub(crate) fn read(source: &str) -> Result<Rc<Node>, Fault> {
    let mut options = Options::default();
    options.set_emit_comments(false);
    let mut tree = Tree::default();
    for next in Parser::new_from_str_with_options(source, options) {
        let (event, span) = next.map_err(|error| {
            let start = error.marker().byte_offset().unwrap_or(source.len()).min(source.len());
            Fault::new(Span { start, end: start }, format!("this is not YAML: {}", error.info())).help(
                "look at the indentation (spaces, no tabs), quotes and brackets, here and on the lines before",
            )
        })?;
        tree.take(event, &span, source.len())?;
    }
    tree.root.filter(|root| !root.is_null()).ok_or_else(|| empty(source))
}

fn empty(source: &str) -> Fault {
    let end = source.len();
    Fault::new(Span { start: end, end }, "the inventory is empty").help("it needs `cluster:` and `hosts:`")
}

/// A list or mapping whose end is still to come.
struct Open {
    items: Vec<Rc<Node>>,
    /// In a mapping, the key whose value is still to come.
    key: Option<Spanned<String>>,
    entries: Vec<Entry>,
    mapping: bool,
    start: usize,
    anchor: usize,
}

#[derive(Default)]
struct Tree {
    open: Vec<Open>,
    anchors: HashMap<usize, Rc<Node>>,
    root: Option<Rc<Node>>,
    nodes: usize,
}

impl Tree {
    fn take(&mut self, event: Event<'_>, span: &ParserSpan, length: usize) -> Result<(), Fault> {
        let place = place(span, length);
        if let Some(tag) = event.tag() {
            return Err(Fault::new(place, format!("an inventory uses no YAML tags, found {}", quote(&tag.to_string())))
                .help("remove the tag; a secret is `{ env: NAME }`, `{ file: PATH }` or `{ command: [PROGRAM, …] }`"));
        }
        match event {
            Event::DocumentStart(..) if self.root.is_some() => {
                Err(Fault::new(place, "an inventory is one document, a second one starts here")
                    .help("remove the `---`, or keep the other cluster in a file of its own"))
            }
            Event::Scalar(text, style, anchor, _) => {
                let plain = style == ScalarStyle::Plain;
                self.count(1, place)?;
                self.node(Rc::new(Node::new(Value::Scalar { text: text.into_owned(), plain }, place)), anchor)
            }
            Event::Alias(anchor) => match self.anchors.get(&anchor) {
                Some(node) => {
                    let node = Rc::clone(node);
                    self.count(node.size, place)?;
                    self.node(node, 0)
                }
                None => Err(Fault::new(place, "this alias stands inside the value it repeats")
                    .help("write the value out")),
            },
            Event::SequenceStart(_, anchor, _) => self.start(false, place, anchor),
            Event::MappingStart(_, anchor, _) => self.start(true, place, anchor),
            Event::SequenceEnd | Event::MappingEnd => self.end(place),
            _ => Ok(()),
        }
    }

    fn start(&mut self, mapping: bool, place: Span, anchor: usize) -> Result<(), Fault> {
        if self.open.last().is_some_and(|parent| parent.mapping && parent.key.is_none()) {
            return Err(Fault::new(place, "a key must be text").help(
                "`{{ … }}` without quotes is a mapping to YAML; templates have no place in an inventory",
            ));
        }
        self.count(1, place)?;
        self.open.push(Open {
            items: Vec::new(),
            key: None,
            entries: Vec::new(),
            mapping,
            start: place.start,
            anchor,
        });
        Ok(())
    }

    fn end(&mut self, place: Span) -> Result<(), Fault> {
        let Some(open) = self.open.pop() else { return Ok(()) };
        let value = if open.mapping { Value::Mapping(open.entries) } else { Value::Sequence(open.items) };
        let span = Span { start: open.start, end: place.end.max(open.start) };
        self.node(Rc::new(Node::new(value, span)), open.anchor)
    }

    /// Holds the tree to its limits before it grows.
    fn count(&mut self, nodes: usize, place: Span) -> Result<(), Fault> {
        self.nodes += nodes;
        if self.nodes > MOST_NODES || self.open.len() >= DEEPEST {
            return Err(too_large(place));
        }
        Ok(())
    }

    /// Puts a finished node where it belongs.
    fn node(&mut self, node: Rc<Node>, anchor: usize) -> Result<(), Fault> {
        if self.open.len() + node.depth > DEEPEST {
            return Err(too_large(node.span));
        }
        if anchor != 0 {
            self.anchors.insert(anchor, Rc::clone(&node));
        }
        match self.open.last_mut() {
            None => self.root = Some(node),
            Some(parent) if !parent.mapping => parent.items.push(node),
            Some(parent) => match parent.key.take() {
                Some(key) => parent.entries.push(Entry { key, value: node }),
                None => match &node.value {
                    Value::Scalar { text, .. } => parent.key = Some(Spanned::new(text.clone(), node.span)),
                    _ => return Err(Fault::new(node.span, "a key must be text").help("write the key out")),
                },
            },
        }
        Ok(())
    }
}

fn too_large(place: Span) -> Fault {
    Fault::new(place, "the inventory is nested or repeated beyond any use")
        .help(format!("at most {DEEPEST} levels and {MOST_NODES} values, aliases written out"))
}

fn place(span: &ParserSpan, length: usize) -> Span {
    let start = span.start.byte_offset().unwrap_or(length).min(length);
    Span { start, end: span.end.byte_offset().unwrap_or(start).clamp(start, length) }
}
