//! The top of the file.

use schemars::JsonSchema;

use super::addons;
use super::cluster::Cluster;
use super::edge::Edge;
use super::field::{Field, given};
use super::host::Host;
use super::playbooks;
use super::section::{Keys, Section};
use super::ssh::Ssh;
use crate::fault::{Fault, Faults, quote};
use crate::span::{Given, Span, Spanned};
use crate::syntax;
use crate::yaml::Node;

/// What Garboard builds: one cluster and the hosts it runs on.
#[derive(Debug, JsonSchema)]
#[schemars(deny_unknown_fields, title = "Garboard inventory")]
pub(crate) struct Inventory {
    /// The cluster as a whole.
    #[schemars(with = "Cluster")]
    pub(crate) cluster: Option<Cluster>,
    /// How hosts are reached, unless a host says otherwise.
    #[schemars(default)]
    pub(crate) ssh: Ssh,
    /// The machines. A host's key is its node name and, unless `keep_hostname` is set, its OS hostname.
    #[schemars(with = "std::collections::BTreeMap<String, Host>", extend(
        "minProperties" = 1,
        "propertyNames" = { "maxLength": 63, "pattern": "^[a-z0-9]([-a-z0-9]*[a-z0-9])?$" }
    ))]
    pub(crate) hosts: Vec<(Spanned<String>, Host)>,
    /// Folders of playbooks of your own, each with a `playbook.yaml`. Relative paths start at the inventory's folder, `~/`
    /// is the home folder. They come after the shipped ones, or where their `after` says.
    #[schemars(default, with = "Vec<String>")]
    pub(crate) playbooks: Given<Vec<Spanned<String>>>,
    /// Playbooks that come with Garboard and are left out here: `sd-card`.
    #[schemars(default, with = "Vec<String>", extend("items" = { "enum": playbooks::OPTIONAL }))]
    pub(crate) without: Given<Vec<Spanned<String>>>,
    /// What faces the internet: the firewall of the host that has `edge: true`, and what this host offers.
    #[schemars(default, with = "Edge")]
    pub(crate) edge: Option<Edge>,
    /// What the cluster has beside the network: `metrics-server`, `local-path-storage`.
    #[schemars(default, with = "Vec<crate::addon::Addon>")]
    pub(crate) addons: Given<Vec<crate::addon::Addon>>,
    /// Where the word `hosts` stands.
    #[schemars(skip)]
    pub(crate) hosts_key: Option<Span>,
}

pub(super) static KEYS: Keys = Keys {
    example: "cluster: { … }, hosts: { … }",
    known: &["cluster", "ssh", "hosts", "playbooks", "without", "edge", "addons"],
    later: &[],
    elsewhere: &[
        ("name", "it belongs under `cluster:`"),
        ("kubernetes", "it belongs under `cluster:`"),
        ("endpoint", "it belongs under `cluster:`"),
        ("pod_cidr", "it belongs under `cluster:`"),
        ("service_cidr", "it belongs under `cluster:`"),
        ("cni", "it belongs under `cluster:`"),
        ("user", "it belongs under `ssh:`"),
        ("identity", "it belongs under `ssh:`"),
        ("openvpn", "it belongs under `edge:`"),
        ("ingress", "it belongs under `edge:`"),
        ("addon", "did you mean `addons`?"),
        ("nodes", "did you mean `hosts`?"),
        ("all", "this looks like an Ansible inventory; see `hosts:` in docs/inventory.md"),
    ],
};

const EXAMPLE: &str = "hosts: { cp1: { address: 192.168.1.11, role: control_plane } }";

impl Inventory {
    /// Reads the whole file; what is wrong is reported and left out.
    pub(crate) fn read(root: &Node, faults: &mut Faults) -> Option<Self> {
        let top = Span { start: root.span.start, end: root.span.start };
        let whole = Field { path: String::new(), key: top, node: root };
        let section = open_top(&whole, faults)?;
        let cluster = section
            .require("cluster", "cluster: { name: homelab, kubernetes: v1.36.3 }", faults)
            .and_then(|field| Cluster::read(&field, faults));
        let ssh = section.get("ssh").map_or_else(Ssh::default, |field| Ssh::read(&field, faults));
        let hosts_field = section.require(
            "hosts",
            "hosts: { cp1: { address: 192.168.1.11, role: control_plane } }",
            faults,
        );
        let hosts = hosts_field.as_ref().and_then(|field| read_hosts(field, faults)).unwrap_or_default();
        let playbooks = given(section.get("playbooks"), |field| playbooks::read(field, faults));
        let without = given(section.get("without"), |field| playbooks::read_without(field, faults));
        let edge = section.get("edge").map(|field| Edge::read(&field, faults));
        let addons = given(section.get("addons"), |field| addons::read(field, faults));
        let hosts_key = hosts_field.map(|field| field.key);
        Some(Self { cluster, ssh, hosts, playbooks, without, edge, addons, hosts_key })
    }
}

fn open_top<'a>(whole: &Field<'a>, faults: &mut Faults) -> Option<Section<'a>> {
    if matches!(whole.node.value, crate::yaml::Value::Mapping(_)) {
        return whole.section(&KEYS, faults);
    }
    let message =
        format!("an inventory is a mapping with `cluster:` and `hosts:`, found {}", whole.node.kind());
    faults.push(
        Fault::new(whole.node.span, message).help("the examples in docs/inventory.md are a place to start"),
    );
    None
}

fn read_hosts(field: &Field<'_>, faults: &mut Faults) -> Option<Vec<(Spanned<String>, Host)>> {
    if matches!(field.node.value, crate::yaml::Value::Sequence(_)) {
        let help = "write each host under its name: `w1: { address: 192.168.1.12, role: worker }`";
        return field.expected("a mapping from host names to hosts", help, faults);
    }
    let entries = field.entries("a mapping from host names to hosts", EXAMPLE, faults)?;
    if entries.is_empty() {
        faults.push(
            Fault::new(field.span(), "`hosts` is empty")
                .help("add a host: `cp1: { address: 192.168.1.11, role: control_plane }`"),
        );
    }
    let mut hosts = Vec::with_capacity(entries.len());
    for entry in entries {
        if let Err(flaw) = syntax::host_name(&entry.key.value) {
            let message = format!("{} cannot be a host's name: {}", quote(&entry.key.value), flaw.message);
            faults.push(crate::fault::Flaw { message, ..flaw }.at(entry.key.span));
        }
        let host = Host::read(&Field::new(&field.path, entry), faults);
        hosts.push((entry.key.clone(), host));
    }
    Some(hosts)
}
