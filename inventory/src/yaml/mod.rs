//! The YAML of an inventory as a tree that remembers where everything stands.
//!
//! `serde` stops at its first error; a user wants all of them. So the events of `serde-saphyr`'s own parser are kept as
//! a tree, and the readers in [`crate::source`] walk it and go on after a fault. See docs/adr/0001-serde-saphyr.md.

mod mask;
mod node;
mod read;

pub(crate) use mask::{mask_text, mask_tree};
pub(crate) use node::{Entry, Node, Value};
pub(crate) use read::read;
