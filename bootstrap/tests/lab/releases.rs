//! One cluster of hosts of three releases: what differs between them is a fact, never a setting.

use crate::harness::{Phases, Shape, States, TestLab, assert_same};
use crate::second_up;

/// Each host, and how its own `os-release` begins to say what it is.
const RELEASES: [(&str, &str); 3] =
    [("cp1", "Debian GNU/Linux 12"), ("w1", "Debian GNU/Linux 13"), ("w2", "Ubuntu 24.04")];

#[test]
fn a_cluster_of_three_releases() {
    let mut phases = Phases::of("a_cluster_of_three_releases");
    let mut lab = phases.must("a host of Debian 12", || TestLab::up("t-releases", Shape::workers(0)));
    phases.must("one of Debian 13, one of Ubuntu 24.04", || {
        lab.grow_by(1, &["--os", "trixie"]);
        lab.grow_by(2, &["--os", "noble"]);
    });
    phases.must("hosts are what was asked for", || hosts_are_what_was_asked_for(&lab));
    let bare = phases.must("the state of bare hosts", || lab.states());
    phases.must("one_up_makes_a_cluster_of_three_releases", || {
        lab.converge();
        lab.assert_ready();
    });
    phases.check("pods_reach_each_other_across_releases", || {
        crate::ready::pods_reach_each_other_by_every_way(&lab);
    });
    phases.check("pods_ask_no_resolver_that_only_their_host_reaches", || {
        pods_ask_no_resolver_that_only_their_host_reaches(&lab);
    });
    phases.check("second_up_changes_nothing", || second_up::second_up_changes_nothing(&lab));
    phases.check("reset_gives_hosts_of_every_release_back", || {
        reset_gives_hosts_of_every_release_back(&lab, &bare);
    });
    phases.must("lab down", || drop(lab));
    phases.finish();
}

fn hosts_are_what_was_asked_for(lab: &TestLab) {
    for (host, name) in RELEASES {
        let release = lab.host(host).exec(&["cat", "/etc/os-release"]);
        assert!(release.contains(&format!("PRETTY_NAME=\"{name}")), "{host}: {release}");
    }
}

/// Ubuntu's `/etc/resolv.conf` names 127.0.0.53, where nobody answers inside a pod.
fn pods_ask_no_resolver_that_only_their_host_reaches(lab: &TestLab) {
    let stub = lab.host("w2").exec(&["cat", "/etc/resolv.conf"]);
    assert!(stub.contains("nameserver 127.0.0.53"), "the host has no stub: {stub}");
    for (host, _) in RELEASES {
        let given = lab.host(host).exec(&[
            "cat",
            "/var/lib/kubelet/kubeadm-flags.env",
            "/var/lib/kubelet/config.yaml",
        ]);
        let resolver = given.split("--resolv-conf=").nth(1).and_then(|rest| rest.split(['"', ' ']).next());
        let resolver = resolver.unwrap_or_else(|| panic!("{host} was given no resolver:\n{given}"));
        let servers = lab.host(host).exec(&["cat", resolver]);
        assert!(servers.contains("nameserver 10.66."), "{host}: {resolver}: {servers}");
    }
}

fn reset_gives_hosts_of_every_release_back(lab: &TestLab, bare: &States) {
    lab.reset(&[]);
    assert_same(bare, &lab.states());
    lab.garboard(&["reset", "--verify"]).expect(0);
}
