//! Hosts that do not reach each other on the cluster's ports are named before anything is written.

use std::fmt::Write as _;

use serde_json::Value;

use crate::harness::{Finished, Phases, Running, Shape, States, TestLab, assert_same};

#[test]
fn ways_between_hosts_are_probed_before_any_write() {
    let mut phases = Phases::of("ways_between_hosts_are_probed_before_any_write");
    let lab = phases.must("three bare hosts", || TestLab::up("t-mesh", Shape::workers(2).without_mirror()));
    let bare = phases.must("the state of bare hosts", || lab.states());
    let network = Network::of(&lab);
    phases.check("healthy_hosts_have_no_row_and_keep_no_port_open", || {
        healthy_hosts_have_no_row_and_keep_no_port_open(&network);
    });
    phases.check("a_dropped_port_is_named_with_both_hosts", || a_dropped_port_is_named(&network));
    phases.check("a_blocked_pod_network_is_named", || a_blocked_pod_network_is_named(&network));
    phases.check("a_rejected_port_is_no_blocked_one", || a_rejected_port_is_no_blocked_one(&network));
    phases.check("a_block_of_one_way_names_that_way_alone", || a_block_of_one_way_names_that_way(&network));
    phases.check("a_way_that_is_not_let_out_is_the_senders", || a_way_not_let_out_is_the_senders(&network));
    phases.check("a_served_port_is_probed_in_place", || a_served_port_is_probed_in_place(&network));
    phases.check("a_limit_leaves_out_ways_between_others", || a_limit_leaves_out_others(&network));
    phases.check("a_killed_check_leaves_no_port_open", || a_killed_check_leaves_no_port_open(&network));
    phases.check("nothing of it stayed", || assert_same(&bare, &lab.states()));
    phases.must("lab down", || drop(lab));
    phases.finish();
}

/// The hosts' addresses, and what is done to their firewalls.
struct Network<'a> {
    lab: &'a TestLab,
}

impl<'a> Network<'a> {
    fn of(lab: &'a TestLab) -> Self {
        Self { lab }
    }

    fn address(&self, host: &str) -> String {
        let hosts = self.lab.lab().hosts();
        hosts.iter().find(|known| known.name == host).unwrap().address.to_string()
    }

    /// One rule in a table of its own on a host, as a firewall of its owner's, for as long as `during` runs.
    fn with_rule(&self, host: &str, hook: &str, rule: &str, during: impl FnOnce()) {
        let mut ruleset = String::new();
        writeln!(ruleset, "table inet strict {{ chain {hook} {{").unwrap();
        writeln!(ruleset, "type filter hook {hook} priority 0; policy accept;\n{rule}\n}} }}").unwrap();
        self.lab.host(host).write("/run/strict.nft", &ruleset);
        self.lab.host(host).exec(&["nft", "-f", "/run/strict.nft"]);
        during();
        self.lab.host(host).exec(&["nft", "delete", "table", "inet", "strict"]);
        self.lab.host(host).exec(&["rm", "/run/strict.nft"]);
    }

    /// Sockets that listen, on every host.
    fn listening(&self) -> Vec<String> {
        let hosts = self.lab.host_names();
        let list = |host: &String| {
            let mut lines: Vec<String> =
                self.lab.host(host).exec(&["ss", "-ltnuHp"]).lines().map(str::to_owned).collect();
            lines.sort();
            format!("{host}\n{}", lines.join("\n"))
        };
        hosts.iter().map(list).collect()
    }

    /// `check` finds exactly these rows about ways, `up` refuses for the same, and the hosts stay as they are.
    #[track_caller]
    fn refused(&self, expected: &[&str]) {
        let before = self.lab.states();
        let check = self.lab.garboard(&["check"]).expect(3);
        assert_eq!(mesh_rows(&check), expected, "{}", check.story());
        let up = self.lab.garboard(&["up"]).expect(3).says(expected);
        assert!(up.of_kind("step_started").next().is_none(), "{}", up.story());
        self.same(&before);
    }

    #[track_caller]
    fn same(&self, before: &States) {
        assert_same(before, &self.lab.states());
    }
}

/// Texts of the rows about ways, each with the host it stands with.
fn mesh_rows(check: &Finished) -> Vec<String> {
    rows(check)
        .iter()
        .filter(|row| row["check"] == "mesh")
        .map(|row| row["text"].as_str().unwrap().to_owned())
        .collect()
}

fn rows(check: &Finished) -> Vec<Value> {
    let document = check.events.last().unwrap_or_else(|| panic!("{}", check.story()));
    document["rows"].as_array().unwrap().clone()
}

fn healthy_hosts_have_no_row_and_keep_no_port_open(network: &Network<'_>) {
    let (before, states) = (network.listening(), network.lab.states());
    let check = network.lab.garboard(&["check"]).expect(0);
    assert_eq!(mesh_rows(&check), [""; 0], "{}", check.story());
    assert_eq!(network.listening(), before);
    network.same(&states);
}

fn a_dropped_port_is_named(network: &Network<'_>) {
    network.with_rule("w1", "input", "tcp dport 10250 drop", || {
        network.refused(&["cp1, w2 → w1: tcp 10250 (kubelet) is blocked: nothing came back within 3 s"]);
    });
}

fn a_blocked_pod_network_is_named(network: &Network<'_>) {
    network.lab.lab_command(&["net"], &["w2", "--block", "udp/8472"]).expect(0);
    let blocked = "udp 8472 (the pod network, VXLAN) is blocked: nothing came back within 3 s";
    let expected =
        [format!("w2 → cp1: {blocked}"), format!("w2 → w1: {blocked}"), format!("cp1, w1 → w2: {blocked}")];
    network.refused(&expected.each_ref().map(String::as_str));
    network.lab.lab_command(&["net"], &["w2", "--clear"]).expect(0);
}

fn a_rejected_port_is_no_blocked_one(network: &Network<'_>) {
    network.with_rule("cp1", "input", "tcp dport 6443 reject with tcp reset", || {
        network.refused(&[
            "w1, w2 → cp1: tcp 6443 (the Kubernetes API) is refused (Connection refused) though something \
                           listens there: a rule rejects it",
        ]);
    });
    network.with_rule("w1", "input", "udp dport 8472 reject", || {
        network.refused(&["cp1, w2 → w1: udp 8472 (the pod network, VXLAN) is refused (Connection refused) though something \
                           listens there: a rule rejects it"]);
    });
}

/// w1 takes nothing from w2, not even answers: what w2 asks is not heard, what w1 asks is heard and not answered.
fn a_block_of_one_way_names_that_way(network: &Network<'_>) {
    let rule = format!("ip saddr {} drop", network.address("w2"));
    network.with_rule("w1", "input", &rule, || {
        network.refused(&[
            "w2 → w1: tcp 10250 (kubelet) is blocked: nothing came back within 3 s",
            "w2 → w1: tcp 32767 (node ports 30000-32767) is blocked: nothing came back within 3 s",
            "w2 → w1: udp 8472 (the pod network, VXLAN) is blocked: nothing came back within 3 s",
        ]);
    });
    // Only the answers are dropped: no way there is blocked, and the way back is named.
    let rule = format!("ip saddr {} tcp sport 6443 drop", network.address("cp1"));
    network.with_rule("w1", "input", &rule, || {
        network.refused(&[
            "cp1 → w1: answers of tcp 6443 (the Kubernetes API) are blocked: cp1 heard w1, its answer did \
                           not come back within 3 s",
        ]);
    });
}

fn a_way_not_let_out_is_the_senders(network: &Network<'_>) {
    let rule = format!("ip daddr {} udp dport 8472 drop", network.address("cp1"));
    network.with_rule("w1", "output", &rule, || {
        network.refused(&[
            "w1 → cp1: udp 8472 (the pod network, VXLAN) is blocked by w1's own firewall, which does not let \
                           it out",
        ]);
    });
}

fn a_served_port_is_probed_in_place(network: &Network<'_>) {
    let host = network.lab.host("w2");
    // Once somebody comes, `sleep` has the port, and says nothing.
    for (unit, listen) in
        [("holder", ["--listen=10250"].as_slice()), ("hears", &["--datagram", "--listen=8472"])]
    {
        let (unit, activate) = (format!("--unit={unit}"), ["systemd-run", "--quiet"]);
        let rest = [listen, &["/bin/sleep", "infinity"]].concat();
        host.exec(&[activate.as_slice(), &[&unit, "systemd-socket-activate"], &rest].concat());
    }
    // It is refused for the taken ports, which the mesh does not hide, and not for the ways, which are open.
    let check = network.lab.garboard(&["check"]).expect(3);
    assert_eq!(mesh_rows(&check), [""; 0], "{}", check.story());
    let ports: Vec<Value> = rows(&check).into_iter().filter(|row| row["check"] == "port").collect();
    assert_eq!(ports.len(), 2, "{ports:?}");
    assert!(ports.iter().all(|row| row["text"].as_str().unwrap().contains("`systemd-socket-`")), "{ports:?}");
    network.with_rule("w2", "input", "meta l4proto { tcp, udp } th dport { 8472, 10250 } drop", || {
        let check = network.lab.garboard(&["check"]).expect(3);
        assert_eq!(
            mesh_rows(&check),
            [
                "cp1, w1 → w2: tcp 10250 (kubelet) is blocked: nothing came back within 3 s",
                "cp1, w1 → w2: udp 8472 (the pod network, VXLAN) is blocked: nothing came back within 3 s",
            ]
        );
    });
    for unit in ["holder", "hears"] {
        host.exec(&["systemctl", "stop", unit]);
    }
}

fn a_limit_leaves_out_others(network: &Network<'_>) {
    network.with_rule("w1", "input", "tcp dport 10250 drop", || {
        let check = network.lab.garboard(&["check", "--limit", "w2"]).expect(0);
        assert_eq!(mesh_rows(&check), [""; 0], "w1 is none of its business: {}", check.story());
        let check = network.lab.garboard(&["check", "--limit", "w1"]).expect(3);
        let named = "cp1 → w1: tcp 10250 (kubelet) is blocked: nothing came back within 3 s";
        assert_eq!(mesh_rows(&check), [named], "{}", check.story());
    });
}

/// Killed while it waits for answers that do not come.
fn a_killed_check_leaves_no_port_open(network: &Network<'_>) {
    let before = network.listening();
    network.with_rule("w1", "input", "tcp dport 10250 drop", || {
        let mut killed = false;
        let up = network.lab.follow(&["up"], |event, running: Running| {
            let text = event["text"].as_str().unwrap_or_default();
            if text.contains("ports are open for 13 s at most") {
                // Until the ports are open, which they stay for the 3 s in which no answer comes.
                network.wait_for(|now| now.iter().any(|line| line.contains(":6443")), 5);
                running.kill();
                killed = true;
            }
        });
        assert!(killed && up.code == 137, "{}", up.story());
        // Sooner than they would be closed by the time alone.
        network.wait_for(|now| now == before, 13);
    });
    // The next run takes the host over, and ends as if nothing had been.
    let check = network.lab.garboard(&["check"]).expect(0);
    assert_eq!(mesh_rows(&check), [""; 0], "{}", check.story());
    assert_eq!(network.listening(), before);
}

impl Network<'_> {
    /// Looks again and again for so many seconds.
    #[track_caller]
    fn wait_for(&self, wanted: impl Fn(&[String]) -> bool, seconds: u64) {
        let begun = std::time::Instant::now();
        loop {
            let now = self.listening();
            if wanted(&now) {
                return;
            }
            assert!(begun.elapsed().as_secs() < seconds, "not within {seconds} s:\n{}", now.join("\n"));
        }
    }
}
