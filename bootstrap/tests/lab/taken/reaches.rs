//! What a host reaches on others, by a scan of all their ports.

use std::collections::BTreeSet;

use crate::harness::{TestLab, address, inside};

/// What `nsenter` is told to stand where a host stands in the network.
pub(super) fn host(lab: &TestLab, name: &str) -> Vec<String> {
    vec![format!("--net=/run/netns/garboard-{}.{name}", lab.name())]
}

/// The same for the only pod of the edge host that has a network of its own.
pub(super) fn pod(lab: &TestLab) -> Vec<String> {
    let folder = lab.host("edge1").path("/run/netns");
    let mut namespaces: Vec<_> =
        fs_err::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    assert_eq!(namespaces.len(), 1, "{namespaces:?}");
    vec![format!("--net={}", namespaces.remove(0).display())]
}

/// The same scan from a host of the private tier: that ports are closed to others says something then.
pub(super) fn more_from_home(lab: &TestLab) {
    let scan = inside(&host(lab, "w1"), &["-sS", "-p", "22,6443,10250", &address(lab, "cp1")]);
    assert_eq!(scan.open, BTreeSet::from([22, 6443, 10250]), "{}", scan.text);
    let scan = inside(&host(lab, "cp1"), &["-sS", "-p", "22,10250", &address(lab, "w1")]);
    assert_eq!(scan.open, BTreeSet::from([22, 10250]), "{}", scan.text);
}

/// The API on the control plane; nothing on the worker. What only pods of the private tier serve (docs/edge.md), pods reach by their
/// own network, which is no port of these hosts.
pub(super) fn only_what_the_tier_may(lab: &TestLab, from: &[String]) {
    for (to, open) in [("cp1", BTreeSet::from([6443])), ("w1", BTreeSet::new())] {
        let tcp = inside(from, &["-sS", "-p-", "--min-rate", "4000", &address(lab, to)]);
        assert_eq!(tcp.open, open, "{to}: {}", tcp.text);
        assert!(tcp.refused.is_empty(), "{to} refuses where it should not have heard: {}", tcp.text);
        let udp = inside(from, &["-sU", "--min-rate", "100", "--top-ports", "100", &address(lab, to)]);
        assert!(udp.open.is_empty() && udp.refused.is_empty(), "{to}: {}", udp.text);
    }
}
