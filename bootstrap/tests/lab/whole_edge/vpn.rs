//! Users of the VPN on the internet, who find the server by its name and through the router.

use std::path::Path;
use std::time::{Duration, Instant};

use serde_json::Value;

use crate::harness::{From, Guest, Phases, TestLab, answers, json_of, until};

/// The ends of both tunnels, in the order in which they come in.
const ALICES: From<'static> = From::Tunnel("tun0");
const BOBS: From<'static> = From::Tunnel("tun1");
const DEADLINE: Duration = Duration::from_mins(1);

pub(super) fn phases(lab: &TestLab, phases: &mut Phases) {
    let (alice, bob) = phases.must("two profiles", || (lab.vpn_profile("alice"), lab.vpn_profile("bob")));
    let alices = phases.must("alice comes in", || lab.come_in(From::Internet, &alice));
    let mut bobs = phases.must("bob comes in", || lab.come_in(From::Internet, &bob));
    phases.check("a_user_reaches_what_routes_name", || reaches_what_routes_name(lab));
    phases.check("a_user_reaches_nothing_else", || reaches_nothing_else(lab));
    phases.check("a_revoked_user_is_out_at_once_and_not_in_again", || {
        out_and_not_in_again(lab, &alice, alices);
    });
    phases.check("another_user_stays_connected", || {
        assert!(bobs.is_alive(), "bob is out: {}", bobs.said());
        assert!(lab.vpn_user("bob")["connected"].is_object());
        assert!(answers(lab, BOBS, &own_address(lab, "w1"), 22), "bob reaches nothing");
    });
}

fn own_address(lab: &TestLab, host: &str) -> String {
    lab.lab().host(host).unwrap().address.to_string()
}

fn reaches_what_routes_name(lab: &TestLab) {
    assert!(answers(lab, ALICES, &own_address(lab, "w1"), 22), "a host that `routes` name is closed");
    let service = lab.kubectl(&["get", "service", "one", "-o", "jsonpath={.spec.clusterIP}"]);
    let said = ALICES.curl(lab, &["--max-time", "10", &format!("http://{}/", service.trim())]);
    assert!(said.starts_with("one-"), "the service {service} does not answer: {said}");
}

fn reaches_nothing_else(lab: &TestLab) {
    for host in ["cp1", "edge1"] {
        let address = own_address(lab, host);
        assert!(answers(lab, From::Laptop, &address, 22), "nobody listens: the test would show nothing");
        assert!(!answers(lab, ALICES, &address, 22), "{host} is open, and `routes` do not name it");
    }
    assert!(!answers(lab, ALICES, &own_address(lab, "w1"), 10250), "a kubelet is open to users");
}

fn out_and_not_in_again(lab: &TestLab, profile: &Path, client: Guest) {
    let alice = lab.vpn_user("alice");
    let from = alice["connected"]["from"].as_str().unwrap_or_else(|| panic!("{alice}"));
    assert!(from.starts_with(&lab.home().client.to_string()), "{alice}");
    let begun = Instant::now();
    let revoked = json_of(&lab.garboard(&["vpn", "revoke", "alice"]).expect(0));
    println!("   revoked, and out, within {:.1} s", begun.elapsed().as_secs_f64());
    assert_eq!((&revoked["revoked"], &revoked["ended_sessions"]), (&Value::Bool(true), &Value::from(1)));
    assert!(lab.vpn_user("alice")["connected"].is_null());
    assert!(!answers(lab, ALICES, &own_address(lab, "w1"), 22), "the tunnel is there still");
    drop(client);
    let mut client = lab.vpn_client(From::Internet, profile);
    let host = lab.host("edge1");
    let refused = until(DEADLINE, || {
        host.exec(&["journalctl", "--unit", "garboard-openvpn", "--output", "cat"]).contains("is revoked")
    });
    assert!(refused, "nobody was refused; the client said:\n{}", client.said());
    assert!(lab.vpn_user("alice")["connected"].is_null());
}
