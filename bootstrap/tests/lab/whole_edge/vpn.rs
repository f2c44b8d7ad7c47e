//! Users of the VPN on the internet, who find the server by its name and through the router.

use std::io::Write as _;
use std::net::Ipv4Addr;
use std::path::Path;
use std::time::{Duration, Instant};

use serde_json::Value;

use crate::harness::{From, Guest, Network, Phases, TestLab, answers, json_of, until};

/// The ends of both tunnels, in the order in which they come in. What is begun at one goes through it, whatever the routes are;
/// the routes of their machine are those that the first one brought.
const ALICES: From<'static> = From::Tunnel("tun0");
const BOBS: From<'static> = From::Tunnel("tun1");
const DEADLINE: Duration = Duration::from_mins(1);
/// Where the laptop tells who asks it.
const PORT: u16 = 8022;

pub(super) fn phases(lab: &TestLab, phases: &mut Phases) {
    let (alice, bob) = phases.must("two profiles", || (lab.vpn_profile("alice"), lab.vpn_profile("bob")));
    phases.must("a machine at home that is not of the cluster", || serve(lab));
    phases.check("whoever_is_not_in_reaches_nothing_of_it", || {
        assert!(!answers(lab, From::Internet, &own_address(lab, "w1"), 22), "home is open to the internet");
        assert_eq!(asked_from(lab, From::Internet), "");
    });
    let alices = phases.must("alice comes in", || lab.come_in(From::Internet, &alice));
    phases.check("a_user_reaches_what_routes_name", || reaches_what_routes_name(lab));
    let mut bobs = phases.must("bob comes in", || lab.come_in(From::Internet, &bob));
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

/// The laptop, as those at home know it: no node of the cluster, and it has no route to the tunnel.
pub(super) fn laptop(lab: &TestLab) -> Ipv4Addr {
    let [a, b, c, _] = lab.lab().host("cp1").unwrap().address.octets();
    Ipv4Addr::new(a, b, c, 2)
}

/// Tells everybody who comes there with which address they came, for as long as the test's process lives.
fn serve(lab: &TestLab) {
    let listener = Network::of(lab).at(laptop(lab)).tcp(PORT);
    std::thread::spawn(move || {
        for mut stream in listener.incoming().map_while(Result::ok) {
            let Ok(asker) = stream.peer_addr() else { continue };
            let _ = writeln!(stream, "{}", asker.ip());
        }
    });
}

/// What it tells somebody there; nothing where it is not reached.
fn asked_from(lab: &TestLab, from: From<'_>) -> String {
    let target = format!("telnet://{}:{PORT}", laptop(lab));
    from.curl(lab, &["--max-time", "4", &target]).trim().to_owned()
}

/// By the routes that came with the tunnel, and by nothing else: no other way leads from the internet to these addresses.
fn reaches_what_routes_name(lab: &TestLab) {
    assert!(answers(lab, From::Internet, &own_address(lab, "w1"), 22), "a host that `routes` name is closed");
    assert_eq!(
        asked_from(lab, From::Internet),
        own_address(lab, "edge1"),
        "a machine at home does not answer"
    );
    let service = lab.kubectl(&["get", "service", "one", "-o", "jsonpath={.spec.clusterIP}"]);
    let said = From::Internet.curl(lab, &["--max-time", "10", &format!("http://{}/", service.trim())]);
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
    for from in [ALICES, From::Internet] {
        assert!(!answers(lab, from, &own_address(lab, "w1"), 22), "the tunnel is there still");
    }
    drop(client);
    let mut client = lab.vpn_client(From::Internet, profile);
    let host = lab.host("edge1");
    let refused = until(DEADLINE, || {
        host.exec(&["journalctl", "--unit", "garboard-openvpn", "--output", "cat"]).contains("is revoked")
    });
    assert!(refused, "nobody was refused; the client said:\n{}", client.said());
    assert!(lab.vpn_user("alice")["connected"].is_null());
}
