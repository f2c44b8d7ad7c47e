//! The shipped site, rendered for three kinds of host. `UPDATE_GOLDEN=1 cargo test -p garboard-playbooks` rewrites
//! what lies in this folder.

// All of this is tests, their helpers too.
#![allow(clippy::unwrap_used)]

mod addons;
mod chains;
mod ddns;
mod firewall;
mod ingress;
#[path = "../support/mod.rs"]
mod support;

use std::collections::BTreeMap;

use chains::{text_of, text_of_cluster};
use garboard_inventory::Inventory;
use garboard_playbooks::{Inputs, PlannedStep, Rendered, shipped};
use garboard_protocol::facts::Facts;
use support::{THREE_HOSTS, artifacts, container, debian, facts, folder, golden, inputs, inventory, pi};

/// Three tiers, with all that the filter of an edge host is told.
const TIERS: &str = "
cluster: { name: homelab, kubernetes: v1.36.3 }
hosts:
  cp1: { address: 192.168.1.11, role: control_plane, zone: private }
  w1: { address: 192.168.1.12, role: worker }
  db1: { address: 192.168.2.11, role: worker, zone: data }
  dmz1: { address: 192.168.0.10, role: worker, edge: true }
edge:
  firewall:
    lan: [192.168.1.0/24, 192.168.2.0/24, 'fd00:1::/64']
    public_tcp: [80, 443]
    public_udp: [443]
    reach: [192.168.1.5, 'fd00:1::5']
";

fn render(inventory: &Inventory, facts: &BTreeMap<String, Facts>) -> Rendered {
    let artifacts = artifacts(&["amd64", "arm64"]);
    let material = support::ddns(inventory);
    let inputs = Inputs { ddns: material.as_ref(), ..inputs(inventory, facts, &artifacts) };
    shipped().unwrap().render(&inputs).unwrap_or_else(|error| panic!("{error}"))
}

fn compare(name: &str, inventory: &Inventory, facts: &BTreeMap<String, Facts>) {
    let rendered = render(inventory, facts);
    for (host, chain) in &rendered.hosts {
        golden(&folder("rendered").join(name).join(format!("{host}.txt")), &text_of(chain));
    }
    golden(&folder("rendered").join(name).join("cluster.txt"), &text_of_cluster(&rendered.cluster));
    let owns = serde_json::to_string_pretty(&rendered.owns["cp1"]).unwrap();
    golden(&folder("rendered").join(name).join("owns-cp1.json"), &format!("{owns}\n"));
}

#[test]
fn the_shipped_site_on_plain_debian() {
    let inventory = inventory(THREE_HOSTS);
    compare("debian", &inventory, &facts(&inventory, debian));
}

#[test]
fn the_shipped_site_in_containers_on_cgroup_v1() {
    let inventory = inventory(&THREE_HOSTS.replace("v1.36.3\n", "v1.36.3\n  allow_cgroup_v1: true\n"));
    compare("container", &inventory, &facts(&inventory, container));
}

/// The host that faces the internet: what it has beyond a worker.
#[test]
fn the_vpn_on_the_edge_host() {
    let edge = "\nedge:\n  openvpn: { remote: home.example.org, routes: [192.168.1.0/24], dns: [192.168.1.1], users: [alice] }\n";
    let inventory = inventory(&(THREE_HOSTS.replacen("role: worker", "role: worker, edge: true", 1) + edge));
    for (name, facts) in [("edge", facts(&inventory, debian)), ("edge-arm64", facts(&inventory, pi))] {
        let rendered = render(&inventory, &facts);
        let of_the_vpn = |chain: &Vec<PlannedStep>| -> Vec<PlannedStep> {
            chain.iter().filter(|step| step.playbook == "openvpn").cloned().collect()
        };
        assert!(of_the_vpn(&rendered.hosts["cp1"]).is_empty());
        golden(&folder("rendered").join(name).join("w1.txt"), &text_of(&of_the_vpn(&rendered.hosts["w1"])));
    }
}

#[test]
fn the_shipped_site_on_arm64() {
    let inventory = inventory(THREE_HOSTS);
    compare("arm64", &inventory, &facts(&inventory, pi));
}
