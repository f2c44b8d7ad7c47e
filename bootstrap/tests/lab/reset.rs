//! `reset` gives hosts back as they were, whatever others own beside us; `reset --verify` can tell.

use crate::harness::{Phases, Shape, States, TestLab, assert_same};
use crate::{damage, token};

/// A table and a rule of somebody else, made before us, and how each is shown.
const FOREIGN_TABLE: &str = "table inet somebody {\n  set guests { type ipv4_addr; elements = { 192.0.2.7, 192.0.2.9 } }\n  \
    chain input { type filter hook input priority 5; policy accept; ip saddr @guests tcp dport 23 drop; }\n}\n";
const FOREIGN_RULE: [&str; 12] = [
    "-A",
    "INPUT",
    "-s",
    "198.51.100.0/24",
    "-p",
    "tcp",
    "-m",
    "comment",
    "--comment",
    "of somebody",
    "-j",
    "DROP",
];

#[test]
fn three_rounds_of_up_and_reset() {
    let mut phases = Phases::of("three_rounds_of_up_and_reset");
    assert!(garboard_lab::hash::MASKS.len() <= 12, "{} masks", garboard_lab::hash::MASKS.len());
    let lab = phases.must("two bare hosts", || TestLab::up("t-reset", Shape::workers(1).with_own_blobs()));
    phases.must("foreign firewall rules", || make_foreign(&lab));
    let foreign = phases.must("foreign rules as they are shown", || shown_foreign(&lab));
    let bare = phases.must("the state before the first up", || lab.states());

    phases
        .check("the_bootstrap_token_shows_up_nowhere", || token::the_bootstrap_token_shows_up_nowhere(&lab));
    phases.check("foreign rules stand beside the cluster", || {
        foreign_rules_stand_beside_the_cluster(&lab, &foreign);
    });
    phases.check("round 1: reset_gives_the_hosts_back", || reset_gives_the_hosts_back(&lab, &bare));

    phases.check("a_damaged_layer_of_the_mirror_is_noticed", || {
        damage::a_damaged_layer_of_the_mirror_is_noticed(&lab);
    });
    phases.check("what was begun with it is given back", || reset_gives_the_hosts_back(&lab, &bare));
    phases.check("a_damaged_artifact_in_the_cache_is_fetched_again", || {
        damage::a_damaged_artifact_in_the_cache_is_fetched_again(&lab);
    });
    phases.check("round 2: the cluster works", || lab.assert_ready());
    phases.check("round 2: reset_gives_the_hosts_back", || reset_gives_the_hosts_back(&lab, &bare));

    phases.check("round 3: up works again", || {
        lab.converge();
        lab.assert_ready();
    });
    phases.check("round 3: reset_gives_the_hosts_back", || reset_gives_the_hosts_back(&lab, &bare));
    phases.check("foreign rules are byte for byte as they were", || assert_eq!(shown_foreign(&lab), foreign));

    phases.check("a_planted_program_fails_verify", || a_planted_program_fails_verify(&lab));
    phases.check("a_planted_table_fails_verify", || a_planted_table_fails_verify(&lab));
    phases.check("a_planted_link_fails_verify", || a_planted_link_fails_verify(&lab));
    phases.must("lab down", || drop(lab));
    phases.finish();
}

fn make_foreign(lab: &TestLab) {
    for host in lab.host_names() {
        let host = lab.host(&host);
        host.write("/root/somebody.nft", FOREIGN_TABLE);
        host.exec(&["nft", "-f", "/root/somebody.nft"]);
        host.exec(&[["iptables"].as_slice(), &FOREIGN_RULE].concat());
    }
}

/// The foreign table and the foreign rule of every host, as the host's own programs show them.
fn shown_foreign(lab: &TestLab) -> Vec<String> {
    let mut shown = Vec::new();
    for host in lab.host_names() {
        let host = lab.host(&host);
        shown.push(host.exec(&["nft", "list", "table", "inet", "somebody"]));
        shown.push(host.exec(&["iptables", "--list-rules", "INPUT"]));
    }
    shown
}

/// Kubernetes has put its own rules into the same chain; those of others are all there, in their order.
fn foreign_rules_stand_beside_the_cluster(lab: &TestLab, foreign: &[String]) {
    for (now, before) in shown_foreign(lab).iter().zip(foreign) {
        let mut lines = now.lines();
        for line in before.lines() {
            assert!(lines.any(|now| now == line), "`{line}` is gone from:\n{now}");
        }
    }
}

fn reset_gives_the_hosts_back(lab: &TestLab, bare: &States) {
    let reset = lab.reset(&[]);
    println!("   reset took {:.1} s", reset.time.as_secs_f64());
    assert_same(bare, &lab.states());
    lab.garboard(&["reset", "--verify"]).expect(0);
    // Verifying leaves nothing behind either.
    assert_same(bare, &lab.states());
}

/// `reset --verify` fails and names what was planted; without it, it is content again.
fn planted(lab: &TestLab, host: &str, plant: &[&str], named: &str, remove: &[&str]) {
    lab.host(host).exec(plant);
    let verify = lab.garboard(&["reset", "--verify"]).expect(4);
    let said = format!("{}{}", verify.stdout, verify.stderr);
    assert!(said.contains(named) && said.contains(host), "`{named}` on {host} is not named:\n{said}");
    lab.host(host).exec(remove);
    lab.garboard(&["reset", "--verify"]).expect(0);
}

fn a_planted_program_fails_verify(lab: &TestLab) {
    let plant = ["install", "-D", "-m", "755", "/bin/true", "/opt/cni/bin/bridge"];
    planted(lab, "w1", &plant, "/opt/cni", &["rm", "-r", "/opt/cni"]);
}

fn a_planted_table_fails_verify(lab: &TestLab) {
    let (plant, remove) =
        (["nft", "add", "table", "ip", "kube-proxy"], ["nft", "delete", "table", "ip", "kube-proxy"]);
    planted(lab, "cp1", &plant, "kube-proxy", &remove);
}

fn a_planted_link_fails_verify(lab: &TestLab) {
    let (plant, remove) = (["ip", "link", "add", "cni0", "type", "bridge"], ["ip", "link", "delete", "cni0"]);
    planted(lab, "w1", &plant, "cni0", &remove);
}
