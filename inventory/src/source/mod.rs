//! The inventory as the user wrote it: every field with its place, nothing filled in.
//!
//! Each file holds one section: its type (which also gives the JSON Schema), its keys, its reader.

mod cluster;
mod field;
mod host;
mod inventory;
mod secret_reference;
mod section;
mod ssh;

pub(crate) use cluster::Cluster;
pub(crate) use host::Host;
pub(crate) use inventory::Inventory;
pub(crate) use ssh::Ssh;
