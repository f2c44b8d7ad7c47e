//! The VPN on an edge host, beside an OpenVPN of somebody else: made by `up`, used by real clients, revoked, given back.

use std::path::Path;
use std::time::Duration;

use serde_json::Value;

use crate::harness::{From, Phases, Shape, States, TestLab, answers, assert_same, json_of, until};
use crate::second_up::second_up_changes_nothing;

const DEADLINE: Duration = Duration::from_mins(1);

#[test]
fn a_vpn_on_the_edge() {
    let mut phases = Phases::of("a_vpn_on_the_edge");
    let lab = phases.must("a control plane and an edge host", || TestLab::up("t-openvpn", Shape::workers(1)));
    phases.must("an OpenVPN of somebody else", || lab.run_a_foreign_openvpn("w1"));
    let before = phases.must("the state of both hosts", || lab.states());
    let edge = lab.edited("role: worker,", "role: worker, edge: true,");
    let address = lab.lab().host("w1").unwrap().address;
    let section = |users: &str| {
        format!(
            "\nedge:\n  openvpn: {{ remote: {address}, routes: [10.96.0.0/12], users: [{users}] }}\nhosts:"
        )
    };
    let both = lab.edited("\nhosts:", &section("alice, bob"));
    phases.must("up makes the server", || lab.converge());
    phases.check("second_up_changes_nothing", || second_up_changes_nothing(&lab));
    phases.check("whoever_is_not_in_the_inventory_gets_no_profile", || {
        lab.garboard(&["vpn", "add", "carol"]).expect(2).says(&["users: [alice, bob, carol]"]);
    });
    let (alice, bob) = phases.must("two profiles", || (lab.vpn_profile("alice"), lab.vpn_profile("bob")));
    phases.check("the_authoritys_key_is_nowhere_on_the_edge_host", || {
        the_authoritys_key_is_nowhere_on_the_edge_host(&lab);
    });
    let mut bobs = phases.must("bob comes in", || lab.come_in(From::Laptop, &bob));
    phases.check("a_user_reaches_a_service_of_the_cluster_and_no_sshd_of_the_edge_host", || {
        a_user_reaches_a_service_of_the_cluster_and_no_sshd_of_the_edge_host(&lab);
    });
    phases.check("a_revoked_user_is_out_at_once_and_stays_out", || {
        a_revoked_user_is_out_at_once_and_stays_out(&lab, &alice);
    });
    phases.check("another_user_stays_connected", || {
        assert!(bobs.is_alive(), "bob is out");
        assert!(lab.vpn_user("bob")["connected"].is_object());
    });
    drop(both);
    let one = lab.edited("\nhosts:", &section("alice"));
    phases.check("whoever_leaves_the_inventory_is_out_with_the_next_up", || {
        lab.converge();
        assert_eq!(lab.vpn_user("bob")["standing"], "revoked");
        assert!(lab.vpn_user("bob")["connected"].is_null());
        lab.converged();
    });
    drop((one, edge));
    drop(bobs);
    phases.check("reset_leaves_the_foreign_instance_as_it_was", || {
        reset_leaves_the_foreign_instance_as_it_was(&lab, &before);
    });
    phases.must("lab down", || drop(lab));
    phases.finish();
}

/// Through the tunnel that is there: the API as a service, which the edge host forwards to the control plane.
fn a_user_reaches_a_service_of_the_cluster_and_no_sshd_of_the_edge_host(lab: &TestLab) {
    let version = From::Laptop.curl(lab, &["--max-time", "10", "--insecure", "https://10.96.0.1/version"]);
    assert!(version.contains("gitVersion"), "the service does not answer: {version}");
    // sshd listens on every address of the host; this one is not among the routes.
    assert!(!answers(lab, From::Laptop, "10.8.0.1", 22), "a user reaches the edge host's sshd");
}

fn a_revoked_user_is_out_at_once_and_stays_out(lab: &TestLab, profile: &Path) {
    let mut client = lab.come_in(From::Laptop, profile);
    assert!(client.said().contains("TLSv1.3"), "{}", client.said());
    let alice = lab.vpn_user("alice");
    assert_eq!((alice["standing"].as_str(), alice["address"].as_str()), (Some("valid"), Some("10.8.0.2")));
    assert!(alice["connected"].is_object(), "{alice}");
    let revoked = json_of(&lab.garboard(&["vpn", "revoke", "alice"]).expect(0));
    assert_eq!((&revoked["revoked"], &revoked["ended_sessions"]), (&Value::Bool(true), &Value::from(1)));
    let alice = lab.vpn_user("alice");
    assert_eq!(alice["standing"], "revoked");
    assert!(alice["connected"].is_null(), "{alice}");
    drop(client);
    let mut client = lab.vpn_client(From::Laptop, profile);
    let host = lab.host("w1");
    let refused = until(DEADLINE, || {
        host.exec(&["journalctl", "--unit", "garboard-openvpn", "--output", "cat"]).contains("is revoked")
    });
    assert!(refused, "nobody was refused; the client said:\n{}", client.said());
    assert!(lab.vpn_user("alice")["connected"].is_null());
    lab.garboard(&["vpn", "revoke", "nobody"]).expect(2).says(&["nobody is called `nobody`"]);
}

fn the_authoritys_key_is_nowhere_on_the_edge_host(lab: &TestLab) {
    let key = fs_err::read_to_string(lab.cluster_state().join("vpn/ca.key")).unwrap();
    let line = key.lines().nth(1).unwrap();
    // It would be found: the server's own is.
    for (text, found) in [(line, false), (&server_key_line(lab), true)] {
        let search = format!(
            "grep --recursive --files-with-matches --fixed-strings --devices=skip -e '{text}' /etc /home /opt /root /run /srv /tmp /usr /var || true"
        );
        let files = lab.host("w1").exec(&["sh", "-c", &search]);
        assert_eq!(!files.trim().is_empty(), found, "{files}");
    }
}

fn server_key_line(lab: &TestLab) -> String {
    let key = lab.host("w1").exec(&["cat", "/etc/openvpn/garboard/server.key"]);
    key.lines().nth(1).unwrap().to_owned()
}

fn reset_leaves_the_foreign_instance_as_it_was(lab: &TestLab, before: &States) {
    lab.assert_foreign_openvpn_runs("w1");
    lab.reset(&[]);
    lab.assert_foreign_openvpn_runs("w1");
    assert_same(before, &lab.states());
    lab.garboard(&["reset", "--verify"]).expect(0);
}
