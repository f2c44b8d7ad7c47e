//! All of `edge:` at once, in a home: filter, ingress, names, VPN, hardening, and addons beside them; each seen from where it matters.

mod door;
mod names;
mod vpn;

use crate::addons::{MEASURED, measured};
use crate::firewall::SOMEBODY;
use crate::harness::{Asked, Phases, Shape, States, TestLab, assert_same, until};
use crate::ingress::objects;
use crate::second_up::second_up_changes_nothing;

const HOSTS: [&str; 3] = ["cp1", "w1", "edge1"];

#[test]
fn all_of_the_edge_at_once() {
    let mut phases = Phases::of("all_of_the_edge_at_once");
    let lab = phases.must("a home", || TestLab::up("t-whole-edge", Shape::workers(1).in_a_home()));
    phases.must("an OpenVPN and a table of somebody else", || {
        lab.run_a_foreign_openvpn("edge1");
        let host = lab.host("edge1");
        host.write("/root/somebody.nft", SOMEBODY);
        host.exec(&["nft", "--file", "/root/somebody.nft"]);
        host.use_a_dynamic_user();
    });
    let bare = phases.must("the state of the bare hosts", || lab.states());
    let echo = phases.must("a service that tells the asker's address", || names::echo(&lab));
    let ddns = names::section(&lab);
    let edge = lab.edited("edge:\n  firewall:", &section(&lab, &ddns));
    phases.must("up", || door::up_tells_what_to_forward(&lab));
    phases.must("two backends behind two names", || objects::serve(&lab, "w1"));
    phases.check("the_name_leads_home_by_itself", || names::the_name_leads_home(&lab));
    phases.check("both_names_answer_over_https_to_the_internet_and_at_home", || {
        door::both_names_answer(&lab, &Asked::by_name(&lab));
        door::both_names_answer(&lab, &door::at_home(&lab));
    });
    phases.check("the_backend_sees_who_asks", || door::the_backend_sees_who_asks(&lab));
    phases.check("nothing_else_is_open_to_the_internet", || door::nothing_else_is_open(&lab));
    phases.check("the_addons_work_beside_it", || the_addons_work(&lab));
    vpn::phases(&lab, &mut phases);
    phases.check("the_name_follows_the_router_by_itself", || names::the_name_follows(&lab));
    phases.check("both_names_answer_at_the_new_address", || {
        door::both_names_answer(&lab, &Asked::by_name(&lab));
    });
    phases.check("one_lying_source_holds_the_name", || names::one_lying_source(&lab, &echo));
    phases.check("second_up_changes_nothing", || second_up_changes_nothing(&lab));
    phases.check("without_names_in_the_inventory_their_service_is_gone_and_the_name_stays", || {
        names::out_of_the_inventory(&lab, &ddns);
    });
    phases.check("names_that_come_back_are_not_sent_again", || names::back_again(&lab));
    drop(edge);
    phases.check("reset_gives_the_hosts_back_and_leaves_what_is_somebody_elses", || given_back(&lab, &bare));
    phases.must("lab down", || drop(lab));
    phases.finish();
}

/// All there is, in place of the empty section that the lab writes.
fn section(lab: &TestLab, ddns: &str) -> String {
    let worker = lab.lab().host("w1").unwrap().address;
    format!(
        "addons: [metrics-server, local-path-storage]\nedge:\n  ingress: {{ hosts: [app1.example.org, app2.example.org], \
         tls: own_ca }}\n  openvpn: {{ remote: {}, routes: [{worker}/32, {}/32, 10.96.0.0/12], users: [alice, bob] }}\n{ddns}  firewall:",
        names::NAME,
        vpn::laptop(lab)
    )
}

fn the_addons_work(lab: &TestLab) {
    for node in HOSTS {
        assert!(until(MEASURED, || measured(lab, node).is_some()), "nobody tells what {node} uses");
    }
    let default = "jsonpath={.items[?(@.metadata.annotations.storageclass\\.kubernetes\\.io/is-default-class=='true')].metadata.name}";
    assert_eq!(lab.kubectl(&["get", "storageclass", "-o", default]).trim(), "local-path");
}

fn given_back(lab: &TestLab, bare: &States) {
    let somebody = || lab.host("edge1").exec(&["nft", "list", "table", "inet", "somebody"]);
    let before = somebody();
    lab.reset(&[]);
    assert_eq!(somebody(), before);
    lab.assert_foreign_openvpn_runs("edge1");
    assert_same(bare, &lab.states());
    lab.garboard(&["reset", "--verify"]).expect(0);
}
