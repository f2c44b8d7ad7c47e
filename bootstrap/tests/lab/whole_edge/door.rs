//! The ingress behind the router, with certificates of the laptop's own authority.

use std::time::Duration;

use serde_json::json;

use super::vpn;
use crate::harness::{Asked, From, TestLab, answers, until};

/// How long the controller may take to follow.
const FOLLOWS: Duration = Duration::from_mins(1);
/// By which the internet's own authorities are known.
const OTHERS: &str = "/etc/ssl/certs/ca-certificates.crt";

/// By which the laptop's own authority is known.
fn authority(lab: &TestLab) -> String {
    lab.cluster_state().join("ingress/ca.crt").display().to_string()
}

pub(super) fn up_tells_what_to_forward(lab: &TestLab) {
    let up = lab.converge();
    let door = up.of_kind("front_door").last().unwrap_or_else(|| panic!("{}", up.story()));
    assert_eq!(door["urls"], json!(["https://app1.example.org/", "https://app2.example.org/"]));
    assert_eq!(door["authority"], authority(lab));
    let forwards = door["forwards"].as_array().unwrap().iter();
    let ports: Vec<String> = forwards
        .map(|forward| format!("{}/{}", forward["port"], forward["protocol"].as_str().unwrap()))
        .collect();
    assert_eq!(ports, ["80/tcp", "443/tcp", "1194/udp"]);
}

/// Somebody in the LAN, who comes to the edge host by way of the router.
pub(super) fn at_home(lab: &TestLab) -> Asked<'_> {
    Asked::at(lab, From::Laptop, "edge1")
}

/// Each from its backend, and to nobody who trusts other authorities alone.
pub(super) fn both_names_answer(lab: &TestLab, asked: &Asked<'_>) {
    let authority = authority(lab);
    for (name, backend) in [("app1.example.org", "one-"), ("app2.example.org", "two-")] {
        let answer = || asked.https(name, "/", &authority, &[]);
        assert!(until(FOLLOWS, || answer().body.starts_with(backend)), "{name}: {:?}", answer());
        assert_eq!(asked.https(name, "/", OTHERS, &[]).status, 0, "{name}: any certificate will do");
    }
}

/// Whatever they say of themselves.
pub(super) fn the_backend_sees_who_asks(lab: &TestLab) {
    let authority = authority(lab);
    for (asked, address, path) in [
        (Asked::by_name(lab), lab.home().client.to_string(), "/internet"),
        (at_home(lab), vpn::laptop(lab).to_string(), "/home"),
    ] {
        let answer = asked.https("app1.example.org", path, &authority, &["X-Forwarded-For: 192.0.2.66"]);
        assert!(answer.body.contains(&format!("forwarded_for={address}\n")), "{answer:?}");
        let log = lab.kubectl(&["logs", "--selector=app=one", "--tail=200"]);
        let line = log.lines().find(|line| line.contains(&format!("path=\"{path}\"")));
        let line = line.unwrap_or_else(|| panic!("{log}"));
        assert!(line.contains(&format!("forwarded_for=\"{address}\"")), "{line}");
    }
}

/// A full scan is `home.rs`'s; here what the parts of the edge might have opened.
pub(super) fn nothing_else_is_open(lab: &TestLab) {
    let public = lab.home().public.to_string();
    assert!(answers(lab, From::Internet, &public, 443), "no way leads there: the test would show nothing");
    for port in [22, 6443, 8080, 10250, 10281] {
        assert!(!answers(lab, From::Internet, &public, port), "{port} is open to the internet");
    }
}
