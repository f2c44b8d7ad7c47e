use std::collections::BTreeMap;

use garboard_inventory::Inventory;
use garboard_protocol::Facts;
use garboard_protocol::step::ClusterId;

use super::{Membership, decide};
use crate::facts_for_tests::facts;
use crate::problem::{Exit, Problem};

const CA: &str = "sha256:aaaa";

fn inventory() -> Inventory {
    garboard_inventory::parse(
        "garboard.yaml",
        "cluster: { name: home, kubernetes: v1.36.3 }\n\
         hosts:\n  cp1: { address: 192.168.1.11, role: control_plane }\n  w1: { address: 192.168.1.12, role: worker }\n",
    )
    .unwrap()
}

fn known() -> ClusterId {
    ClusterId { name: "home".into(), ca_hash: CA.into(), uid: "u".into() }
}

fn control_plane() -> Facts {
    let mut facts = facts();
    facts.kubernetes.kubelet_conf = true;
    facts.kubernetes.admin_conf = true;
    facts.kubernetes.etcd_data = true;
    facts.kubernetes.ca_hash = Some(CA.into());
    facts
}

fn worker(ca: &str) -> Facts {
    let mut facts = facts();
    facts.kubernetes.kubelet_conf = true;
    facts.kubernetes.ca_hash = Some(ca.into());
    facts
}

fn all(cp1: Facts, w1: Facts) -> BTreeMap<String, Facts> {
    BTreeMap::from([("cp1".to_owned(), cp1), ("w1".to_owned(), w1)])
}

fn only(problems: Result<Membership, Vec<Problem>>) -> Problem {
    let problems = problems.unwrap_err();
    assert_eq!(problems.len(), 1, "{problems:?}");
    problems.into_iter().next().unwrap()
}

#[test]
fn bare_hosts_get_a_new_cluster() {
    let membership = decide(&inventory(), &all(facts(), facts()), &[], None).unwrap();
    assert_eq!(membership, Membership { leader: "cp1".into(), cluster: None });
}

#[test]
fn a_note_alone_is_history() {
    let mut noted = facts();
    noted.garboard.cluster = Some(known());
    let membership = decide(&inventory(), &all(noted.clone(), noted), &[], Some(&known())).unwrap();
    assert_eq!(membership.cluster, None);
}

#[test]
fn a_live_control_plane_leads() {
    let membership = decide(&inventory(), &all(control_plane(), worker(CA)), &[], Some(&known())).unwrap();
    assert_eq!(membership.cluster.as_deref(), Some(CA));
}

#[test]
fn a_fresh_control_plane_beside_a_live_worker_needs_a_person() {
    let problem = only(decide(&inventory(), &all(facts(), worker(CA)), &[], Some(&known())));
    assert_eq!(problem.exit, Exit::NeedsPerson);
    assert!(problem.help.unwrap().contains("garboard reset --host w1"));
}

#[test]
fn no_cluster_is_made_while_the_control_plane_is_unreached() {
    let facts = BTreeMap::from([("w1".to_owned(), facts())]);
    let problem = only(decide(&inventory(), &facts, &["cp1".to_owned()], None));
    assert_eq!((problem.exit, problem.host.as_deref()), (Exit::Failed, Some("cp1")));
}

#[test]
fn a_remembered_cluster_is_not_replaced_while_a_host_cannot_be_asked() {
    let facts = BTreeMap::from([("cp1".to_owned(), facts())]);
    let problem = only(decide(&inventory(), &facts, &["w1".to_owned()], Some(&known())));
    assert_eq!(problem.exit, Exit::NeedsPerson);
}

#[test]
fn a_worker_of_another_cluster_needs_a_person() {
    let problem = only(decide(&inventory(), &all(control_plane(), worker("sha256:bbbb")), &[], None));
    assert_eq!((problem.exit, problem.host.as_deref()), (Exit::NeedsPerson, Some("w1")));
}

#[test]
fn another_clusters_control_plane_needs_a_person() {
    let mut other = known();
    other.ca_hash = "sha256:cccc".into();
    let problem = only(decide(&inventory(), &all(control_plane(), worker(CA)), &[], Some(&other)));
    assert_eq!((problem.exit, problem.host.as_deref()), (Exit::NeedsPerson, Some("cp1")));
}

#[test]
fn a_renamed_cluster_needs_a_person() {
    let mut renamed = control_plane();
    renamed.garboard.cluster = Some(ClusterId { name: "old".into(), ..known() });
    let problem = only(decide(&inventory(), &all(renamed, worker(CA)), &[], None));
    assert_eq!(problem.exit, Exit::NeedsPerson);
    assert!(problem.message.contains("`old`"), "{}", problem.message);
}
