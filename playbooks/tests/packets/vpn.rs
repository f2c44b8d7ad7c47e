//! Users of the VPN: what they reach, and who reaches them.

use crate::house::House;
use crate::namespace::Namespace;
use crate::overlay::Overlay;
use crate::{TIERS, load, load_of};

/// [`TIERS`] with a VPN that leads to home, to services, and to a network behind a host.
pub(crate) fn with_vpn() -> String {
    let openvpn = "openvpn: { remote: home.example.org, routes: [192.168.1.0/24, 10.96.0.0/12, 172.20.0.0/24], users: [alice] }";
    TIERS.replace("edge: { ", &format!("edge: {{ {openvpn}, "))
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
