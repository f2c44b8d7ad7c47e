//! How plans behave when facts differ, hosts are missing, and outputs come late.

// All of this file is tests, their helpers too.
#![allow(clippy::unwrap_used)]

mod identity;
mod machines;
#[path = "../support/mod.rs"]
mod support;
mod withdrawn;

use std::collections::BTreeMap;

use garboard_inventory::Inventory;
use garboard_playbooks::{
    Ephemeral, Inputs, LateError, PlannedStep, RenderError, Rendered, Signals, shipped,
};
use garboard_protocol::facts::{Facts, InterfaceAddress};
use garboard_protocol::step::ClusterId;
use garboard_protocol::{Owned, Secret, Step};
use support::{CA_HASH, THREE_HOSTS, artifacts, container, debian, facts, inputs, inventory};

fn render(inventory: &Inventory, facts: &BTreeMap<String, Facts>) -> Result<Rendered, RenderError> {
    let artifacts = artifacts(&["amd64"]);
    shipped().unwrap().render(&inputs(inventory, facts, &artifacts))
}

fn step<'a>(rendered: &'a Rendered, host: &str, kind: &str) -> &'a PlannedStep {
    rendered.hosts[host].iter().find(|step| step.step.kind() == kind).unwrap()
}

/// Facts of three hosts that are members of a running cluster.
fn members(inventory: &Inventory) -> BTreeMap<String, Facts> {
    let mut facts = facts(inventory, debian);
    for (name, facts) in &mut facts {
        facts.kubernetes.kubelet_conf = true;
        facts.kubernetes.ca_hash = Some(CA_HASH.to_owned());
        facts.kubernetes.admin_conf = name == "cp1";
        facts.garboard.cluster = Some(note());
    }
    facts
}

fn note() -> ClusterId {
    ClusterId { name: "homelab".to_owned(), ca_hash: CA_HASH.to_owned(), uid: "some-uid".to_owned() }
}

fn given(signal: &str, outputs: &[(&str, &str)]) -> Signals {
    let mut signals = Signals::new();
    let outputs = outputs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
    signals.give(signal, outputs.collect());
    signals
}

#[test]
fn a_late_step_is_probed_without_its_secrets_and_sent_with_them() {
    let inventory = inventory(THREE_HOSTS);
    let rendered = render(&inventory, &facts(&inventory, debian)).unwrap();
    let join = step(&rendered, "w1", "kubeadm_join");
    let Step::KubeadmJoin(probed) = &join.step else { panic!("{join:?}") };
    assert_eq!((&probed.config, &probed.ca_hash), (&None, &None));
    let late = join.late.as_ref().unwrap();
    assert!(late.needs_token());
    assert!(late.signals().any(|signal| signal == "api"));

    let ephemeral = Ephemeral { token: Some(Secret::new("abcdef.0123456789abcdef")) };
    let mut signals = given("join_token", &[]);
    let missing = late.render(&signals, &ephemeral).unwrap_err();
    assert_eq!(
        missing.to_string(),
        "step `worker/4` needs `ca_hash` of the signal `api`, which was not given"
    );
    signals.give("api", [("ca_hash".to_owned(), CA_HASH.to_owned())].into());
    let missing = late.render(&signals, &Ephemeral::default()).unwrap_err();
    assert!(matches!(missing, LateError::TokenMissing { .. }), "{missing}");
    let Step::KubeadmJoin(sent) = late.render(&signals, &ephemeral).unwrap() else { panic!() };
    assert_eq!(sent.ca_hash.as_deref(), Some(CA_HASH));
    let config = sent.config.unwrap();
    assert!(config.expose().contains("token: \"abcdef.0123456789abcdef\""));
    assert!(config.expose().contains(CA_HASH));
    let Step::KubeadmJoin(probed) = late.probe(&signals).unwrap() else { panic!() };
    assert_eq!((probed.ca_hash.as_deref(), probed.config), (Some(CA_HASH), None));
}

#[test]
fn no_debug_output_of_a_plan_holds_a_token() {
    let inventory = inventory(THREE_HOSTS);
    let rendered = render(&inventory, &facts(&inventory, debian)).unwrap();
    let ephemeral = Ephemeral { token: Some(Secret::new("zyxwvu.9876543210zyxwvu")) };
    let late = step(&rendered, "cp1", "kubeadm_init").late.as_ref().unwrap();
    let sent = late.render(&Signals::new(), &ephemeral).unwrap();
    let Step::KubeadmInit(init) = &sent else { panic!() };
    assert!(init.config.as_ref().unwrap().expose().contains("zyxwvu.9876543210zyxwvu"));
    let shown = format!("{rendered:?} {late:?} {sent:?} {ephemeral:?}");
    assert!(!shown.contains("zyxwvu"), "{shown}");
}

#[test]
fn hosts_that_were_not_reached_get_no_chain_and_are_not_waited_for() {
    let inventory = inventory(THREE_HOSTS);
    let mut facts = facts(&inventory, debian);
    facts.remove("w2");
    let rendered = render(&inventory, &facts).unwrap();
    assert_eq!(rendered.hosts.keys().collect::<Vec<_>>(), ["cp1", "w1"]);
    assert_eq!(rendered.owns.keys().collect::<Vec<_>>(), ["cp1", "w1"]);
    assert!(!format!("{:?}", rendered.cluster).contains("w2"));
}

fn addresses(all: &[&str]) -> Vec<InterfaceAddress> {
    let of = |address: &&str| InterfaceAddress {
        interface: "eth0".to_owned(),
        address: (*address).to_owned(),
        prefix: 24,
    };
    all.iter().map(of).collect()
}

#[test]
fn a_host_without_a_clear_address_is_asked_about() {
    let inventory = inventory(&THREE_HOSTS.replace("address: 192.168.1.12", "address: w1.lan"));
    let mut facts = facts(&inventory, debian);
    let w1 = facts.get_mut("w1").unwrap();
    // Loopback, the pods' bridge and link-local addresses do not come into question.
    w1.addresses = addresses(&["127.0.0.1", "10.244.1.1", "169.254.3.4", "192.168.1.12"]);
    let rendered = render(&inventory, &facts).unwrap();
    let Step::HostsEntry(own) = &step(&rendered, "w1", "hosts_entry").step else { panic!() };
    assert_eq!(own.address, "192.168.1.12");

    facts.get_mut("w1").unwrap().addresses = addresses(&["192.168.1.12", "10.0.0.5"]);
    let error = render(&inventory, &facts).unwrap_err();
    assert_eq!(
        error.to_string(),
        "host `w1`: its address `w1.lan` is on none of its interfaces, and 10.0.0.5 or 192.168.1.12 could be its \
         address in the cluster; say which with `node_ip` in the inventory"
    );
}

#[test]
fn a_leader_must_be_a_control_plane() {
    let inventory = inventory(THREE_HOSTS);
    let (facts, artifacts) = (facts(&inventory, debian), artifacts(&["amd64"]));
    for leader in ["w1", "nobody"] {
        let inputs = Inputs { leader, ..inputs(&inventory, &facts, &artifacts) };
        assert!(matches!(shipped().unwrap().render(&inputs), Err(RenderError::Leader { .. })), "{leader}");
    }
}

#[test]
fn one_host_that_cannot_write_conntrack_settings_decides_for_all() {
    let inventory = inventory(THREE_HOSTS);
    let mut facts = facts(&inventory, debian);
    facts.insert("w2".to_owned(), container("w2", "192.168.1.13"));
    let rendered = render(&inventory, &facts).unwrap();
    let late = step(&rendered, "cp1", "kubeadm_init").late.as_ref().unwrap();
    let ephemeral = Ephemeral { token: Some(Secret::new("abcdef.0123456789abcdef")) };
    let Step::KubeadmInit(init) = late.render(&Signals::new(), &ephemeral).unwrap() else { panic!() };
    let config = init.config.unwrap();
    assert!(config.expose().contains("maxPerCore: 0"));
    assert!(!config.expose().contains("ignorePreflightErrors"), "the leader itself has nothing to ignore");
}

#[test]
fn steps_keep_their_numbers_when_a_condition_leaves_one_out() {
    let inventory = inventory(THREE_HOSTS);
    let rendered = render(&inventory, &facts(&inventory, debian)).unwrap();
    let ids = |host: &str| rendered.hosts[host].iter().map(|step| step.id.0.clone()).collect::<Vec<_>>();
    assert_eq!(ids("w1")[..2], ["host/1", "host/2"]);
    // `w2` keeps its hostname.
    assert_eq!(ids("w2")[..2], ["host/1", "host/3"]);
}

#[test]
fn nothing_of_a_cluster_network_is_used_before_its_images_are_there() {
    let inventory = inventory(THREE_HOSTS);
    let rendered = render(&inventory, &facts(&inventory, debian)).unwrap();
    let manifest = rendered.cluster.iter().find(|step| step.step.kind() == "manifest").unwrap();
    assert!(manifest.waits.contains(&"network_images".to_owned()));
    let chain = &rendered.hosts["w1"];
    let join = chain.iter().position(|step| step.step.kind() == "kubeadm_join").unwrap();
    let last_image = chain.iter().rposition(|step| step.step.kind() == "image").unwrap();
    assert!(last_image < join);
}

#[test]
fn what_a_host_may_find_owned_fits_its_role() {
    let inventory = inventory(THREE_HOSTS);
    let rendered = render(&inventory, &facts(&inventory, debian)).unwrap();
    let etcd = Owned::Path("/var/lib/etcd".to_owned());
    assert!(rendered.owns["cp1"].contains(&etcd));
    assert!(!rendered.owns["w1"].contains(&etcd));
    // The cluster's playbooks leave things on every host.
    assert!(rendered.owns["w1"].contains(&Owned::Link("flannel.1".to_owned())));
}
