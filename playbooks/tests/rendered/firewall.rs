//! What the tiers of the network come to: rules, taint, labels.

use garboard_inventory::Inventory;
use garboard_playbooks::{PlannedClusterStep, PlannedStep, Rendered};
use garboard_protocol::Step;

use crate::chains::{text_of, text_of_cluster};
use crate::support::{THREE_HOSTS, debian, facts, folder, golden, inventory};
use crate::{TIERS, render};

/// The steps of a chain that have to do with it.
pub(crate) fn of_the_firewall(chain: &[PlannedStep]) -> String {
    let is_meant = |planned: &&PlannedStep| {
        ["firewall", "hardening"].contains(&planned.playbook.as_str())
            || matches!(planned.step, Step::KubeadmJoin(_))
    };
    text_of(&chain.iter().filter(is_meant).cloned().collect::<Vec<_>>())
}

fn compare_firewalls(name: &str, inventory: &Inventory) -> Rendered {
    let rendered = render(inventory, &facts(inventory, debian));
    for (host, chain) in &rendered.hosts {
        golden(&folder("rendered").join(name).join(format!("{host}.txt")), &of_the_firewall(chain));
    }
    let nodes: Vec<PlannedClusterStep> =
        rendered.cluster.iter().filter(|planned| planned.playbook == "nodes").cloned().collect();
    golden(&folder("rendered").join(name).join("nodes.txt"), &text_of_cluster(&nodes));
    rendered
}

#[test]
fn the_firewalls_of_three_tiers() {
    compare_firewalls("tiers", &inventory(TIERS));
}

#[test]
fn the_firewalls_where_the_edge_host_offers_a_vpn() {
    let openvpn = "  openvpn: { remote: home.example.org, port: 1195, routes: [192.168.1.0/24, 10.96.0.0/12], users: [alice] }\n";
    compare_firewalls("tiers-vpn", &inventory(&(TIERS.to_owned() + openvpn)));
}

#[test]
fn an_edge_host_lets_in_the_network_of_the_control_plane_if_nothing_is_said() {
    let source = THREE_HOSTS.replace("role: worker, keep", "role: worker, edge: true, keep") + "edge: {}\n";
    let inventory = inventory(&source);
    let rendered = compare_firewalls("edge-by-default", &inventory);
    let text = of_the_firewall(&rendered.hosts["w2"]);
    assert!(text.contains("elements = { 192.168.1.0/24 }"), "{text}");
    assert!(!text.contains("tcp dport { "), "a port is open to everybody: {text}");
}

#[test]
fn a_host_that_is_away_changes_no_rule_of_the_others() {
    let inventory = inventory(TIERS);
    let all = facts(&inventory, debian);
    let mut fewer = all.clone();
    fewer.remove("db1");
    fewer.remove("dmz1");
    let (all, fewer) = (render(&inventory, &all), render(&inventory, &fewer));
    for host in ["cp1", "w1"] {
        assert_eq!(of_the_firewall(&all.hosts[host]), of_the_firewall(&fewer.hosts[host]), "{host}");
    }
}

#[test]
fn without_a_public_tier_there_is_no_firewall() {
    let inventory = inventory(THREE_HOSTS);
    let rendered = render(&inventory, &facts(&inventory, debian));
    assert!(rendered.hosts.values().flatten().all(|planned| planned.playbook != "firewall"));
}
