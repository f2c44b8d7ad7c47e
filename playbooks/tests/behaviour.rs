//! How plans behave when facts differ, hosts are missing, and outputs come late.

// All of this file is tests, their helpers too.
#![allow(clippy::unwrap_used)]

mod support;

use std::collections::BTreeMap;

use garboard_inventory::Inventory;
use garboard_playbooks::{
    Ephemeral, Inputs, LateError, PlannedStep, RenderError, Rendered, Signals, Site, shipped,
};
use garboard_protocol::facts::{Facts, InterfaceAddress};
use garboard_protocol::step::{ClusterId, Thing};
use garboard_protocol::{Owned, Secret, Step};
use support::{CA_HASH, THREE_HOSTS, artifacts, container, debian, facts, inputs, inventory, pi};

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

/// A Raspberry Pi as its firmware starts it: without the memory controller.
fn pi_without_memory(name: &str, address: &str) -> Facts {
    let mut facts = pi(name, address);
    "amd64".clone_into(&mut facts.architecture);
    facts.cgroup_controllers = ["cpu", "pids"].map(str::to_owned).into();
    "firmware".clone_into(&mut facts.boot.loader);
    facts.boot.files = vec!["/boot/firmware/cmdline.txt".to_owned()];
    facts
}

#[test]
fn a_pi_without_the_memory_controller_gets_it_first_of_all_by_one_reboot() {
    let inventory = inventory(THREE_HOSTS);
    let rendered = render(&inventory, &facts(&inventory, pi_without_memory)).unwrap();
    for chain in rendered.hosts.values() {
        let first: Vec<String> = chain[..3].iter().map(|step| step.step.kind().to_owned()).collect();
        assert_eq!(first[..2], ["boot_config", "reboot"]);
        assert_eq!(chain[0].step.target(), "cgroup_enable=memory");
        assert_eq!(chain[1].step.target(), "once, for cgroup_enable=memory");
        let sysctl = chain.iter().find(|step| step.step.kind() == "sysctl").unwrap();
        assert!(chain[0].of_facts && !sysctl.of_facts);
    }
    // Neither on one that has it, nor where no file is there to be edited.
    let without_file = |name: &str, address: &str| Facts {
        boot: debian(name, address).boot,
        ..pi_without_memory(name, address)
    };
    for facts in [facts(&inventory, debian), facts(&inventory, without_file)] {
        let rendered = render(&inventory, &facts).unwrap();
        let kinds = rendered.hosts["cp1"].iter().map(|step| step.step.kind());
        assert!(kinds.into_iter().all(|kind| !matches!(kind, "boot_config" | "reboot")));
    }
}

/// What `kubeadm init` is given.
fn configuration(rendered: &Rendered) -> String {
    let late = step(rendered, "cp1", "kubeadm_init").late.as_ref().unwrap();
    let ephemeral = Ephemeral { token: Some(Secret::new("abcdef.0123456789abcdef")) };
    let Step::KubeadmInit(init) = late.render(&Signals::new(), &ephemeral).unwrap() else { panic!() };
    init.config.unwrap().expose().to_owned()
}

/// A Raspberry Pi for which the lock has everything.
fn small(name: &str, address: &str) -> Facts {
    Facts { architecture: "amd64".to_owned(), ..pi(name, address) }
}

fn kinds(rendered: &Rendered, host: &str) -> Vec<&'static str> {
    rendered.hosts[host].iter().map(|step| step.step.kind()).collect()
}

#[test]
fn swap_is_turned_off_or_left_to_the_kubelet() {
    let off = inventory(THREE_HOSTS);
    let rendered = render(&off, &facts(&off, debian)).unwrap();
    assert!(kinds(&rendered, "w1").contains(&"swap"));
    assert!(!configuration(&rendered).contains("failSwapOn"));
    let kept = inventory(&THREE_HOSTS.replace("v1.36.3", "v1.36.3\n  swap: kubelet"));
    let rendered = render(&kept, &facts(&kept, debian)).unwrap();
    assert!(!kinds(&rendered, "w1").contains(&"swap"));
    let wanted = "failSwapOn: false\nmemorySwap:\n  swapBehavior: LimitedSwap\n";
    assert!(configuration(&rendered).contains(wanted), "{}", configuration(&rendered));
}

#[test]
fn what_spares_an_sd_card_comes_where_there_is_one_and_can_be_left_out() {
    let with = inventory(THREE_HOSTS);
    let of_card =
        |rendered: &Rendered| rendered.hosts["w1"].iter().filter(|step| step.playbook == "sd-card").count();
    assert_eq!(of_card(&render(&with, &facts(&with, small)).unwrap()), 4);
    assert_eq!(of_card(&render(&with, &facts(&with, debian)).unwrap()), 0);
    let without = inventory(&format!("{THREE_HOSTS}\nwithout: [sd-card]\n"));
    assert_eq!(of_card(&render(&without, &facts(&without, small)).unwrap()), 0);
}

#[test]
fn a_slow_disk_has_everything_wait_longer() {
    let inventory = inventory(THREE_HOSTS);
    let fast = render(&inventory, &facts(&inventory, debian)).unwrap();
    let slow = render(&inventory, &facts(&inventory, small)).unwrap();
    assert_eq!((fast.patience, slow.patience), (1, 2));
    let seconds = |rendered: &Rendered| match &step(rendered, "cp1", "kubeadm_init").step {
        Step::KubeadmInit(init) => init.timeout_seconds,
        _ => 0,
    };
    assert_eq!((seconds(&fast), seconds(&slow)), (600, 1_200));
    assert!(!configuration(&fast).contains("controlPlaneComponentHealthCheck"));
    assert!(configuration(&slow).contains("controlPlaneComponentHealthCheck: 8m0s"));
    // A processor is slow where the disk is not.
    assert!(configuration(&fast).contains("kubernetesAPICall: 4m0s"));
    assert!(configuration(&slow).contains("kubernetesAPICall: 8m0s"));
}

#[test]
fn the_package_with_vxlan_comes_on_ubuntu_for_raspberry_pi_alone() {
    let inventory = inventory(THREE_HOSTS);
    let packages = |id: &str, make: fn(&str, &str) -> Facts| {
        let mut facts = facts(&inventory, make);
        for facts in facts.values_mut() {
            facts.os.id = id.to_owned();
            facts.features.vxlan = false;
        }
        let rendered = render(&inventory, &facts).unwrap();
        rendered.hosts["w1"].iter().any(|step| matches!(&step.step, Step::Package(_)))
    };
    assert!(packages("ubuntu", small));
    assert!(!packages("debian", small) && !packages("ubuntu", debian) && !packages("ubuntu", container));
}

/// What is taken back of a host, by playbook, with its place in the chain.
fn withdrawn(rendered: &Rendered, host: &str) -> Vec<(usize, String, Vec<Thing>)> {
    let steps = rendered.hosts[host].iter().enumerate();
    let found = steps.filter_map(|(place, planned)| match &planned.step {
        Step::Withdraw(withdraw) => Some((place, withdraw.playbook.clone(), withdraw.things.clone())),
        _ => None,
    });
    found.collect()
}

#[test]
fn what_a_host_had_as_the_edge_host_is_taken_back_where_it_is_none_any_more() {
    const EDGE: &str =
        "\nedge: { openvpn: { remote: home.example.org, routes: [192.168.1.0/24], users: [alice] } }\n";
    let with_edge = inventory(&(THREE_HOSTS.replacen("role: worker", "role: worker, edge: true", 1) + EDGE));
    let without = inventory(THREE_HOSTS);
    let mut facts = members(&without);
    let never = render(&without, &facts).unwrap();
    assert_eq!(withdrawn(&never, "w1"), [], "a host that was never changed has nothing to give back");
    for facts in facts.values_mut() {
        facts.garboard.baseline = true;
    }

    let plain = render(&without, &facts).unwrap();
    let all = withdrawn(&plain, "w1");
    let playbooks: Vec<&str> = all.iter().map(|(_, playbook, _)| playbook.as_str()).collect();
    assert_eq!(playbooks, ["ddns", "openvpn", "hardening", "firewall"], "the last one's things go first");
    let has = |all: &[(usize, String, Vec<Thing>)], thing: &Thing| {
        all.iter().any(|(_, _, things)| things.contains(thing))
    };
    let table = |name: &str| Thing::NftTable(format!("inet {name}"));
    for thing in [
        table("garboard_edge"),
        table("garboard_tiers"),
        table("garboard_vpn"),
        Thing::Unit("garboard-openvpn.service".to_owned()),
        Thing::FilesIn("/etc/openvpn/garboard/users".to_owned()),
        Thing::Unit("garboard-ddns.service".to_owned()),
        Thing::Path("/etc/garboard-ddns/secrets.json".to_owned()),
        Thing::Sshd("/etc/ssh/sshd_config.d/00-garboard.conf".to_owned()),
        Thing::Sysctl("net.ipv4.conf.all.rp_filter".to_owned()),
    ] {
        assert!(has(&all, &thing), "{thing:?} stays");
    }
    assert!(
        !all.iter()
            .flat_map(|(_, _, things)| things)
            .any(|thing| matches!(thing, Thing::Path(path) if path.contains("containerd")))
    );

    // On the edge host itself only what other tiers have; on others only what it alone has, behind what they load.
    let edge = render(&with_edge, &facts).unwrap();
    let (host, other) = (withdrawn(&edge, "w1"), withdrawn(&edge, "w2"));
    assert!(has(&host, &table("garboard_tiers")) && !has(&host, &table("garboard_edge")));
    assert!(has(&other, &table("garboard_edge")) && !has(&other, &table("garboard_tiers")));
    let unit = Thing::Unit("garboard-firewall.service".to_owned());
    assert!(!has(&host, &unit) && !has(&other, &unit), "what both load tables with is taken away");
    let loaded = edge.hosts["w2"].iter().position(|planned| matches!(planned.step, Step::Nft(_))).unwrap();
    assert!(
        other.iter().all(|(place, _, _)| *place > loaded),
        "the old filter goes before the new one is there"
    );
}

#[test]
fn what_another_step_still_makes_stays_and_so_does_what_no_playbook_calls_reversible() {
    const PLAYBOOK: &str = "about: One
hosts: all
reversible: true
steps:
  - directory: { path: /etc/both }
  - directory: { path: /etc/both }
    when: host.edge
  - file: { path: /etc/both/edge, content: x }
    when: host.edge
  - file: { path: /etc/facts, content: x }
    when: facts.shared_kernel
";
    let taken_back = |playbook: &str| {
        let files = [("site.yaml", "playbooks: [one]\n"), ("one/playbook.yaml", playbook)];
        let files = files.map(|(path, text)| (path.to_owned(), text.to_owned()));
        let site = Site::parse(&BTreeMap::from(files)).unwrap_or_else(|said| panic!("{said}"));
        let inventory = inventory(THREE_HOSTS);
        let mut facts = members(&inventory);
        for facts in facts.values_mut() {
            facts.garboard.baseline = true;
        }
        let artifacts = artifacts(&["amd64"]);
        withdrawn(&site.render(&inputs(&inventory, &facts, &artifacts)).unwrap(), "w1")
    };
    let all = taken_back(PLAYBOOK);
    assert_eq!(all.len(), 1, "{all:?}");
    assert_eq!(all[0].2, [Thing::Path("/etc/both/edge".to_owned())]);
    assert_eq!(taken_back(&PLAYBOOK.replace("reversible: true\n", "")), []);
}
