//! What the shipped packet filters let through, with packets in network namespaces. Needs root and `nft`; the feature `packets` turns it
//! on, and `cargo xtask test` does.

// All of this file is tests, their helpers too.
#![allow(clippy::unwrap_used, clippy::expect_used)]

mod namespace;
mod sshd;
#[path = "../support/mod.rs"]
mod support;
mod watch;

use garboard_playbooks::{Inputs, shipped};
use garboard_protocol::Step;
use namespace::Namespace;
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

/// The same with a VPN that leads to home, to services, and to a network behind a host.
fn with_vpn() -> String {
    let openvpn = "openvpn: { remote: home.example.org, routes: [192.168.1.0/24, 10.96.0.0/12, 172.20.0.0/24], users: [alice] }";
    TIERS.replace("edge: { ", &format!("edge: {{ {openvpn}, "))
}

/// As kube-proxy has it: a `NodePort` and a service's address that lead to a pod.
const KUBE_PROXY: &str = "
table ip kube-proxy {
	chain nat-prerouting {
		type nat hook prerouting priority dstnat
		tcp dport 30080 dnat to 10.244.3.5:80
		ip daddr 10.96.0.10 tcp dport 80 dnat to 10.244.3.5:80
	}
}
table ip6 kube-proxy {
	chain nat-prerouting {
		type nat hook prerouting priority dstnat
		tcp dport 30080 dnat to [fd00:244::5]:80
	}
}
";

/// The internet, home with a control plane and a laptop, an edge host between them, and a pod on it.
struct House {
    internet: Namespace,
    home: Namespace,
    edge: Namespace,
    pod: Namespace,
}

impl House {
    fn new() -> Self {
        let made = Self {
            internet: Namespace::new(),
            home: Namespace::new(),
            edge: Namespace::new(),
            pod: Namespace::new(),
        };
        let Self { internet, home, edge, pod } = &made;
        edge.connect(
            ("eth0", &["203.0.113.10/24", "2001:db8:1::10/64"]),
            internet,
            ("eth0", &["203.0.113.9/24", "2001:db8:1::9/64"]),
        );
        let at_home =
            ["192.168.1.11/24", "192.168.1.12/24", "192.168.1.5/24", "192.168.1.50/24", "fd00:1::50/64"];
        edge.connect(("eth1", &["192.168.1.10/24", "fd00:1::10/64"]), home, ("eth0", &at_home));
        edge.connect(
            ("cni0", &["10.244.3.1/24", "fd00:244::1/64"]),
            pod,
            ("eth0", &["10.244.3.5/24", "fd00:244::5/64"]),
        );
        for host in [internet, home] {
            let gateway = if std::ptr::eq(host, internet) {
                ("203.0.113.10", "2001:db8:1::10")
            } else {
                ("192.168.1.10", "fd00:1::10")
            };
            host.run(&format!("ip route add default via {}", gateway.0));
            host.run(&format!("ip -6 route add default via {}", gateway.1));
        }
        pod.run("ip route add default via 10.244.3.1");
        pod.run("ip -6 route add default via fd00:244::1");
        edge.feed("nft --file -", KUBE_PROXY);
        edge.serve(&[22, 443, 6443, 10250]);
        pod.serve(&[80]);
        home.serve(&[445, 6443]);
        made
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

/// A taken edge host, and one at home with a pod; both in a pod network of VXLAN. Behind the one at home there is another machine.
struct Overlay {
    edge: Namespace,
    inside: Namespace,
    pod: Namespace,
    beyond: Namespace,
}

impl Overlay {
    fn new() -> Self {
        let made = Self {
            edge: Namespace::new(),
            inside: Namespace::new(),
            pod: Namespace::new(),
            beyond: Namespace::new(),
        };
        let Self { edge, inside, pod, beyond } = &made;
        edge.connect(("eth0", &["192.168.0.10/16"]), inside, ("eth0", &["192.168.1.12/16"]));
        inside.connect(("cni0", &["10.244.1.1/24"]), pod, ("eth0", &["10.244.1.5/24"]));
        inside.connect(("eth1", &["172.20.0.1/24"]), beyond, ("eth0", &["172.20.0.2/24"]));
        pod.run("ip route add default via 10.244.1.1");
        beyond.run("ip route add default via 172.20.0.1");
        let ends = [
            (edge, "192.168.0.10", "192.168.1.12", "10.244.3.0"),
            (inside, "192.168.1.12", "192.168.0.10", "10.244.1.0"),
        ];
        for (host, own, other, address) in ends {
            host.run(&format!(
                "ip link add flannel.1 type vxlan id 1 local {own} remote {other} dstport 8472 dev eth0"
            ));
            host.run(&format!("ip address add {address}/16 dev flannel.1"));
            host.run("ip link set flannel.1 up");
        }
        // An address that is not its own: of a pod on another node.
        edge.run("ip address add 10.244.9.9/16 dev flannel.1");
        edge.run("ip route add 10.244.1.0/24 via 10.244.1.0 dev flannel.1 onlink");
        edge.run("ip route add 172.20.0.0/24 via 10.244.1.0 dev flannel.1 onlink");
        inside.serve(&[22, 6443, 10250]);
        pod.serve(&[53, 80]);
        beyond.serve(&[80]);
        made
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
fn users_of_the_vpn_reach_what_routes_name_and_nobody_begins_to_talk_to_them() {
    let House { internet, home, edge, pod } = House::new();
    let user = Namespace::new();
    edge.connect(("tun-garboard", &["10.8.0.1/24"]), &user, ("tun0", &["10.8.0.2/24"]));
    user.run("ip route add default via 10.8.0.1");
    user.serve(&[80]);
    internet.serve(&[80]);
    let closed = ["10.8.0.1:22", "203.0.113.10:22", "203.0.113.9:80", "10.244.3.5:80"];
    for open in closed {
        assert!(user.reaches(open), "{open} is closed before there is a filter: the test would show nothing");
    }
    assert!(pod.reaches("10.8.0.2:80") && home.reaches("10.8.0.2:80"));
    // Machines at home know no way to the tunnel.
    home.run("ip route delete default");
    assert!(!user.reaches("192.168.1.50:445"), "home knows a way to the tunnel: the test would show nothing");

    load_of(&with_vpn(), &edge, "dmz1");
    for closed in closed {
        assert!(!user.reaches(closed), "{closed} is open to a user of the VPN");
    }
    for open in ["192.168.1.50:445", "192.168.1.10:22", "10.96.0.10:80"] {
        assert!(user.reaches(open), "{open} is closed to a user of the VPN");
    }
    assert!(!pod.reaches("10.8.0.2:80"), "a pod begins to talk to a user");
    home.run("ip route add default via 192.168.1.10");
    assert!(!home.reaches("10.8.0.2:80"), "a machine at home begins to talk to a user");
}

#[test]
fn a_user_with_routes_of_its_own_reaches_those_alone_and_others_reach_all() {
    let House { home, edge, internet: _internet, pod: _pod } = House::new();
    let alice = Namespace::new();
    edge.connect(("tun-garboard", &["10.8.0.1/24"]), &alice, ("tun0", &["10.8.0.2/24", "10.8.0.4/24"]));
    alice.run("ip route add default via 10.8.0.1 src 10.8.0.2");
    home.run("ip route delete default");
    let own = "users: [{ name: alice, routes: [192.168.1.5/32, 10.96.0.10/32] }]";
    let open = ["192.168.1.5:445", "10.96.0.10:80"];
    let closed = ["192.168.1.50:445", "192.168.1.10:22"];
    load_of(&with_vpn(), &edge, "dmz1");
    for address in open.into_iter().chain(closed) {
        assert!(alice.reaches(address), "{address} is closed to all users: the test would show nothing");
    }
    load_of(&with_vpn().replace("users: [alice]", own), &edge, "dmz1");
    for open in open {
        assert!(alice.reaches(open), "{open} is closed to alice");
    }
    for closed in closed {
        assert!(!alice.reaches(closed), "{closed} is open to alice");
    }
    // Another user, by the address that the server gives.
    alice.run("ip route replace default via 10.8.0.1 src 10.8.0.4");
    for open in open.into_iter().chain(closed) {
        assert!(alice.reaches(open), "{open} is closed to a user who reaches all");
    }
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

#[test]
fn users_of_the_vpn_come_to_other_hosts_by_the_node_address_whatever_interface_leads_there() {
    let Overlay { edge, inside, pod: _pod, beyond: _beyond } = Overlay::new();
    let user = Namespace::new();
    edge.connect(("tun-garboard", &["10.8.0.1/24"]), &user, ("tun0", &["10.8.0.2/24"]));
    user.run("ip route add default via 10.8.0.1");
    // A second network between the two, which is the shorter way.
    edge.connect(("eth9", &["192.168.50.2/24"]), &inside, ("eth9", &["192.168.50.1/24"]));
    edge.run("ip route add 192.168.1.12/32 via 192.168.50.1 dev eth9");
    load_of(&with_vpn(), &edge, "dmz1");
    assert!(user.reaches("192.168.1.12:10250"), "no way leads there: the test would show nothing");
    load_of(&with_vpn(), &inside, "w1");
    assert!(!user.reaches("192.168.1.12:10250"), "a user comes as a machine at home");
    assert!(user.reaches("192.168.1.12:22"), "what `routes` names is closed to users of the VPN");
}

#[test]
fn the_port_of_the_vpn_is_open_to_the_internet_and_a_flood_of_one_sender_is_not_let_in() {
    let House { internet, home, edge, .. } = House::new();
    assert!(internet.sends_to(&edge, "203.0.113.10:1194"));
    load(&edge, "dmz1");
    assert!(!internet.sends_to(&edge, "203.0.113.10:1194"), "the port is open without a VPN");
    load_of(&with_vpn(), &edge, "dmz1");
    assert!(internet.sends_to(&edge, "203.0.113.10:1194"), "the port of the VPN is closed");
    assert!((0..80).any(|_| !internet.sends_to(&edge, "203.0.113.10:1194")), "80 conversations are let in");
    assert!(home.sends_to(&edge, "192.168.1.10:1194"), "one who floods shuts out others");
}

#[test]
fn what_the_edge_host_forwards_for_users_reaches_hosts_that_routes_name_but_not_their_ports_of_the_cluster() {
    let Overlay { edge, inside, beyond: _beyond, pod: _pod } = Overlay::new();
    edge.run("ip route replace 172.20.0.0/24 via 192.168.1.12");
    let closed = ["192.168.1.12:10250", "10.244.1.0:22", "10.244.1.1:10250", "172.20.0.2:80"];
    for open in closed {
        assert!(edge.reaches(open), "{open} is closed before there is a filter: the test would show nothing");
    }
    load_of(&with_vpn(), &inside, "w1");
    for closed in closed {
        assert!(!edge.reaches(closed), "{closed} is open to what comes from the edge host");
    }
    assert!(edge.reaches("192.168.1.12:22"), "what `routes` names is closed to users of the VPN");
    let narrow = with_vpn().replace("192.168.1.0/24, 10.96", "192.168.1.5/32, 10.96");
    load_of(&narrow, &inside, "w1");
    assert!(!edge.reaches("192.168.1.12:22"), "what `routes` does not name is open");
}
