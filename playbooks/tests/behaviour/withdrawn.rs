//! What is taken back of a host that has no use for it any more.

use std::collections::BTreeMap;

use garboard_playbooks::{Rendered, Site};
use garboard_protocol::Step;
use garboard_protocol::step::Thing;

use crate::support::{THREE_HOSTS, artifacts, inputs, inventory};
use crate::{members, render};

/// What is taken back of a host, by playbook, with its place in the chain.
fn withdrawn(rendered: &Rendered, host: &str) -> Vec<(usize, String, Vec<Thing>)> {
    let steps = rendered.hosts[host].iter().enumerate();
    let found = steps.filter_map(|(place, planned)| match &planned.step {
        Step::Withdraw(withdraw) => Some((place, withdraw.playbook.clone(), withdraw.things.clone())),
        _ => None,
    });
    found.collect()
}

#[test]
fn what_a_host_had_as_the_edge_host_is_taken_back_where_it_is_none_any_more() {
    const EDGE: &str =
        "\nedge: { openvpn: { remote: home.example.org, routes: [192.168.1.0/24], users: [alice] } }\n";
    let with_edge = inventory(&(THREE_HOSTS.replacen("role: worker", "role: worker, edge: true", 1) + EDGE));
    let without = inventory(THREE_HOSTS);
    let mut facts = members(&without);
    let never = render(&without, &facts).unwrap();
    assert_eq!(withdrawn(&never, "w1"), [], "a host that was never changed has nothing to give back");
    for facts in facts.values_mut() {
        facts.garboard.baseline = true;
    }

    let plain = render(&without, &facts).unwrap();
    let all = withdrawn(&plain, "w1");
    let playbooks: Vec<&str> = all.iter().map(|(_, playbook, _)| playbook.as_str()).collect();
    assert_eq!(playbooks, ["ddns", "openvpn", "hardening", "firewall"], "the last one's things go first");
    let has = |all: &[(usize, String, Vec<Thing>)], thing: &Thing| {
        all.iter().any(|(_, _, things)| things.contains(thing))
    };
    let table = |name: &str| Thing::NftTable(format!("inet {name}"));
    for thing in [
        table("garboard_edge"),
        table("garboard_tiers"),
        table("garboard_vpn"),
        Thing::Unit("garboard-openvpn.service".to_owned()),
        Thing::FilesIn("/etc/openvpn/garboard/users".to_owned()),
        Thing::Unit("garboard-ddns.service".to_owned()),
        Thing::Path("/etc/garboard-ddns/secrets.json".to_owned()),
        Thing::Sshd("/etc/ssh/sshd_config.d/00-garboard.conf".to_owned()),
        Thing::Sysctl("net.ipv4.conf.all.rp_filter".to_owned()),
    ] {
        assert!(has(&all, &thing), "{thing:?} stays");
    }
    assert!(
        !all.iter()
            .flat_map(|(_, _, things)| things)
            .any(|thing| matches!(thing, Thing::Path(path) if path.contains("containerd")))
    );

    // On the edge host itself only what other tiers have; on others only what it alone has, behind what they load.
    let edge = render(&with_edge, &facts).unwrap();
    let (host, other) = (withdrawn(&edge, "w1"), withdrawn(&edge, "w2"));
    assert!(has(&host, &table("garboard_tiers")) && !has(&host, &table("garboard_edge")));
    assert!(has(&other, &table("garboard_edge")) && !has(&other, &table("garboard_tiers")));
    let unit = Thing::Unit("garboard-firewall.service".to_owned());
    assert!(!has(&host, &unit) && !has(&other, &unit), "what both load tables with is taken away");
    let loaded = edge.hosts["w2"].iter().position(|planned| matches!(planned.step, Step::Nft(_))).unwrap();
    assert!(
        other.iter().all(|(place, _, _)| *place > loaded),
        "the old filter goes before the new one is there"
    );
}

#[test]
fn what_another_step_still_makes_stays_and_so_does_what_no_playbook_calls_reversible() {
    const PLAYBOOK: &str = "about: One
hosts: all
reversible: true
steps:
  - directory: { path: /etc/both }
  - directory: { path: /etc/both }
    when: host.edge
  - file: { path: /etc/both/edge, content: x }
    when: host.edge
  - file: { path: /etc/facts, content: x }
    when: facts.shared_kernel
";
    let taken_back = |playbook: &str| {
        let files = [("site.yaml", "playbooks: [one]\n"), ("one/playbook.yaml", playbook)];
        let files = files.map(|(path, text)| (path.to_owned(), text.to_owned()));
        let site = Site::parse(&BTreeMap::from(files)).unwrap_or_else(|said| panic!("{said}"));
        let inventory = inventory(THREE_HOSTS);
        let mut facts = members(&inventory);
        for facts in facts.values_mut() {
            facts.garboard.baseline = true;
        }
        let artifacts = artifacts(&["amd64"]);
        withdrawn(&site.render(&inputs(&inventory, &facts, &artifacts)).unwrap(), "w1")
    };
    let all = taken_back(PLAYBOOK);
    assert_eq!(all.len(), 1, "{all:?}");
    assert_eq!(all[0].2, [Thing::Path("/etc/both/edge".to_owned())]);
    assert_eq!(taken_back(&PLAYBOOK.replace("reversible: true\n", "")), []);
}
