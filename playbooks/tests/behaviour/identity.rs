//! Which cluster a member takes itself for, and who is believed.

use garboard_playbooks::Ephemeral;
use garboard_protocol::Step;

use crate::support::{CA_HASH, THREE_HOSTS, inventory};
use crate::{given, members, note, render, step};

#[test]
fn members_are_probed_with_the_identity_their_leader_has() {
    let inventory = inventory(THREE_HOSTS);
    let rendered = render(&inventory, &members(&inventory)).unwrap();
    let Step::KubeadmJoin(join) = &step(&rendered, "w1", "kubeadm_join").step else { panic!() };
    assert_eq!(join.ca_hash.as_deref(), Some(CA_HASH));
    let Step::ClusterNote(probed) = &step(&rendered, "w1", "cluster_note").step else { panic!() };
    assert_eq!(probed.cluster, note());
}

#[test]
fn a_note_that_the_live_ca_contradicts_is_not_believed() {
    let inventory = inventory(THREE_HOSTS);
    let mut facts = members(&inventory);
    facts.get_mut("cp1").unwrap().kubernetes.ca_hash = Some(CA_HASH.replace('1', "2"));
    let rendered = render(&inventory, &facts).unwrap();
    let Step::ClusterNote(probed) = &step(&rendered, "w1", "cluster_note").step else { panic!() };
    assert_eq!(probed.cluster.ca_hash, "");
    let late = step(&rendered, "w1", "cluster_note").late.as_ref().unwrap();
    let signals = given("cluster", &[("ca_hash", "sha256:new"), ("uid", "new-uid")]);
    let Step::ClusterNote(sent) = late.render(&signals, &Ephemeral::default()).unwrap() else { panic!() };
    assert_eq!((sent.cluster.ca_hash.as_str(), sent.cluster.uid.as_str()), ("sha256:new", "new-uid"));
}

#[test]
fn a_worker_whose_leader_is_gone_goes_by_its_own_note() {
    let inventory = inventory(THREE_HOSTS);
    let mut facts = members(&inventory);
    facts.remove("cp1");
    let rendered = render(&inventory, &facts).unwrap();
    let Step::ClusterNote(probed) = &step(&rendered, "w1", "cluster_note").step else { panic!() };
    assert_eq!(probed.cluster, note());
    assert!(!rendered.hosts.contains_key("cp1"));
}
