//! The tree.

use std::rc::Rc;

use crate::span::{Span, Spanned};

/// A value of the file.
#[derive(Debug)]
pub(crate) struct Node {
    /// What it is.
    pub(crate) value: Value,
    /// Where it stands; for an alias, where the anchor's value stands.
    pub(crate) span: Span,
    /// Nodes in this subtree, itself included; aliases count in full.
    pub(crate) size: usize,
    /// Levels in this subtree, itself included.
    pub(crate) depth: usize,
}

/// The kinds of value.
#[derive(Debug)]
pub(crate) enum Value {
    /// Text as written; `plain` if it was not quoted, so that `true` and `"true"` differ.
    Scalar { text: String, plain: bool },
    /// A list.
    Sequence(Vec<Rc<Node>>),
    /// Keys and values in the order of the file; duplicates are still there.
    Mapping(Vec<Entry>),
}

/// A key with its value.
#[derive(Debug)]
pub(crate) struct Entry {
    /// The key's text.
    pub(crate) key: Spanned<String>,
    /// Its value; shared with the anchor it may come from.
    pub(crate) value: Rc<Node>,
}

impl Node {
    /// A node that knows the size of what is below it.
    pub(crate) fn new(value: Value, span: Span) -> Self {
        let (size, depth) = match &value {
            Value::Scalar { .. } => (0, 0),
            Value::Sequence(items) => measure(items.iter().map(AsRef::as_ref)),
            Value::Mapping(entries) => measure(entries.iter().map(|entry| entry.value.as_ref())),
        };
        Self { value, span, size: size + 1, depth: depth + 1 }
    }

    /// Whether nothing was written (`key:`), or YAML's word for it.
    pub(crate) fn is_null(&self) -> bool {
        matches!(&self.value, Value::Scalar { text, plain: true }
            if matches!(text.as_str(), "" | "~" | "null" | "Null" | "NULL"))
    }

    /// What this is, for "expected …, found …"; a scalar is quoted by the caller.
    pub(crate) fn kind(&self) -> &'static str {
        match &self.value {
            _ if self.is_null() => "nothing",
            Value::Scalar { .. } => "text",
            Value::Sequence(_) => "a list",
            Value::Mapping(_) => "a mapping",
        }
    }
}

fn measure<'a>(nodes: impl Iterator<Item = &'a Node>) -> (usize, usize) {
    nodes.fold((0, 0), |(size, depth), node| (size + node.size, depth.max(node.depth)))
}
