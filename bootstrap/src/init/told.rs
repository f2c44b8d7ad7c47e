//! What a person, or a program, is told at the end.

use std::path::Path;

use garboard_inventory::{Inventory, Role};
use serde::Serialize;

use crate::invocation::Global;
use crate::output::{Event, Listener as _, human::Human};

/// For a program: `--output json`.
#[derive(Debug, Serialize)]
pub struct Document<'a> {
    /// The file that was written; none with `--print`.
    pub inventory: Option<&'a Path>,
    /// The cluster's name.
    pub cluster: &'a str,
    /// In the inventory's order.
    pub hosts: Vec<HostOfDocument<'a>>,
    /// The folder with the files for the cards, with `--pi`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub first_boot: Option<&'a Path>,
    /// What would have been written, with `--print`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub text: Option<&'a str>,
}

/// A host in a [`Document`].
#[derive(Debug, Serialize)]
pub struct HostOfDocument<'a> {
    name: &'a str,
    address: &'a str,
    role: Role,
    host_key: Option<&'a str>,
}

impl<'a> Document<'a> {
    /// Of what was written.
    pub fn of(inventory: &'a Inventory, path: Option<&'a Path>, text: &'a str) -> Self {
        let host = |host: &'a garboard_inventory::Host| HostOfDocument {
            name: &host.name,
            address: &host.address,
            role: host.role,
            host_key: host.host_key.as_deref(),
        };
        Self {
            inventory: path,
            cluster: &inventory.cluster.name,
            hosts: inventory.hosts.iter().map(host).collect(),
            first_boot: None,
            text: path.is_none().then_some(text),
        }
    }
}

/// For a person: what lies where, and what to do next. `before` is what has to be done before that.
pub fn next_steps(inventory: &Inventory, path: &Path, before: Option<&str>) -> String {
    let count = inventory.hosts.len();
    let plane = inventory.hosts.iter().find(|host| host.role == Role::ControlPlane);
    let plane = plane.map_or_else(String::new, |host| format!(", {} is the control plane", host.name));
    let flag = if path == Path::new("garboard.yaml") {
        String::new()
    } else {
        format!(" --inventory {}", path.display())
    };
    format!(
        "`{}` describes cluster `{}`: {count} host{}{plane}\n{before}next: `garboard check{flag}` says what stands in the way, \
         `garboard up{flag}` makes the cluster",
        path.display(),
        inventory.cluster.name,
        if count == 1 { "" } else { "s" },
        before = before.map_or_else(String::new, |before| format!("{before}\n")),
    )
}

/// Tells a person on standard error.
pub fn tell(global: &Global, text: &str) {
    Human::new(false, global.terminal()).event(&Event::Note { text: text.to_owned() });
}
