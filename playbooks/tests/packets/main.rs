//! What the shipped packet filters let through, with packets in network namespaces. Needs root and `nft`; the feature `packets` turns it
//! on, and `cargo xtask test` does.

// All of this file is tests, their helpers too.
#![allow(clippy::unwrap_used, clippy::expect_used)]

mod house;
mod namespace;
mod overlay;
mod sshd;
#[path = "../support/mod.rs"]
mod support;
mod vpn;
mod watch;

use garboard_playbooks::{Inputs, shipped};
use garboard_protocol::Step;
use house::House;
use namespace::Namespace;
use overlay::Overlay;
use support::{artifacts, debian, facts, inputs, inventory};

const TIERS: &str = "
cluster: { name: homelab, kubernetes: v1.36.3 }
hosts:
  cp1: { address: 192.168.1.11, role: control_plane }
  w1: { address: 192.168.1.12, role: worker }
  db1: { address: 192.168.2.11, role: worker, zone: data }
  dmz1: { address: 192.168.0.10, role: worker, edge: true }
edge: { firewall: { lan: [192.168.1.0/24, 'fd00:1::/64'], public_tcp: [443], public_udp: [443], reach: [192.168.1.5] } }
";

/// The transactions that load a host's tables, as the agent makes them, by name.
fn tables(source: &str, host: &str, router: &str) -> Vec<(String, String)> {
    let inventory = inventory(source);
    let mut facts = facts(&inventory, debian);
    for facts in facts.values_mut() {
        facts.gateway = router.parse().ok();
    }
    let (artifacts, ddns) = (artifacts(&["amd64"]), support::ddns(&inventory));
    let inputs = Inputs { ddns: ddns.as_ref(), ..inputs(&inventory, &facts, &artifacts) };
    let rendered = shipped().unwrap().render(&inputs).unwrap();
    let tables = rendered.hosts[host].iter().filter_map(|planned| match &planned.step {
        Step::Nft(nft) => {
            let before = if nft.keep_sets { "flush" } else { "delete" };
            let script = format!("table {0}\n{before} table {0}\n{1}", nft.table, nft.rules);
            Some((nft.table.clone(), script))
        }
        _ => None,
    });
    tables.collect()
}

fn load(on: &Namespace, host: &str) {
    load_of(TIERS, on, host);
}

fn load_of(source: &str, on: &Namespace, host: &str) {
    load_behind(ROUTER, source, on, host);
}

/// The default gateway of hosts that no test asks about: nobody.
const ROUTER: &str = "192.0.2.1";

fn load_behind(router: &str, source: &str, on: &Namespace, host: &str) {
    for (_, script) in tables(source, host, router) {
        on.feed("nft --file -", &script);
    }
}

const NODE_PORTS: [&str; 2] = ["203.0.113.10:30080", "[2001:db8:1::10]:30080"];

#[test]
fn an_edge_host_is_closed_to_the_internet_but_for_what_is_named_and_open_to_home() {
    let House { internet, home, edge, .. } = House::new();
    let closed = ["203.0.113.10:22", "203.0.113.10:6443", "203.0.113.10:10250", "[2001:db8:1::10]:22"];
    for open in closed.into_iter().chain(NODE_PORTS) {
        assert!(
            internet.reaches(open),
            "{open} is closed before there is a filter: the test would show nothing"
        );
    }
    let before = edge.run("nft list table ip kube-proxy");
    load(&edge, "dmz1");
    load(&edge, "dmz1");
    assert_eq!(edge.run("nft list table ip kube-proxy"), before);
    for closed in closed.into_iter().chain(NODE_PORTS) {
        assert!(!internet.reaches(closed), "{closed} is open to the internet");
    }
    for open in ["203.0.113.10:443", "[2001:db8:1::10]:443"] {
        assert!(internet.reaches(open), "{open} is closed to the internet");
    }
    for open in ["192.168.1.10:22", "192.168.1.10:30080", "[fd00:1::10]:22", "[fd00:1::10]:30080"] {
        assert!(home.reaches(open), "{open} is closed to home");
    }
}

#[test]
fn an_edge_host_and_its_pods_reach_at_home_only_what_a_node_needs() {
    let House { edge, pod, home, .. } = House::new();
    let closed = ["192.168.1.50:445", "192.168.1.11:445", "[fd00:1::50]:445", "192.168.1.50:6443"];
    for open in closed {
        assert!(edge.reaches(open) && pod.reaches(open), "{open} is closed before there is a filter");
    }
    load(&edge, "dmz1");
    for host in [&edge, &pod] {
        for closed in closed {
            assert!(!host.reaches(closed), "{closed} is open");
        }
        assert!(host.reaches("192.168.1.11:6443"), "the API is closed");
        assert!(host.reaches("192.168.1.5:445"), "what `reach` names is closed");
        assert!(host.sends_to(&home, "192.168.1.50:53"), "DNS is closed");
        assert!(!host.sends_to(&home, "192.168.1.50:514"), "any datagram gets out");
    }
}

/// The edge host alone asks, and only what dynamic DNS needs.
#[test]
fn the_edge_host_asks_its_router_for_its_address_and_pods_do_not() {
    let House { edge, pod, home, internet } = House::new();
    let ddns = "ddns: [ { name: home.example.org, provider: { desec: { token: { env: A } } } } ]";
    let source = TIERS.replace("edge: { ", &format!("edge: {{ {ddns}, "));
    home.serve(&[49000]);
    let (control, nat_pmp) = ("192.168.1.50:49000", "192.168.1.50:5351");
    assert!(edge.reaches(control) && pod.reaches(control), "it is closed before there is a filter");
    load(&edge, "dmz1");
    assert!(!edge.reaches(control) && !edge.sends_to(&home, nat_pmp), "it is open without dynamic DNS");
    load_behind("192.168.1.50", &source, &edge, "dmz1");
    assert!(edge.reaches(control) && edge.sends_to(&home, nat_pmp), "the router cannot be asked");
    assert!(!pod.reaches(control) && !pod.sends_to(&home, nat_pmp), "a pod asks the router");
    for closed in ["192.168.1.50:445", "192.168.1.12:49000"] {
        assert!(!edge.reaches(closed), "{closed} is open");
    }

    // A router outside of what is home, and its answer to a search that belongs to no connection.
    let heard = |from: u16, to: u16| {
        let listener = edge.on(move || std::net::UdpSocket::bind(("0.0.0.0", to)).unwrap());
        listener.set_read_timeout(Some(std::time::Duration::from_millis(700))).unwrap();
        internet.on(move || {
            let socket = std::net::UdpSocket::bind(("0.0.0.0", from)).unwrap();
            socket.send_to(b"here", ("203.0.113.10", to)).unwrap();
        });
        listener.recv(&mut [0; 4]).is_ok()
    };
    assert!(!heard(1900, 40_000), "a stranger's datagram gets in");
    load_behind("203.0.113.9", &source, &edge, "dmz1");
    assert!(heard(1900, 40_001), "the router's answer is dropped");
    assert!(!heard(1901, 40_002) && !heard(1900, 30_080), "more than the answer gets in");
}

#[test]
fn a_ban_outlives_the_rules() {
    let House { internet, edge, .. } = House::new();
    load(&edge, "dmz1");
    assert!(internet.reaches("203.0.113.10:443"));
    edge.run("nft add element inet garboard_bans banned4 { 203.0.113.9 }");
    edge.run("nft add element inet garboard_bans banned6 { 2001:db8:1::9 }");
    load(&edge, "dmz1");
    for banned in ["203.0.113.10:443", "[2001:db8:1::10]:443"] {
        assert!(!internet.reaches(banned), "{banned}: the ban is gone");
    }
}

#[test]
fn a_taken_edge_host_reaches_on_other_hosts_the_api_and_pods_and_nothing_else() {
    let Overlay { edge, inside, pod, beyond } = Overlay::new();
    let closed = [
        "192.168.1.12:22",
        "192.168.1.12:10250",
        "192.168.1.12:6443",
        "10.244.1.0:22",
        "10.244.1.1:10250",
        "172.20.0.2:80",
    ];
    for open in closed.into_iter().chain(["10.244.1.5:80"]) {
        assert!(edge.reaches(open), "{open} is closed before there is a filter: the test would show nothing");
    }
    load(&inside, "w1");
    for closed in closed {
        assert!(!edge.reaches(closed), "{closed} is open to the edge host");
    }
    assert!(edge.reaches("10.244.1.5:80"), "a pod of the private tier is closed to pods of the edge host");
    assert!(
        pod.reaches("172.20.0.2:80") && beyond.reaches("172.20.0.1:22"),
        "what comes not from the edge host is filtered"
    );

    load(&inside, "cp1");
    assert!(edge.reaches("192.168.1.12:6443"), "the API is closed");
    assert!(!edge.reaches("192.168.1.12:22"));

    load(&inside, "db1");
    assert!(!edge.reaches("10.244.1.5:80"), "a pod of the data tier is open to pods of the edge host");
    assert!(edge.reaches("10.244.1.5:53"), "DNS is closed");
    // Whoever it says it is.
    edge.run("ip route replace 10.244.1.0/24 via 10.244.1.0 dev flannel.1 onlink src 10.244.9.9");
    assert!(!edge.reaches("10.244.1.5:80"), "an address of another node's pod opens the data tier");
}

#[test]
fn hosts_inside_reach_the_edge_host_and_are_answered() {
    let Overlay { edge, inside, .. } = Overlay::new();
    load(&inside, "w1");
    edge.serve(&[10250]);
    assert!(inside.reaches("192.168.0.10:10250"), "the kubelet's answers are dropped");
    assert!(inside.reaches("10.244.3.0:10250"), "answers over the pod network are dropped");
}

#[test]
fn pods_of_the_edge_host_reach_of_it_what_everybody_reaches_and_no_sshd() {
    let House { edge, pod, internet: _internet, home: _home } = House::new();
    let closed =
        ["10.244.3.1:22", "192.168.1.10:22", "203.0.113.10:10250", "[fd00:244::1]:22", "192.168.1.10:6443"];
    for open in closed {
        assert!(pod.reaches(open), "{open} is closed before there is a filter: the test would show nothing");
    }
    load(&edge, "dmz1");
    for closed in closed {
        assert!(!pod.reaches(closed), "{closed} is open to a pod");
    }
    for open in ["203.0.113.10:443", "[fd00:244::1]:443", "192.168.1.11:6443"] {
        assert!(pod.reaches(open), "{open} is closed to a pod");
    }
    assert!(edge.reaches("10.244.3.5:80"), "the kubelet does not reach its pods");
}
