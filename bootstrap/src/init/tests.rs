//! The text: golden files, every setting uncommented, and preflight on the facts it was made from.

use std::collections::BTreeMap;
use std::path::PathBuf;

use garboard_inventory::{SecretReference, Zone};
use garboard_protocol::Facts;
use garboard_protocol::facts::InterfaceAddress;

use super::{Answers, Finding, HostAnswer, HostKey, Login, Seen, inventory};
use crate::check::{Verdict, rows};
use crate::facts_for_tests::facts;

const KEY: &str = "SHA256:47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU";

fn host(name: &str, address: &str) -> HostAnswer {
    HostAnswer { name: Some(name.to_owned()), address: address.to_owned(), ..HostAnswer::default() }
}

fn answers(hosts: Vec<HostAnswer>) -> Answers {
    Answers { hosts, ..Answers::sample() }
}

fn seen(change: impl FnOnce(&mut Facts)) -> Finding {
    let mut facts = facts();
    change(&mut facts);
    Finding {
        host_key: HostKey::Agreed(KEY.to_owned()),
        seen: Seen::Facts(Box::new(facts)),
        ..Finding::default()
    }
}

fn on(interface: &str, address: &str, prefix: u8) -> InterfaceAddress {
    InterfaceAddress { interface: interface.to_owned(), address: address.to_owned(), prefix }
}

/// Somebody's home, looked at: an old Pi, a clone of it, a forwarded port, one that is off, one nobody agreed to.
fn looked_at() -> (Answers, Vec<Finding>) {
    let hosts = vec![
        host("cp1", "192.168.1.11"),
        host("on", "192.168.1.12"),
        host("1e3", "203.0.113.7"),
        host("nas", "203.0.113.8"),
        HostAnswer { address: "pi.local".to_owned(), ..HostAnswer::default() },
        host("off", "192.168.1.16"),
        HostAnswer { host_key: Some(KEY.to_owned()), ..host("new", "192.168.1.17") },
    ];
    let login = Login {
        user: Some("pi".to_owned()),
        identity: vec!["~/.ssh/id_ed25519".to_owned(), "my keys/no".to_owned()],
        sudo: Some(SecretReference::Command(["pass", "show", "homelab/sudo"].map(str::to_owned).to_vec())),
        proxy_command: Some("nc -X connect %h %p # odd".to_owned()),
        ..Login::default()
    };
    let old = seen(|facts| {
        facts.cgroup_version = 1;
        facts.memory_bytes = 1_900_000_000;
        facts.machine_id = "a".repeat(32);
        facts.os.name = "Debian\nhosts: \u{1b}[2J".to_owned();
    });
    let clone = seen(|facts| {
        facts.hostname = "raspberrypi".to_owned();
        facts.machine_id = "a".repeat(32);
        facts.processors = 1;
        facts.addresses = vec![on("wlan0", "192.168.1.12", 24), on("vpn0", "10.100.0.3", 16)];
    });
    let forwarded = seen(|facts| {
        facts.hostname = "1e3".to_owned();
        facts.addresses = vec![on("lo", "127.0.0.1", 8), on("eth0", "10.244.3.7", 20)];
    });
    let several = seen(|facts| {
        facts.hostname = "nas".to_owned();
        facts.addresses = vec![on("eth0", "192.168.1.20", 24), on("eth1", "192.168.2.20", 24)];
    });
    let named = seen(|facts| {
        facts.hostname = "Shed.example.org".to_owned();
        facts.addresses = vec![on("eth0", "192.168.1.15", 24)];
        facts.cgroup_version = 1;
    });
    let off = Finding {
        seen: Seen::Unreached("cannot connect to `192.168.1.16` port 22 (No route to host)".to_owned()),
        ..Finding::default()
    };
    let unagreed = Finding {
        host_key: HostKey::Shown(KEY.to_owned()),
        seen: Seen::Unreached("nobody agreed to its host key".to_owned()),
        ..Finding::default()
    };
    let findings = vec![
        Finding { host_key: HostKey::Recorded(KEY.to_owned()), ..old },
        clone,
        forwarded,
        several,
        named,
        off,
        unagreed,
    ];
    (Answers { login, cluster: "null".to_owned(), ..answers(hosts) }, findings)
}

#[track_caller]
fn golden(name: &str, text: &str) {
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/init").join(name);
    if std::env::var_os("UPDATE_GOLDEN").is_some() {
        fs_err::create_dir_all(path.parent().unwrap()).unwrap();
        fs_err::write(&path, text).unwrap();
    }
    let expected = fs_err::read_to_string(&path).unwrap_or_default();
    assert!(
        expected == text,
        "{} is not what it would be; with UPDATE_GOLDEN=1 it becomes:\n{text}",
        path.display()
    );
}

#[track_caller]
fn load(text: &str) -> garboard_inventory::Inventory {
    garboard_inventory::parse("garboard.yaml", text).unwrap_or_else(|faults| panic!("{faults}\n{text}"))
}

#[test]
fn a_few_answers_make_a_commented_inventory() {
    let text = inventory(&answers(vec![host("cp1", "192.168.1.11"), host("w1", "192.168.1.12")]), &[]);
    golden("answers.yaml", &text);
    let loaded = load(&text);
    assert_eq!(loaded.hosts.len(), 2);
}

#[test]
fn what_the_hosts_say_stands_beside_them() {
    let (answers, findings) = looked_at();
    let text = inventory(&answers, &findings);
    golden("looked_at.yaml", &text);
    let loaded = load(&text);
    let names: Vec<&str> = loaded.hosts.iter().map(|host| host.name.as_str()).collect();
    assert_eq!(names, ["cp1", "on", "1e3", "nas", "shed", "off", "new"]);
    assert_eq!(loaded.cluster.name, "null");
    assert_eq!(loaded.hosts[0].ssh.identity, ["~/.ssh/id_ed25519", "my keys/no"].map(PathBuf::from));
    assert_eq!(loaded.hosts[0].ssh.proxy_command, answers.login.proxy_command);
    assert_eq!(loaded.hosts[0].ssh.sudo_password, answers.login.sudo);
}

/// A host that faces the internet, and one that keeps away from it.
fn with_edge() -> Answers {
    answers(vec![
        host("cp1", "192.168.1.11"),
        HostAnswer { zone: Some(Zone::Data), ..host("db1", "192.168.2.11") },
        HostAnswer { edge: true, ..host("dmz1", "192.168.0.10") },
    ])
}

#[test]
fn a_host_that_faces_the_internet_has_a_section_in_which_nothing_is_open_yet() {
    let text = inventory(&with_edge(), &[]);
    golden("edge.yaml", &text);
    let loaded = load(&text);
    let edges: Vec<bool> = loaded.hosts.iter().map(|host| host.edge).collect();
    assert_eq!(edges, [false, false, true]);
    assert_eq!(loaded.hosts[1].zone, Some(Zone::Data));
    assert!(loaded.edge.unwrap().firewall.public_tcp.is_empty());
}

/// The text with the comment at this line made a setting.
fn uncommented(text: &str, at: usize) -> String {
    let lines = text.lines().enumerate().map(|(index, line)| match line.split_once("# ") {
        Some((indent, setting)) if index == at => format!("{indent}{setting}\n"),
        _ => format!("{line}\n"),
    });
    lines.collect()
}

/// `# key: value`, which no line of prose looks like.
fn is_setting(line: &str) -> bool {
    line.trim_start().strip_prefix("# ").and_then(|rest| rest.split_once(": ")).is_some_and(|(key, _)| {
        !key.is_empty()
            && key.chars().all(|character| character.is_ascii_lowercase() || "_1".contains(character))
    })
}

#[test]
fn every_setting_can_be_uncommented_as_it_is() {
    let (looked, findings) = looked_at();
    let plain = answers(vec![host("cp1", "192.168.1.11"), host("w1", "192.168.1.12")]);
    let mut keys = std::collections::BTreeSet::new();
    let tiers = inventory(&with_edge(), &[]);
    for text in [inventory(&plain, &[]), inventory(&looked, &findings), tiers] {
        for (index, line) in text.lines().enumerate().filter(|(_, line)| is_setting(line)) {
            load(&uncommented(&text, index));
            keys.insert(line.trim_start().trim_start_matches("# ").split(':').next().unwrap().to_owned());
        }
    }
    let expected = [
        "allow_cgroup_v1",
        "cni",
        "endpoint",
        "host_key",
        "identity",
        "keep_hostname",
        "labels",
        "lan",
        "node_ip",
        "openvpn",
        "passphrase",
        "password",
        "playbooks",
        "port",
        "proxy_command",
        "proxy_jump",
        "public_udp",
        "reach",
        "ssh",
        "sudo",
        "user",
    ];
    assert_eq!(keys.iter().map(String::as_str).collect::<Vec<_>>(), expected);
}

/// What stands in the way of the hosts that the inventory was made from, by name.
fn blocking(answers: &Answers, findings: &[Finding]) -> Vec<String> {
    let loaded = load(&inventory(answers, findings));
    let facts: BTreeMap<String, Facts> = loaded
        .hosts
        .iter()
        .zip(findings)
        .filter_map(|(host, finding)| Some((host.name.clone(), finding.facts()?.clone())))
        .collect();
    let rows = rows(&loaded, &facts, &BTreeMap::new());
    let blocking = rows.iter().filter(|row| row.verdict == Verdict::Blocking);
    blocking.map(|row| format!("{}: {}", row.host, row.check)).collect()
}

#[test]
fn preflight_has_nothing_against_what_the_facts_decided() {
    let (mut answers, mut findings) = looked_at();
    // What no inventory can settle: a clone, one processor too few is a worker's, an address to choose.
    for finding in &mut findings {
        if let Seen::Facts(facts) = &mut finding.seen {
            facts.machine_id.clear();
        }
    }
    assert_eq!(blocking(&answers, &findings), ["nas: node address"]);
    answers.hosts[3].address = "192.168.1.20".to_owned();
    assert_eq!(blocking(&answers, &findings), [""; 0]);
}

#[test]
fn networks_of_the_hosts_are_kept_clear_of() {
    for (address, prefix) in [
        ("10.244.0.5", 16),
        ("10.96.0.5", 12),
        ("10.100.7.5", 24),
        ("10.0.0.5", 8),
        ("172.20.0.5", 12),
        ("192.168.0.5", 16),
    ] {
        let lan: ipnet::Ipv4Net = format!("{address}/{prefix}").parse().unwrap();
        let beside = answers(vec![host("cp1", "192.0.2.11")]);
        let addresses = vec![on("eth0", "192.0.2.11", 24), on("eth1", address, prefix)];
        let findings = [seen(|facts| facts.addresses = addresses)];
        assert_eq!(blocking(&beside, &findings), [""; 0], "{lan}");
        let cluster = load(&inventory(&beside, &findings)).cluster;
        for network in [cluster.pod_cidr, cluster.service_cidr] {
            let lan = ipnet::IpNet::from(lan.trunc());
            assert!(!network.contains(&lan) && !lan.contains(&network), "{network} and {lan}");
        }
        // Nobody looked: the address alone decides.
        load(&inventory(&answers(vec![host("cp1", address)]), &[]));
    }
    // A member's own links are no reason to move.
    let member = seen(|facts| {
        facts.garboard.baseline = true;
        facts.addresses.push(on("cni0", "10.244.0.1", 24));
    });
    let text = inventory(&answers(vec![host("cp1", "192.168.1.11")]), &[member]);
    assert!(text.contains("pod_cidr: 10.244.0.0/16"), "{text}");
}

#[test]
fn two_hosts_behind_one_gateway_do_not_get_one_address() {
    let answers = answers(vec![host("cp1", "203.0.113.7"), host("w1", "203.0.113.8")]);
    let inside = || seen(|facts| facts.addresses = vec![on("eth0", "10.0.2.15", 24)]);
    let text = inventory(&answers, &[inside(), inside()]);
    load(&text);
    assert_eq!(text.matches("# node_ip: 10.0.2.15").count(), 2, "{text}");
}

#[test]
fn names_are_the_hosts_own_where_they_tell_them_apart() {
    let named = |name: &str| seen(|facts| facts.hostname = name.to_owned());
    let bare = |address: &str| HostAnswer { address: address.to_owned(), ..HostAnswer::default() };
    let of = |names: &[&str]| {
        let mut hosts: Vec<_> = (1..=names.len()).map(|index| bare(&format!("192.168.1.{index}"))).collect();
        hosts[0].name = Some("node2".to_owned());
        let findings: Vec<_> = names.iter().map(|name| named(name)).collect();
        super::names::proposed(&answers(hosts), &findings)
    };
    assert_eq!(of(&["x", "pi.lan", "Shed"]), ["node2", "pi", "shed"]);
    // A number that another host has for its own name.
    assert_eq!(of(&["x", "_", "node3"]), ["node2", "node4", "node3"]);
    // One image for all, a word that means something, a name that is taken, one that is none.
    assert_eq!(of(&["x", "raspberrypi", "raspberrypi"]), ["node2", "node3", "node4"]);
    assert_eq!(of(&["x", "localhost", "node2", "_"]), ["node2", "node3", "node4", "node5"]);
}
