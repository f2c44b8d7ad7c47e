//! The edge host is taken: what somebody with root finds there, and what it reaches.

mod reaches;
mod search;

use std::time::Duration;

use crate::harness::{Phases, Shape, TestLab, until};

/// Routes of the VPN that open nothing on other hosts: services, and no host's own address.
const EDGE: &str = "edge:\n  openvpn: { remote: 44.128.1.10, routes: [10.96.0.0/12], users: [alice] }\n";

#[test]
fn a_taken_edge_host_finds_no_key_to_others_and_reaches_only_what_its_tier_may() {
    let mut phases =
        Phases::of("a_taken_edge_host_finds_no_key_to_others_and_reaches_only_what_its_tier_may");
    let lab = phases.must("a home", || TestLab::up("t-taken", Shape::workers(1).in_a_home()));
    phases.must("OpenVPN, from an archive inside the host", || lab.install_openvpn("edge1"));
    let edited = lab.edited("edge:\n", EDGE);
    phases.must("up", || lab.converge());
    phases.must("the authority of a VPN that somebody uses", || {
        lab.vpn_profile("alice");
    });
    phases.check("the_search_finds_what_is_planted", || search::finds_what_is_planted(&lab));
    phases.check("it_finds_nothing_that_opens_others", || search::finds_nothing_that_opens_others(&lab));
    phases.check("its_own_credential_is_no_administrators", || search::its_credential_is_a_nodes(&lab));
    phases.must("a pod on the edge host", || a_pod(&lab));
    phases.must("its own filter is in its hands", || {
        let host = lab.host("edge1");
        host.exec(&["systemctl", "stop", "garboard-firewall-watch.service"]);
        host.exec(&["nft", "delete", "table", "inet", "garboard_edge"]);
    });
    phases.check("a_host_at_home_reaches_more", || reaches::more_from_home(&lab));
    phases.check("it_reaches_only_what_its_tier_may", || {
        reaches::only_what_the_tier_may(&lab, &reaches::host(&lab, "edge1"));
    });
    phases.check("its_pods_reach_only_what_its_tier_may", || {
        reaches::only_what_the_tier_may(&lab, &reaches::pod(&lab));
    });
    drop(edited);
    phases.must("lab down", || drop(lab));
    phases.finish();
}

/// One that only waits, from an image that every node holds.
fn a_pod(lab: &TestLab) {
    let images = lab.kubectl(&["get", "node", "edge1", "-o", "jsonpath={.status.images[*].names[*]}"]);
    let pause = images.split_whitespace().find(|name| name.contains("/pause:")).expect("the pause image");
    let pod = format!(
        r#"{{"apiVersion":"v1","kind":"Pod","metadata":{{"name":"taken","namespace":"default"}},"spec":{{"nodeName":"edge1",
        "tolerations":[{{"key":"garboard/edge","operator":"Exists"}}],"containers":[{{"name":"waits","image":"{pause}","imagePullPolicy":"Never"}}]}}}}"#
    );
    let file = lab.folder().join("pod.json");
    fs_err::write(&file, pod).unwrap();
    let account = ["get", "serviceaccount", "default", "--namespace", "default"];
    assert!(until(Duration::from_mins(1), || lab.try_kubectl(&account).code == 0), "no default account");
    lab.kubectl(&["apply", "--filename", file.to_str().unwrap()]);
    lab.wait(&["--for=condition=Ready", "pod/taken"]);
}
