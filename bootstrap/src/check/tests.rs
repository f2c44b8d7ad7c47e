mod small_machines;

use std::collections::BTreeMap;

use garboard_inventory::Inventory;
use garboard_protocol::Facts;
use garboard_protocol::facts::{Conflict, PortHolder};

use super::{Row, Verdict, refusals, rows, same_host_keys};
use crate::facts_for_tests::facts;
use crate::problem::Exit;

fn inventory() -> Inventory {
    garboard_inventory::parse(
        "garboard.yaml",
        "cluster: { name: home, kubernetes: v1.36.3 }\nhosts:\n  cp1: { address: 192.168.1.11, role: control_plane }\n",
    )
    .unwrap()
}

fn found(facts: Facts) -> Vec<Row> {
    found_in(&inventory(), facts)
}

fn found_in(inventory: &Inventory, facts: Facts) -> Vec<Row> {
    let clocks = BTreeMap::from([("cp1".to_owned(), facts.clock_milliseconds.cast_signed() - 1_000_000)]);
    rows(inventory, &BTreeMap::from([("cp1".to_owned(), facts)]), &clocks)
}

/// The only finding that is not fine.
fn only(facts: Facts) -> Row {
    let mut bad: Vec<Row> = found(facts).into_iter().filter(|row| row.verdict != Verdict::Fine).collect();
    assert_eq!(bad.len(), 1, "{bad:#?}");
    bad.remove(0)
}

fn port(protocol: &str, port: u16, process: &str) -> PortHolder {
    PortHolder { protocol: protocol.into(), port, process: process.into(), pid: 42 }
}

#[test]
fn a_bare_host_has_only_fine_rows() {
    let rows = found(facts());
    assert!(rows.iter().all(|row| row.verdict == Verdict::Fine), "{rows:#?}");
    assert!(rows.len() >= 10, "{rows:#?}");
}

#[test]
fn a_taken_port_names_the_process() {
    let row = only(Facts { ports: vec![port("tcp", 6443, "nginx")], ..facts() });
    assert_eq!(row.verdict, Verdict::Blocking);
    assert_eq!(row.text, "tcp 6443 for the Kubernetes API is held by `nginx` (process 42)");
}

#[test]
fn a_port_of_the_ingress_is_free_or_held_by_it() {
    let text = "cluster: { name: home, kubernetes: v1.36.3 }\nhosts:\n  cp1: { address: 192.168.1.11, role: control_plane }\n  w1: { address: 192.168.1.12, role: worker, edge: true }\nedge: { ingress: {} }\n";
    let with = garboard_inventory::parse("garboard.yaml", text).unwrap();
    let rows = |inventory: &Inventory, process: &str, ours: bool| -> Vec<String> {
        let mut facts = facts();
        facts.ports = vec![port("tcp", 443, process)];
        facts.garboard.baseline = ours;
        let all = super::rows(inventory, &BTreeMap::from([("w1".to_owned(), facts)]), &BTreeMap::new());
        all.into_iter().filter(|row| row.check == "port").map(|row| row.text).collect()
    };
    assert_eq!(rows(&with, "nginx", false), ["tcp 443 for the ingress is held by `nginx` (process 42)"]);
    assert_eq!(rows(&with, "traefik", false).len(), 1, "somebody else's traefik is taken for ours");
    assert_eq!(rows(&with, "traefik", true), [""; 0]);
    let without = text.replace("{ ingress: {} }", "{}");
    let without = rows(&garboard_inventory::parse("garboard.yaml", &without).unwrap(), "nginx", false);
    assert_eq!(without.len(), 1, "{without:?}");
    assert!(!without[0].contains("for the ingress"), "{without:?}");
}

#[test]
fn a_member_may_hold_its_own_ports_and_only_those() {
    let mut member = facts();
    member.garboard.baseline = true;
    member.ports = vec![port("tcp", 6443, "kube-apiserver"), port("tcp", 10257, "kube-controller")];
    assert!(found(member.clone()).iter().all(|row| row.verdict == Verdict::Fine));
    member.ports.push(port("tcp", 2379, "nginx"));
    assert!(only(member).text.contains("nginx"));
}

#[test]
fn too_little_disk_is_added_up_per_file_system() {
    let mut small = facts();
    small.disks.iter_mut().for_each(|disk| disk.free_bytes = 2_000_000_000);
    let row = only(small);
    assert_eq!(row.verdict, Verdict::Blocking);
    assert!(row.text.starts_with("2.00 GB free at "), "{}", row.text);
    assert!(row.text.ends_with("2.86 GB needed"), "{}", row.text);
}

#[test]
fn a_disk_on_which_the_kubelet_would_start_no_pods_is_refused() {
    let with = |free| {
        let mut full = facts();
        for disk in &mut full.disks {
            (disk.free_bytes, disk.total_bytes) = (free, 100_000_000_000);
        }
        full
    };
    let row = only(with(17_000_000_000));
    assert_eq!(row.verdict, Verdict::Blocking);
    let end = "2.86 GB needed, and below 15.00 GB (15 % of 100.00 GB) the kubelet would start no pods";
    assert!(row.text.ends_with(end), "{}", row.text);
    // A member runs; its user should know that its pods do not.
    let member = |free| {
        let mut member = with(free);
        (member.garboard.baseline, member.kubernetes.kubelet_conf) = (true, true);
        member
    };
    let row = only(member(14_000_000_000));
    assert_eq!(row.verdict, Verdict::Warning);
    assert!(row.text.contains("evicts pods"), "{}", row.text);
    assert!(found(member(17_000_000_000)).iter().all(|row| row.verdict == Verdict::Fine));
}

#[test]
fn an_older_cluster_docker_and_a_wrong_clock_block_together() {
    let mut bad = facts();
    // A host that knows the time better than this machine does.
    bad.clock.synchronised = true;
    bad.kubernetes.leftovers = vec!["/etc/kubernetes/manifests".into()];
    bad.conflicts = vec![Conflict { name: "docker".into(), evidence: "/usr/bin/dockerd".into() }];
    bad.clock_milliseconds = 100_000_000;
    let problems = refusals(&found(bad));
    assert_eq!(problems.len(), 3, "{problems:#?}");
    assert!(problems.iter().all(|problem| problem.exit == Exit::Refused && problem.help.is_some()));
}

#[test]
fn what_our_own_cluster_left_is_no_obstacle() {
    let mut ours = facts();
    ours.garboard.baseline = true;
    ours.kubernetes.leftovers = vec!["/etc/kubernetes/manifests".into()];
    ours.kubernetes.etcd_data = true;
    assert!(found(ours).iter().all(|row| row.verdict == Verdict::Fine));
}

#[test]
fn a_pod_network_over_the_hosts_own_is_refused() {
    let mut overlapping = facts();
    overlapping.addresses[0].address = "10.244.3.4".into();
    let texts: Vec<String> =
        refusals(&found(overlapping)).into_iter().map(|problem| problem.message).collect();
    assert_eq!(texts.len(), 2, "{texts:?}");
    assert!(texts[0].contains("is on none of the host's interfaces"));
    assert!(texts[1].contains("`cluster.pod_cidr` 10.244.0.0/16"));
}

#[test]
fn cgroup_v1_is_refused_unless_allowed() {
    assert!(only(Facts { cgroup_version: 1, ..facts() }).help.unwrap().contains("allow_cgroup_v1"));
}

#[test]
fn cloned_cards_are_named_together() {
    let two = garboard_inventory::parse(
        "garboard.yaml",
        "cluster: { name: home, kubernetes: v1.36.3 }\nhosts:\n  cp1: { address: 192.168.1.11, role: control_plane }\n  \
         w1: { address: 192.168.1.12, role: worker, keep_hostname: true }\n",
    )
    .unwrap();
    let mut first = facts();
    first.machine_id = "same".into();
    let mut second = first.clone();
    second.addresses[0].address = "192.168.1.12".into();
    let all = BTreeMap::from([("cp1".to_owned(), first), ("w1".to_owned(), second)]);
    let bad = refusals(&rows(&two, &all, &BTreeMap::new()));
    assert_eq!(bad.len(), 1, "{bad:#?}");
    assert!(bad[0].message.contains("the same as cp1's"));
}

#[test]
fn hosts_that_share_a_host_key_are_named_and_others_are_not() {
    let text = "cluster: { name: home, kubernetes: v1.36.3 }\nhosts:\n  cp1: { address: 10.0.0.1, role: control_plane }\n  w1: { \
                address: 10.0.0.2, role: worker }\n  w2: { address: 10.0.0.3, role: worker }\n";
    let inventory = garboard_inventory::parse("garboard.yaml", text).unwrap();
    let keys = |w2: &str| {
        let keys = [("cp1", "SHA256:a"), ("w1", "SHA256:b"), ("w2", w2)];
        BTreeMap::from(keys.map(|(host, key)| (host.to_owned(), key.to_owned())))
    };
    assert_eq!(same_host_keys(&inventory, &keys("SHA256:c")), []);
    let rows = same_host_keys(&inventory, &keys("SHA256:a"));
    assert_eq!(rows.len(), 1, "{rows:#?}");
    assert_eq!((rows[0].host.as_str(), rows[0].verdict), ("w2", Verdict::Blocking));
    assert_eq!(rows[0].text, "the same as cp1's: SHA256:a; each of them can pass for the other");
    assert!(rows[0].help.as_ref().unwrap().ends_with("then `garboard trust w2`"));
}

/// A Raspberry Pi as its firmware starts it.
fn pi_without_memory() -> Facts {
    let mut facts = facts();
    facts.cgroup_controllers.retain(|name| name != "memory");
    facts.boot.loader = "firmware".into();
    facts.boot.files = vec!["/boot/firmware/cmdline.txt".into()];
    facts.boot.command_line = "reboot=w cgroup_disable=memory console=tty1 rootwait".into();
    facts
}

#[test]
fn a_memory_controller_that_can_be_turned_on_is_no_reason_to_refuse() {
    let row = only(pi_without_memory());
    assert_eq!(row.verdict, Verdict::Warning);
    for words in ["`cgroup_enable=memory`", "`/boot/firmware/cmdline.txt`", "reboots once"] {
        assert!(row.text.contains(words), "{}", row.text);
    }
}

#[test]
fn a_memory_controller_that_only_a_person_can_turn_on_blocks_with_the_fix_of_that_host() {
    let blocks = |change: fn(&mut Facts), text: &str, help: &str| {
        let mut facts = pi_without_memory();
        change(&mut facts);
        let row = only(facts);
        assert_eq!(row.verdict, Verdict::Blocking);
        let told = row.help.unwrap();
        assert!(row.text.contains(text) && told.contains(help), "{}: {told}", row.text);
    };
    blocks(
        |facts| facts.boot.unmounted = Some("/boot/firmware".into()),
        "not mounted",
        "`mount /boot/firmware`",
    );
    blocks(|facts| facts.boot.loader = "grub".into(), "off", "`GRUB_CMDLINE_LINUX`");
    blocks(|facts| facts.boot.loader = String::new(), "off", "your boot loader");
    blocks(|facts| facts.shared_kernel = true, "off", "the machine's kernel");
    // No reboot without end.
    let word = "cgroup_enable=memory";
    blocks(
        |facts| facts.boot.in_vain = vec!["cgroup_enable=memory".into()],
        "also after a reboot",
        "a second time",
    );
    blocks(|facts| facts.boot.command_line += " cgroup_enable=memory", word, "CONFIG_MEMCG");
    blocks(
        |facts| facts.boot.command_line = "cgroup_enable=memory cgroup_disable=memory".into(),
        "`cgroup_disable=memory` after it",
        "take `cgroup_disable=memory` out",
    );
}

#[test]
fn a_reboot_that_pends_is_told_and_one_in_vain_blocks() {
    let mut required = facts();
    required.boot.reboot_required = true;
    let row = only(required);
    assert_eq!((row.check, row.verdict), ("reboot", Verdict::Warning));
    let mut vain = facts();
    vain.boot.in_vain = vec!["isolcpus=3".into()];
    let row = only(vain);
    assert_eq!((row.check, row.verdict), ("reboot", Verdict::Blocking));
    assert!(row.text.contains("isolcpus=3"), "{}", row.text);
}
