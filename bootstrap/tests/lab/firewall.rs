//! The edge host and the tiers: closed to foreign addresses, open to home, repaired, taken back where it would lock out, given back.

use std::time::{Duration, Instant};

use crate::harness::{
    From, Phases, Shape, States, TestLab, Watch, address, answers, assert_same, serve, until,
};

/// An address of nobody at home, as the internet has them.
const FOREIGN: &str = "203.0.113.9";
/// A table of somebody else on the edge host.
const SOMEBODY: &str = "table inet somebody {\n  chain input { type filter hook input priority 5; policy accept; tcp dport 23 drop; }\n}\n";
const TABLE: [&str; 6] = ["nft", "--stateless", "list", "table", "inet", "garboard_edge"];
/// Longest the host may be open after somebody emptied its tables.
const REPAIRED: Duration = Duration::from_secs(10);
/// Longest a change that locks out may last: what the product promises.
const TAKEN_BACK: Duration = Duration::from_mins(1);

#[test]
fn an_edge_host_from_the_first_up_to_reset() {
    let mut phases = Phases::of("an_edge_host_from_the_first_up_to_reset");
    let lab = phases.must("two bare hosts", || TestLab::up("t-edge", Shape::workers(1)));
    phases.must("a table of somebody else", || {
        lab.host("w1").write("/root/somebody.nft", SOMEBODY);
        lab.host("w1").exec(&["nft", "--file", "/root/somebody.nft"]);
    });
    phases.must("a foreign address in the lab's network", || {
        in_network(&lab, &["ip", "address", "add", &foreign(), "dev", "lo"]);
    });
    let bare = phases.must("the state before the first up", || lab.states());
    let worker = lab.edited("role: worker, ", "role: worker, edge: true, ");
    let edge = lab.edited("\nhosts:", "\nedge: { firewall: { public_tcp: [8443] } }\nhosts:");
    phases.must("up", || lab.converge());
    phases.check("the_edge_node_is_ready_labelled_and_tainted", || the_node(&lab));
    phases.check("a_second_up_changes_nothing", || {
        let watch = Watch::begin(&lab, &lab.host_names());
        lab.converged();
        watch.end().assert_no_write_of_ours("w1");
    });
    phases.must("a service with a node port", || serve(&lab, 30080));
    phases.check("a_foreign_address_finds_all_closed_and_home_finds_it_open", || closed_and_open(&lab));
    phases.check("the_edge_host_reaches_no_sshd_and_no_kubelet_of_others", || the_other_side(&lab));
    phases.check("a_flush_is_repaired", || a_flush_is_repaired(&lab));
    phases.check("rules_that_lock_the_laptop_out_are_taken_back", || locked_out(&lab));
    phases.check("a_reboot_before_the_confirmation_comes_back_without_them", || a_reboot_in_between(&lab));
    phases.check("after a boot it is protected, and up finds nothing to do", || {
        lab.lab_command(&["reboot"], &["w1"]).expect(0);
        assert!(until(REPAIRED, || is_loaded(&lab)), "the boot loads no table");
        lab.converge();
        closed_and_open(&lab);
        lab.converged();
        // Somebody loads theirs at each boot.
        lab.host("w1").exec(&["nft", "--file", "/root/somebody.nft"]);
    });
    drop((edge, worker));
    phases.check("reset gives the hosts back, and the table of somebody stays", || given_back(&lab, &bare));
    in_network(&lab, &["ip", "address", "delete", &foreign(), "dev", "lo"]);
    phases.must("lab down", || drop(lab));
    phases.finish();
}

fn foreign() -> String {
    format!("{FOREIGN}/32")
}

#[track_caller]
fn in_network(lab: &TestLab, words: &[&str]) {
    lab.lab_command(&["run"], &[&["--"], words].concat()).expect(0);
}

fn is_loaded(lab: &TestLab) -> bool {
    lab.host("w1").exec(&["nft", "list", "tables"]).contains("inet garboard_edge")
}

fn the_node(lab: &TestLab) {
    lab.assert_ready();
    let taints = lab.kubectl(&["get", "node", "w1", "-o", "jsonpath={.spec.taints}"]);
    assert!(taints.contains(r#""key":"garboard/edge""#) && taints.contains("NoSchedule"), "{taints}");
    let labels = lab.kubectl(&["get", "node", "w1", "-o", "jsonpath={.metadata.labels}"]);
    for label in ["zone\":\"public", "edge\":\"true"] {
        assert!(labels.contains(&format!("garboard.node-restriction.kubernetes.io/{label}\"")), "{labels}");
    }
}

fn closed_and_open(lab: &TestLab) {
    let (edge, leader) = (address(lab, "w1"), address(lab, "cp1"));
    assert!(
        until(REPAIRED * 4, || answers(lab, From::Laptop, &edge, 30080)),
        "the node port is closed to home"
    );
    for port in [22, 10250] {
        assert!(answers(lab, From::Laptop, &edge, port), "{port} is closed to home");
    }
    for port in [22, 10250, 10256, 30080] {
        assert!(!answers(lab, From::Address(FOREIGN), &edge, port), "{port} is open to a foreign address");
    }
    // The same address finds the control plane open: it is the filter that closes, not the way.
    assert!(
        answers(lab, From::Address(FOREIGN), &leader, 6443),
        "the foreign address reaches nothing at all"
    );
}

fn the_other_side(lab: &TestLab) {
    let leader = address(lab, "cp1");
    let reaches = |port: u16| {
        let probe = format!("exec 3<>/dev/tcp/{leader}/{port} && echo open || echo closed");
        lab.host("w1").exec(&[
            "timeout",
            "--kill-after=1",
            "5",
            "bash",
            "-c",
            &format!("({probe}) 2>/dev/null; true"),
        ])
    };
    assert!(reaches(6443).contains("open"), "the edge host does not reach the API");
    for port in [22, 10250, 2379, 30080] {
        assert!(!reaches(port).contains("open"), "the edge host reaches {port} of the control plane");
    }
}

fn a_flush_is_repaired(lab: &TestLab) {
    for flush in [["nft", "flush", "ruleset"].as_slice(), &["systemctl", "restart", "nftables.service"]] {
        let begun = Instant::now();
        lab.host("w1").exec(flush);
        assert!(until(REPAIRED, || is_loaded(lab)), "after `{}` the table stays away", flush.join(" "));
        println!(
            "   after `{}` it was there again within {:.1} s",
            flush.join(" "),
            begun.elapsed().as_secs_f64()
        );
    }
    let edge = address(lab, "w1");
    assert!(!answers(lab, From::Address(FOREIGN), &edge, 22), "it is there, and closes nothing");
    assert!(
        until(REPAIRED * 6, || answers(lab, From::Laptop, &edge, 30080)),
        "kube-proxy does not repair itself"
    );
    // What was flushed was not ours alone.
    lab.host("w1").exec(&["systemctl", "disable", "--now", "nftables.service"]);
    lab.host("w1").exec(&["nft", "--file", "/root/somebody.nft"]);
}

/// A network in which the laptop is not.
const ELSEWHERE: [&str; 2] = ["public_tcp: [8443]", "public_tcp: [8443], lan: [192.0.2.0/24]"];

fn locked_out(lab: &TestLab) {
    let before = lab.host("w1").exec(&TABLE);
    let edited = lab.edited(ELSEWHERE[0], ELSEWHERE[1]);
    let begun = Instant::now();
    lab.garboard(&["up"]).expect(1).says(&[
        "w1",
        "nobody logged in over a new connection",
        "edge.firewall.lan",
    ]);
    println!("   it was taken back, and said, after {:.0} s", begun.elapsed().as_secs_f64());
    drop(edited);
    assert_eq!(lab.host("w1").exec(&TABLE), before, "the rules are not what they were");
    lab.converged();
}

fn a_reboot_in_between(lab: &TestLab) {
    let before = lab.host("w1").exec(&TABLE);
    let edited = lab.edited(ELSEWHERE[0], ELSEWHERE[1]);
    lab.follow(&["up"], |event, running| {
        let text = event["text"].as_str().unwrap_or_default();
        if event["event"] == "step_progress" && text.contains("makes it permanent") {
            running.kill();
        }
    });
    lab.lab_command(&["reboot"], &["w1"]).expect(0);
    drop(edited);
    assert!(until(TAKEN_BACK, || is_loaded(lab)), "the boot loads no table");
    assert_eq!(lab.host("w1").exec(&TABLE), before, "rules that nobody confirmed were loaded at boot");
    lab.converge();
}

fn given_back(lab: &TestLab, bare: &States) {
    let shown = |lab: &TestLab| lab.host("w1").exec(&["nft", "list", "table", "inet", "somebody"]);
    let before = shown(lab);
    lab.reset(&[]);
    assert_eq!(shown(lab), before);
    assert_same(bare, &lab.states());
    lab.garboard(&["reset", "--verify"]).expect(0);
}
