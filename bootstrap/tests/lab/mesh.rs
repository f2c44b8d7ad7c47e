//! Hosts that do not reach each other on the cluster's ports are named before anything is written.

use std::fmt::Write as _;
use std::time::Instant;

use garboard_lab::Faults;
use serde_json::Value;

use crate::harness::{Finished, Phases, Running, Shape, States, TestLab, assert_same};

#[test]
fn ways_between_hosts_are_probed_before_any_write() {
    let mut phases = Phases::of("ways_between_hosts_are_probed_before_any_write");
    let lab = phases.must("three bare hosts", || TestLab::up("t-mesh", Shape::workers(2).without_mirror()));
    let bare = phases.must("the state of bare hosts", || lab.states());
    let network = Network { lab: &lab };
    phases.check("healthy_hosts_have_no_row_and_keep_no_port_open", || {
        healthy_hosts_have_no_row_and_keep_no_port_open(&network, &bare);
    });
    phases
        .check("blocked_ports_are_named_and_up_refuses", || blocked_ports_are_named_and_up_refuses(&network));
    phases.check("a_rejected_port_is_no_blocked_one", || a_rejected_port_is_no_blocked_one(&network));
    phases.check("a_block_of_one_way_names_that_way_alone", || a_block_of_one_way_names_that_way(&network));
    phases.check("the_way_back_and_a_hosts_own_output_are_told_apart", || way_back_and_own_output(&network));
    phases.check("a_served_port_is_probed_in_place", || a_served_port_is_probed_in_place(&network));
    phases.check("a_killed_up_leaves_no_port_open", || a_killed_up_leaves_no_port_open(&network));
    phases.check("nothing of it stayed", || assert_same(&bare, &lab.states()));
    phases.must("lab down", || drop(lab));
    phases.finish();
}

/// The lab's hosts and the firewalls on them.
struct Network<'a> {
    lab: &'a TestLab,
}

/// A firewall of the host's owner, for as long as it lives.
struct Firewall<'a> {
    lab: &'a TestLab,
    host: &'a str,
}

impl Drop for Firewall<'_> {
    fn drop(&mut self) {
        // In a panic the first failure is the one to be seen.
        let removed = self.lab.lab().exec(self.host, &["nft", "delete", "table", "inet", "strict"]);
        assert!(removed.is_ok_and(|output| output.status.success()) || std::thread::panicking());
    }
}

/// A strict switch in front of a host, for as long as it lives.
struct Switch<'a> {
    lab: &'a TestLab,
    host: &'a str,
}

impl Drop for Switch<'_> {
    fn drop(&mut self) {
        let mended = self.lab.lab().net(self.host, &Faults::default());
        assert!(mended.is_ok() || std::thread::panicking());
    }
}

impl<'a> Network<'a> {
    fn switch(&self, host: &'a str, block: &str) -> Switch<'a> {
        self.lab.lab_command(&["net"], &[host, "--block", block]).expect(0);
        Switch { lab: self.lab, host }
    }

    fn address(&self, host: &str) -> String {
        let hosts = self.lab.lab().hosts();
        hosts.iter().find(|known| known.name == host).unwrap().address.to_string()
    }

    /// Rules on a host, each with its hook, in a table of their own.
    fn firewall(&self, host: &'a str, rules: &[(&str, &str)]) -> Firewall<'a> {
        let mut ruleset = "table inet strict {\n".to_owned();
        for (hook, rule) in rules {
            writeln!(ruleset, "chain {hook} {{\ntype filter hook {hook} priority 0\n{rule}\n}}").unwrap();
        }
        ruleset.push_str("}\n");
        self.lab.host(host).write("/run/strict.nft", &ruleset);
        self.lab.host(host).exec(&["nft", "-f", "/run/strict.nft"]);
        self.lab.host(host).exec(&["rm", "/run/strict.nft"]);
        Firewall { lab: self.lab, host }
    }

    /// Sockets that listen, host by host.
    fn listening(&self) -> Vec<String> {
        let list = |host: &String| {
            let sockets = self.lab.host(host).exec(&["ss", "-ltnuHp"]);
            let mut lines: Vec<&str> = sockets.lines().collect();
            lines.sort_unstable();
            format!("{host}\n{}", lines.join("\n"))
        };
        self.lab.host_names().iter().map(list).collect()
    }

    /// Looks again and again, for so many seconds.
    #[track_caller]
    fn wait_for(&self, wanted: impl Fn(&[String]) -> bool, seconds: u64) {
        let begun = Instant::now();
        loop {
            let now = self.listening();
            if wanted(&now) {
                return;
            }
            assert!(begun.elapsed().as_secs() < seconds, "not within {seconds} s:\n{}", now.join("\n"));
        }
    }

    /// `check` finds exactly these rows about ways.
    #[track_caller]
    fn finds(&self, arguments: &[&str], expected: &[&str]) {
        let check = self.lab.garboard(&[&["check"], arguments].concat()).expect(3);
        assert_eq!(mesh_rows(&check), expected, "{}", check.story());
    }
}

/// Texts of the rows about ways.
fn mesh_rows(check: &Finished) -> Vec<String> {
    let rows = rows(check).into_iter().filter(|row| row["check"] == "mesh");
    rows.map(|row| row["text"].as_str().unwrap().to_owned()).collect()
}

fn rows(check: &Finished) -> Vec<Value> {
    let document = check.events.last().unwrap_or_else(|| panic!("{}", check.story()));
    document["rows"].as_array().unwrap().clone()
}

fn healthy_hosts_have_no_row_and_keep_no_port_open(network: &Network<'_>, bare: &States) {
    let before = network.listening();
    let check = network.lab.garboard(&["check"]).expect(0);
    assert_eq!(mesh_rows(&check), [""; 0], "{}", check.story());
    assert_eq!(network.listening(), before);
    assert_same(bare, &network.lab.states());
}

fn blocked_ports_are_named_and_up_refuses(network: &Network<'_>) {
    let _firewall = network.firewall("w1", &[("input", "tcp dport 10250 drop")]);
    let _switch = network.switch("w2", "udp/8472");
    let before = network.lab.states();
    let expected = [
        "w2 → cp1: udp 8472 (the pod network, VXLAN) is blocked: nothing came back within 3 s",
        "cp1, w2 → w1: tcp 10250 (kubelet) is blocked: nothing came back within 3 s",
        "w2 → w1: udp 8472 (the pod network, VXLAN) is blocked: nothing came back within 3 s",
        "cp1, w1 → w2: udp 8472 (the pod network, VXLAN) is blocked: nothing came back within 3 s",
    ];
    network.finds(&[], &expected);
    let up = network.lab.garboard(&["up"]).expect(3).says(&expected);
    assert!(up.of_kind("step_started").next().is_none(), "{}", up.story());
    assert_same(&before, &network.lab.states());
}

fn a_rejected_port_is_no_blocked_one(network: &Network<'_>) {
    let _reset = network.firewall("cp1", &[("input", "tcp dport 6443 reject with tcp reset")]);
    let _unreachable = network.firewall("w1", &[("input", "udp dport 8472 reject")]);
    let ended = "is refused (Connection refused) though something listens there: a rule rejects it";
    let api = format!("cp1: tcp 6443 (the Kubernetes API) {ended}");
    let vxlan = format!("cp1, w2 → w1: udp 8472 (the pod network, VXLAN) {ended}");
    network.finds(&[], &[&format!("w1, w2 → {api}"), &vxlan]);
    // Ways that touch no host of the limit are none of its business.
    network.finds(&["--limit", "w2"], &[&format!("w2 → {api}")]);
}

/// w1 takes nothing from w2, not even answers: what w2 asks is not heard, what w1 asks is heard and not answered.
fn a_block_of_one_way_names_that_way(network: &Network<'_>) {
    let rule = format!("ip saddr {} drop", network.address("w2"));
    let _firewall = network.firewall("w1", &[("input", &rule)]);
    network.finds(
        &[],
        &[
            "w2 → w1: tcp 10250 (kubelet) is blocked: nothing came back within 3 s",
            "w2 → w1: tcp 32767 (node ports 30000-32767) is blocked: nothing came back within 3 s",
            "w2 → w1: udp 8472 (the pod network, VXLAN) is blocked: nothing came back within 3 s",
        ],
    );
}

fn way_back_and_own_output(network: &Network<'_>) {
    let answers = format!("ip saddr {} tcp sport 6443 drop", network.address("cp1"));
    let output = format!("ip daddr {} udp dport 8472 drop", network.address("w2"));
    let _firewall = network.firewall("w1", &[("input", &answers), ("output", &output)]);
    network.finds(
        &[],
        &[
            "cp1 → w1: answers of tcp 6443 (the Kubernetes API) are blocked: cp1 heard w1, its answer did not come back \
             within 3 s",
            "w1 → w2: udp 8472 (the pod network, VXLAN) is blocked by w1's own firewall, which does not let it out",
        ],
    );
}

fn a_served_port_is_probed_in_place(network: &Network<'_>) {
    let host = network.lab.host("w2");
    // Once somebody comes, `sleep` has the port, and says nothing.
    for (unit, listen) in
        [("holder", ["--listen=10250"].as_slice()), ("hears", &["--datagram", "--listen=8472"])]
    {
        let unit = format!("--unit={unit}");
        let run = ["systemd-run", "--quiet", &unit, "systemd-socket-activate"];
        host.exec(&[run.as_slice(), listen, &["/bin/sleep", "infinity"]].concat());
    }
    network.wait_for(|now| ["*:10250", "*:8472"].iter().all(|port| now[2].contains(port)), 5);
    // It is refused for the taken ports, which the mesh does not hide, and not for the ways, which are open.
    let check = network.lab.garboard(&["check"]).expect(3);
    assert_eq!(mesh_rows(&check), [""; 0], "{}", check.story());
    let is_port = |row: &Value| row["check"] == "port" && row["verdict"] == "blocking" && row["host"] == "w2";
    assert_eq!(rows(&check).iter().filter(|row| is_port(row)).count(), 2, "{}", check.story());
    let firewall = network.firewall("w2", &[("input", "tcp dport 10250 drop\nudp dport 8472 drop")]);
    network.finds(
        &[],
        &[
            "cp1, w1 → w2: tcp 10250 (kubelet) is blocked: nothing came back within 3 s",
            "cp1, w1 → w2: udp 8472 (the pod network, VXLAN) is blocked: nothing came back within 3 s",
        ],
    );
    drop(firewall);
    host.exec(&["systemctl", "stop", "holder", "hears"]);
}

/// Killed while it waits for answers that do not come.
fn a_killed_up_leaves_no_port_open(network: &Network<'_>) {
    let before = network.listening();
    let firewall = network.firewall("w1", &[("input", "tcp dport 10250 drop")]);
    let mut killed = None;
    let up = network.lab.follow(&["up"], |event, running: Running| {
        let text = event["text"].as_str().unwrap_or_default();
        if text.contains("ports are open for 13 s at most") {
            // They stay open for the 3 s in which no answer comes.
            network.wait_for(|now| now.iter().all(|host| host.contains(":10250")), 5);
            running.kill();
            killed = Some(Instant::now());
        }
    });
    assert_eq!(up.code, 137, "{}", up.story());
    network.wait_for(|now| now == before, 13);
    println!("   closed {:.1?} after the kill", killed.unwrap().elapsed());
    drop(firewall);
    // The next run takes the hosts over, and ends as if nothing had been.
    let check = network.lab.garboard(&["check"]).expect(0);
    assert_eq!(mesh_rows(&check), [""; 0], "{}", check.story());
    assert_eq!(network.listening(), before);
}

/// The cluster's own programs serve its ports, and the kernel that of the pod network: nothing of it is opened or disturbed.
pub(crate) fn members_are_probed_in_place_and_a_second_up_probes_nobody(lab: &TestLab) {
    let network = Network { lab };
    let check = lab.garboard(&["check"]).expect(0);
    assert_eq!(mesh_rows(&check), [""; 0], "{}", check.story());
    let firewall = network.firewall("w1", &[("input", "tcp dport 10250 drop\nudp dport 8472 drop")]);
    network.finds(
        &[],
        &[
            "cp1, w2 → w1: tcp 10250 (kubelet) is blocked: nothing came back within 3 s",
            "cp1, w2 → w1: udp 8472 (the pod network, VXLAN) is blocked: nothing came back within 3 s",
        ],
    );
    let up = lab.converged();
    assert!(!up.notes().any(|text| text.starts_with("probing ")), "{}", up.story());
    drop(firewall);
}
