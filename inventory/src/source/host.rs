//! A host, under its name in `hosts:`.

use std::collections::BTreeMap;
use std::net::IpAddr;

use schemars::JsonSchema;

use super::field::{Field, given};
use super::section::Keys;
use super::ssh::Ssh;
use crate::fault::{Fault, Faults, Flaw, quote};
use crate::host::{Role, Zone};
use crate::span::{Given, Spanned};
use crate::suggestion::nearest;
use crate::syntax;

/// A machine.
#[derive(Debug, JsonSchema)]
#[schemars(deny_unknown_fields)]
#[expect(clippy::struct_field_names, reason = "`host_key` is the word of the file and of SSH")]
pub(crate) struct Host {
    /// Where SSH finds it: an IP address or a name.
    pub(crate) address: Given<String>,
    /// What it does in the cluster.
    pub(crate) role: Given<Role>,
    /// Its address in the cluster. Without it: `address`, if that is on one of its interfaces.
    #[schemars(default, with = "std::net::Ipv4Addr")]
    pub(crate) node_ip: Given<IpAddr>,
    /// Labels of its node.
    #[schemars(default, with = "BTreeMap<String, LabelValue>")]
    pub(crate) labels: Given<BTreeMap<String, String>>,
    /// The fingerprint of its SSH host key, as `ssh-keygen -l` prints it. It wins over `known_hosts`.
    #[schemars(default, with = "String", extend("pattern" = "^SHA256:[A-Za-z0-9+/]{43}$"))]
    pub(crate) host_key: Given<String>,
    /// Leave the OS hostname as it is instead of setting it to the host's name.
    #[schemars(default, extend("default" = false))]
    pub(crate) keep_hostname: Given<bool>,
    /// The tier of the network it stands in. Without it: `public` for the edge host, `private` for all others.
    #[schemars(default)]
    pub(crate) zone: Given<Zone>,
    /// Whether it faces the internet. One worker may.
    #[schemars(default, extend("default" = false))]
    pub(crate) edge: Given<bool>,
    /// How this host is reached, field by field over the `ssh:` at the top.
    #[schemars(default)]
    pub(crate) ssh: Ssh,
}

/// The value of a label. Numbers and `true` are taken as they are written.
#[derive(JsonSchema)]
#[schemars(untagged)]
#[expect(dead_code, reason = "the shape of a value for the schema")]
enum LabelValue {
    Text(String),
    Number(f64),
    Boolean(bool),
}

const IN_SSH: &str = "it belongs under the host's `ssh:`, or under `ssh:` at the top";

pub(super) static KEYS: Keys = Keys {
    example: "w1: { address: 192.168.1.12, role: worker }",
    known: &["address", "role", "node_ip", "labels", "host_key", "keep_hostname", "ssh", "zone", "edge"],
    later: &[("taints", "remove it, and use `kubectl taint` once the cluster is up")],
    elsewhere: &[
        ("user", IN_SSH),
        ("port", IN_SSH),
        ("identity", IN_SSH),
        ("passphrase", IN_SSH),
        ("proxy_command", IN_SSH),
        ("password", IN_SSH),
        ("proxy_jump", IN_SSH),
        ("transport", IN_SSH),
        ("sudo", IN_SSH),
        ("ip", "did you mean `address`?"),
        ("host", "did you mean `address`?"),
        ("ansible_host", "did you mean `address`?"),
        ("hostname", "the host's key in `hosts:` is its hostname; `keep_hostname: true` leaves the OS's own"),
        ("fingerprint", "did you mean `host_key`?"),
    ],
};

impl Host {
    /// Reads a host; every field that is wrong is faulty.
    pub(super) fn read(field: &Field<'_>, faults: &mut Faults) -> Self {
        let Some(section) = field.section(&KEYS, faults) else {
            return Self {
                address: Given::Faulty,
                role: Given::Faulty,
                node_ip: Given::Faulty,
                labels: Given::Faulty,
                host_key: Given::Faulty,
                keep_hostname: Given::Faulty,
                zone: Given::Faulty,
                edge: Given::Faulty,
                ssh: Ssh::default(),
            };
        };
        let address = section.require("address", "address: 192.168.1.11", faults);
        let role = section.require("role", "role: worker", faults);
        Self {
            // An absent field that must be there was reported: rules have nothing to say about it.
            address: required(address, |field| field.parsed(syntax::address, faults)),
            role: required(role, |field| field.parsed(read_role, faults)),
            node_ip: given(section.get("node_ip"), |field| field.parsed(syntax::node_ip, faults)),
            labels: given(section.get("labels"), |field| labels(field, faults)),
            host_key: given(section.get("host_key"), |field| field.parsed(syntax::fingerprint, faults)),
            keep_hostname: given(section.get("keep_hostname"), |field| field.boolean(faults)),
            zone: given(section.get("zone"), |field| field.parsed(read_zone, faults)),
            edge: given(section.get("edge"), |field| field.boolean(faults)),
            ssh: section.get("ssh").map_or_else(Ssh::default, |field| Ssh::read(&field, faults)),
        }
    }
}

fn required<T>(field: Option<Field<'_>>, read: impl FnOnce(&Field<'_>) -> Option<Spanned<T>>) -> Given<T> {
    field.map_or(Given::Faulty, |field| read(&field).into())
}

fn read_role(text: &str) -> Result<Role, Flaw> {
    match text {
        "control_plane" => Ok(Role::ControlPlane),
        "worker" => Ok(Role::Worker),
        _ => {
            let meant = match text.to_lowercase().as_str() {
                "master" | "server" | "controller" | "controlplane" | "cp" => Some("control_plane"),
                "node" | "agent" | "slave" | "minion" => Some("worker"),
                _ => nearest(text, ["control_plane", "worker"]),
            };
            let flaw = Flaw::new(format!("{} is no role", quote(text)));
            Err(match meant {
                Some(word) => flaw.help(format!("did you mean `{word}`?")),
                None => flaw.help("write `control_plane` or `worker`"),
            })
        }
    }
}

fn read_zone(text: &str) -> Result<Zone, Flaw> {
    Zone::ALL.into_iter().find(|zone| zone.word() == text).ok_or_else(|| {
        let words = Zone::ALL.map(Zone::word);
        let meant = match text.to_lowercase().as_str() {
            "dmz" | "edge" | "internet" => Some("public"),
            "lan" | "home" | "internal" => Some("private"),
            "storage" | "database" | "db" => Some("data"),
            _ => nearest(text, words),
        };
        let flaw = Flaw::new(format!("{} is no zone", quote(text)));
        match meant {
            Some(word) => flaw.help(format!("did you mean `{word}`?")),
            None => flaw.help("write `public`, `private` or `data`"),
        }
    })
}

fn labels(field: &Field<'_>, faults: &mut Faults) -> Option<Spanned<BTreeMap<String, String>>> {
    let entries = field.entries("a mapping from label keys to values", "labels: { disk: ssd }", faults)?;
    let mut labels = BTreeMap::new();
    let mut good = true;
    for entry in entries {
        let key = &entry.key.value;
        if let Err(flaw) = syntax::label_key(key) {
            let message = format!("{} cannot be a label's key: {}", quote(key), flaw.message);
            faults.push(Fault { message, ..flaw.at(entry.key.span) });
            good = false;
        }
        match Field::new(&field.path, entry).parsed(syntax::label_value, faults) {
            Some(value) => {
                labels.insert(key.clone(), value.value);
            }
            None => good = false,
        }
    }
    good.then(|| Spanned::new(labels, field.span()))
}
