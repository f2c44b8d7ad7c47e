//! The shipped site, rendered for three kinds of host. `UPDATE_GOLDEN=1 cargo test -p garboard-playbooks` rewrites
//! `tests/rendered/`.

// All of this file is tests, their helpers too.
#![allow(clippy::unwrap_used)]

mod support;

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::net::Ipv4Addr;

use garboard_inventory::Inventory;
use garboard_playbooks::{
    ClusterStep, Ephemeral, Inputs, PlannedClusterStep, PlannedStep, Rendered, Signals, shipped,
};
use garboard_protocol::facts::Facts;
use garboard_protocol::{Owned, Secret, Step};
use support::{
    CA_HASH, THREE_HOSTS, artifacts, container, debian, facts, folder, golden, inputs, inventory, pi,
};

fn render(inventory: &Inventory, facts: &BTreeMap<String, Facts>) -> Rendered {
    let artifacts = artifacts(&["amd64", "arm64"]);
    let material = support::ddns(inventory);
    let inputs = Inputs { ddns: material.as_ref(), ..inputs(inventory, facts, &artifacts) };
    shipped().unwrap().render(&inputs).unwrap_or_else(|error| panic!("{error}"))
}

fn signals() -> Signals {
    let output = |name: &str, value: &str| (name.to_owned(), value.to_owned());
    let mut signals = Signals::new();
    signals.give("api", [output("ca_hash", CA_HASH)].into());
    signals.give("join_token", BTreeMap::new());
    let uid = output("uid", "5f0c2f0e-6a9e-4a53-9a2b-2f7f4e0d9c11");
    signals.give("cluster", [output("ca_hash", CA_HASH), uid].into());
    signals
}

fn ephemeral() -> Ephemeral {
    Ephemeral { token: Some(Secret::new("abcdef.0123456789abcdef")) }
}

/// A chain for a reader: each step on a line, file contents below it.
fn text_of(chain: &[PlannedStep]) -> String {
    let mut text = String::new();
    for planned in chain {
        let _ = write!(text, "{} {} {}", planned.id, planned.step.kind(), planned.step.target());
        if !planned.waits.is_empty() {
            let _ = write!(text, "  [after {}]", planned.waits.join(", "));
        }
        if let Some(signal) = &planned.gives {
            let _ = write!(text, "  [gives {signal}]");
        }
        text.push('\n');
        let complete = planned.late.as_ref().map(|late| late.render(&signals(), &ephemeral()).unwrap());
        let lines = details(&planned.step, complete.as_ref());
        for line in lines.lines() {
            let _ = writeln!(text, "{}", format!("    {line}").trim_end());
        }
    }
    text
}

fn details(step: &Step, complete: Option<&Step>) -> String {
    let secret = |config: &Option<Secret>| config.as_ref().map_or("", Secret::expose).to_owned();
    match complete.unwrap_or(step) {
        Step::File(file) => format!("mode {:04o}\n{}", file.mode, file.content),
        Step::Unit(unit) => format!(
            "enabled {}, active {:?}, restart on {:?}\n{}",
            unit.enabled,
            unit.active,
            unit.restart_on,
            unit.content.as_deref().unwrap_or("(of the OS)")
        ),
        Step::Archive(archive) => format!("{:04o} {}", archive.mode, archive.members.join(" ")),
        Step::Artifact(artifact) => format!("{:04o}", artifact.mode),
        Step::Sysctl(sysctl) => format!("= {}", sysctl.value),
        Step::KernelModule(module) => format!("optional {}", module.optional),
        Step::HostsEntry(entry) => format!("-> {}", entry.address),
        Step::Image(image) => {
            image.images.iter().map(|image| image.reference.as_str()).collect::<Vec<_>>().join("\n")
        }
        Step::KubeadmInit(init) => secret(&init.config),
        Step::KubeadmJoin(join) => format!("{:?}\n{}", join.ca_hash, secret(&join.config)),
        Step::Nft(nft) => format!("keep sets {}\n{}", nft.keep_sets, nft.rules),
        Step::Withdraw(withdraw) => {
            withdraw.things.iter().map(|thing| format!("{thing:?}")).collect::<Vec<_>>().join("\n")
        }
        Step::Sshd(sshd) => sshd.content.clone(),
        Step::ClusterNote(note) => format!("{:?}", note.cluster),
        _ => String::new(),
    }
}

fn text_of_cluster(chain: &[PlannedClusterStep]) -> String {
    let mut text = String::new();
    for planned in chain {
        let _ = write!(text, "{} {}", planned.id, planned.step.kind());
        if !planned.waits.is_empty() {
            let _ = write!(text, "  [after {}]", planned.waits.join(", "));
        }
        if let Some(signal) = &planned.gives {
            let _ = write!(text, "  [gives {signal}]");
        }
        text.push('\n');
        match &planned.step {
            ClusterStep::Manifest { documents } => {
                for document in documents {
                    let _ = writeln!(text, "---\n{}", serde_json::to_string_pretty(document).unwrap());
                }
            }
            other => {
                let _ = writeln!(text, "    {other:?}");
            }
        }
    }
    text
}

fn compare(name: &str, inventory: &Inventory, facts: &BTreeMap<String, Facts>) {
    let rendered = render(inventory, facts);
    for (host, chain) in &rendered.hosts {
        golden(&folder("rendered").join(name).join(format!("{host}.txt")), &text_of(chain));
    }
    golden(&folder("rendered").join(name).join("cluster.txt"), &text_of_cluster(&rendered.cluster));
    let owns = serde_json::to_string_pretty(&rendered.owns["cp1"]).unwrap();
    golden(&folder("rendered").join(name).join("owns-cp1.json"), &format!("{owns}\n"));
}

#[test]
fn the_shipped_site_on_plain_debian() {
    let inventory = inventory(THREE_HOSTS);
    compare("debian", &inventory, &facts(&inventory, debian));
}

#[test]
fn the_shipped_site_in_containers_on_cgroup_v1() {
    let inventory = inventory(&THREE_HOSTS.replace("v1.36.3\n", "v1.36.3\n  allow_cgroup_v1: true\n"));
    compare("container", &inventory, &facts(&inventory, container));
}

/// The host that faces the internet: what it has beyond a worker.
#[test]
fn the_vpn_on_the_edge_host() {
    let edge = "\nedge:\n  openvpn: { remote: home.example.org, routes: [192.168.1.0/24], dns: [192.168.1.1], users: [alice] }\n";
    let inventory = inventory(&(THREE_HOSTS.replacen("role: worker", "role: worker, edge: true", 1) + edge));
    for (name, facts) in [("edge", facts(&inventory, debian)), ("edge-arm64", facts(&inventory, pi))] {
        let rendered = render(&inventory, &facts);
        let of_the_vpn = |chain: &Vec<PlannedStep>| -> Vec<PlannedStep> {
            chain.iter().filter(|step| step.playbook == "openvpn").cloned().collect()
        };
        assert!(of_the_vpn(&rendered.hosts["cp1"]).is_empty());
        golden(&folder("rendered").join(name).join("w1.txt"), &text_of(&of_the_vpn(&rendered.hosts["w1"])));
    }
}

/// Every provider and source there is, where a key is known only in part.
#[test]
fn dynamic_dns_on_the_edge_host() {
    let inventory = inventory(DDNS);
    let material = support::ddns(&inventory);
    let artifacts = artifacts(&["amd64", "arm64"]);
    let mut facts = facts(&inventory, debian);
    facts.get_mut("dmz1").unwrap().gateway = Some(Ipv4Addr::new(192, 168, 0, 1));
    let inputs = Inputs { ddns: material.as_ref(), ..inputs(&inventory, &facts, &artifacts) };
    let rendered = shipped().unwrap().render(&inputs).unwrap_or_else(|error| panic!("{error}"));
    let chain = &rendered.hosts["dmz1"];
    let is_meant = |planned: &&PlannedStep| {
        planned.playbook == "ddns"
            || matches!(&planned.step, Step::Nft(nft) if nft.table == "inet garboard_edge")
    };
    let meant: Vec<PlannedStep> = chain.iter().filter(is_meant).cloned().collect();
    golden(&folder("rendered/ddns/dmz1.txt"), &text_of(&meant));
    let others = rendered.hosts.iter().filter(|(host, _)| *host != "dmz1").flat_map(|(_, chain)| chain);
    assert!(others.into_iter().all(|planned| planned.playbook != "ddns"));

    // Where the names are out of the inventory, all of it goes back but for the package.
    let without = support::inventory(DDNS.split_once("  ddns:\n").unwrap().0);
    let mut changed = facts.clone();
    changed.get_mut("dmz1").unwrap().garboard.baseline = true;
    let later = Inputs { inventory: &without, ddns: None, facts: &changed, ..inputs };
    let chain = &shipped().unwrap().render(&later).unwrap_or_else(|error| panic!("{error}")).hosts["dmz1"];
    let gone: Vec<PlannedStep> = chain.iter().filter(|planned| planned.playbook == "ddns").cloned().collect();
    golden(&folder("rendered/ddns/withdrawn.txt"), &text_of(&gone));

    // A gateway that is named is asked there, and the one of the route is not let answer a search.
    let named = DDNS.replace(
        "router: [upnp, nat_pmp]",
        "gateway: { upnp: '192.168.0.7:1900', nat_pmp: '192.168.0.7:5351' }",
    );
    let inventory = support::inventory(&named);
    let material = support::ddns(&inventory);
    let inputs = Inputs { inventory: &inventory, ddns: material.as_ref(), ..inputs };
    let rendered = shipped().unwrap().render(&inputs).unwrap_or_else(|error| panic!("{error}"));
    let rules = rendered.hosts["dmz1"].iter().find_map(|planned| match &planned.step {
        Step::Nft(nft) if nft.table == "inet garboard_edge" => Some(nft.rules.clone()),
        _ => None,
    });
    let rules = rules.unwrap();
    assert!(rules.contains("ip daddr 192.168.0.7 udp dport 5351 accept"), "{rules}");
    assert!(!rules.contains("sport 1900") && !rules.contains("192.168.0.1 "), "{rules}");
}

/// The service itself reads what is written for it, and finds the secrets; the unit is the one that is tried by hand.
#[test]
fn the_service_reads_what_the_playbook_writes() {
    let whole = fs_err::read_to_string(folder("../../inventory/tests/ok/ddns_every_key.yaml")).unwrap();
    let short = fs_err::read_to_string(folder("../../inventory/tests/ok/ddns.yaml")).unwrap();
    for (source, names) in [(whole, 10), (short, 1)] {
        let inventory = inventory(&source);
        let (material, artifacts) = (support::ddns(&inventory), artifacts(&["amd64"]));
        let facts = facts(&inventory, debian);
        let inputs = Inputs { ddns: material.as_ref(), ..inputs(&inventory, &facts, &artifacts) };
        let rendered = shipped().unwrap().render(&inputs).unwrap_or_else(|error| panic!("{error}"));
        let home = tempfile::tempdir().unwrap();
        for planned in &rendered.hosts["dmz1"] {
            let Step::File(file) = &planned.step else { continue };
            let Some(name) = file.path.strip_prefix("/etc/garboard-ddns/") else { continue };
            assert_eq!(
                (file.mode, file.secret),
                if name == "secrets.json" { (0o600, true) } else { (0o644, false) }
            );
            // As systemd names the credential.
            let name = if name == "secrets.json" { "secrets" } else { name };
            fs_err::write(home.path().join(name), &file.content).unwrap();
        }
        let private = std::os::unix::fs::PermissionsExt::from_mode(0o600);
        fs_err::set_permissions(home.path().join("secrets"), private).unwrap();
        let read = garboard_ddns::configuration::load(&home.path().join("ddns.yaml"));
        let read = read.unwrap_or_else(|error| panic!("{error}"));
        assert_eq!(read.names.len(), names);
        for name in &read.names {
            let secret = name.provider.secret().read(Some(home.path())).unwrap();
            assert!(secret.expose().starts_with("SECRET-"), "{}", name.name);
        }
        // Two names with one reference share an entry.
        let text = fs_err::read_to_string(home.path().join("secrets")).unwrap();
        assert_eq!(text.matches("SECRET-").count(), if names == 10 { 9 } else { 1 }, "{text}");
    }
    // Nothing is said, and everything is as the service has it by itself.
    let plain = fs_err::read_to_string(folder("../../inventory/tests/ok/ddns.yaml")).unwrap();
    let inventory = inventory(&plain);
    let material = support::ddns(&inventory).unwrap();
    let (facts, artifacts) = (facts(&inventory, debian), artifacts(&["amd64"]));
    let inputs = Inputs { ddns: Some(&material), ..inputs(&inventory, &facts, &artifacts) };
    let rendered = shipped().unwrap().render(&inputs).unwrap_or_else(|error| panic!("{error}"));
    let home = tempfile::tempdir().unwrap();
    let load = |text: &str| {
        let path = home.path().join("ddns.yaml");
        fs_err::write(&path, text).unwrap();
        garboard_ddns::configuration::load(&path).unwrap_or_else(|error| panic!("{error}"))
    };
    let written = rendered.hosts["dmz1"].iter().find_map(|planned| match &planned.step {
        Step::File(file) if file.path.ends_with("ddns.yaml") => Some(file.content.clone()),
        _ => None,
    });
    let written = load(&written.unwrap());
    let alone = load("names: [ { name: a.example.org, provider: { desec: { token: { file: /x } } } } ]");
    assert_eq!(format!("{:?}", written.sources), format!("{:?}", alone.sources));
    assert_eq!(format!("{:?}", written.intervals), format!("{:?}", alone.intervals));

    let by_hand = fs_err::read_to_string(folder("../../ddns/systemd/garboard-ddns.service")).unwrap();
    let by_playbook = fs_err::read_to_string(folder("../ddns/templates/garboard-ddns.service.tera")).unwrap();
    let settings = |unit: &str| -> Vec<String> {
        let lines =
            unit.lines().filter(|line| !line.starts_with('#') && !line.starts_with("LoadCredential="));
        lines.map(str::to_owned).collect()
    };
    assert_eq!(settings(&by_hand), settings(&by_playbook), "the units have grown apart");
}

const DDNS: &str = "
cluster: { name: homelab, kubernetes: v1.36.3 }
hosts:
  cp1: { address: 192.168.0.11, role: control_plane }
  dmz1: { address: 192.168.0.10, role: worker, edge: true }
edge:
  firewall: { lan: [192.168.0.0/24] }
  ddns:
    names:
      - name: home.example.org
        families: [ipv4, ipv6]
        provider: { rfc2136: { server: 'ns1.example.org', zone: example.org, key: { name: home, secret: { env: A } } } }
      - name: lan.example.org
        provider: { rfc2136: { server: '192.168.0.5:5353', zone: example.org, key: { name: home, secret: { env: A } } } }
      - name: web.example.org
        provider: { cloudflare: { token: { env: B } } }
    sources:
      router: [upnp, nat_pmp]
      https: [ipify, { other: { operator: me, ipv4: 'https://192.168.0.6:8443/ip', ipv6: 'https://[fd00::6]/' } }]
      dns: [google, { other: { operator: you, ipv4: '192.168.0.7:5300', name: me.example.org } }]
";

#[test]
fn the_shipped_site_on_arm64() {
    let inventory = inventory(THREE_HOSTS);
    compare("arm64", &inventory, &facts(&inventory, pi));
}

/// What the tiers of the network come to: rules, taint, labels.
fn of_the_firewall(chain: &[PlannedStep]) -> String {
    let is_meant = |planned: &&PlannedStep| {
        ["firewall", "hardening"].contains(&planned.playbook.as_str())
            || matches!(planned.step, Step::KubeadmJoin(_))
    };
    text_of(&chain.iter().filter(is_meant).cloned().collect::<Vec<_>>())
}

fn compare_firewalls(name: &str, inventory: &Inventory) -> Rendered {
    let rendered = render(inventory, &facts(inventory, debian));
    for (host, chain) in &rendered.hosts {
        golden(&folder("rendered").join(name).join(format!("{host}.txt")), &of_the_firewall(chain));
    }
    let nodes: Vec<PlannedClusterStep> =
        rendered.cluster.iter().filter(|planned| planned.playbook == "nodes").cloned().collect();
    golden(&folder("rendered").join(name).join("nodes.txt"), &text_of_cluster(&nodes));
    rendered
}

/// What the ingress comes to: on the edge host and in the cluster.
fn compare_ingress(name: &str, section: &str) -> Rendered {
    let source = TIERS.replace("    public_tcp: [80, 443]\n", "") + section;
    let inventory = inventory(&source);
    let rendered = render(&inventory, &facts(&inventory, debian));
    let on_the_edge: Vec<PlannedStep> =
        rendered.hosts["dmz1"].iter().filter(|step| step.playbook == "ingress-host").cloned().collect();
    golden(&folder("rendered").join(name).join("dmz1.txt"), &text_of(&on_the_edge));
    let in_the_cluster: Vec<PlannedClusterStep> =
        rendered.cluster.iter().filter(|step| step.playbook == "ingress").cloned().collect();
    golden(&folder("rendered").join(name).join("cluster.txt"), &text_of_cluster(&in_the_cluster));
    for host in ["cp1", "w1", "db1"] {
        assert!(rendered.hosts[host].iter().all(|step| !step.playbook.starts_with("ingress")), "{host}");
    }
    rendered
}

#[test]
fn the_ingress_runs_on_the_edge_host_and_opens_its_ports() {
    let rendered = compare_ingress("ingress", "  ingress: { hosts: [app1.example.org] }\n");
    let rules = of_the_firewall(&rendered.hosts["dmz1"]);
    assert!(rules.contains("tcp dport { 80, 443 } accept"), "{rules}");
}

#[test]
fn the_ingress_has_its_certificates_by_acme() {
    let acme = "acme: { email: you@example.org, server: 'https://ca.home.arpa/dir', ca: ./ca.pem }";
    let hosts = "hosts: [app1.example.org, app2.example.org], namespaces: [default, web]";
    compare_ingress("ingress-acme", &format!("  ingress: {{ {hosts}, tls: {{ {acme} }} }}\n"));
}

/// lego reads the secret from a file, and asks for what names share one record in one certificate.
#[test]
fn the_ingress_shows_names_by_dns() {
    let hosts = "hosts: [home.example.org, app1.example.org, '*.home.example.org']";
    for (provider, name, challenge) in [
        (
            "cloudflare: { token: { env: A }, server: 'https://api.example.net/v4' }",
            "ingress-dns-cloudflare",
            "challenge: { dns: { delay: 30s } }",
        ),
        (
            "rfc2136: { server: '192.168.1.53:5353', zone: example.org, key: { name: home, secret: { env: A } } }",
            "ingress-dns-rfc2136",
            "challenge: { dns: { resolvers: [192.168.1.53] } }",
        ),
    ] {
        let acme = format!("acme: {{ email: you@example.org, {challenge} }}");
        let section = format!(
            "  ingress: {{ {hosts}, tls: {{ {acme} }} }}\n  ddns: [ {{ name: home.example.org, provider: {{ {provider} }} }} ]\n"
        );
        let rendered = compare_ingress(name, &section);
        // A server of names at home is reached on the port that it has, by UDP too: lego's updates go that way.
        let rules = of_the_firewall(&rendered.hosts["dmz1"]);
        let asked = "ip daddr 192.168.1.53 udp dport 5353 accept";
        assert_eq!(rules.contains(asked), name == "ingress-dns-rfc2136", "{rules}");
    }
}

#[test]
fn duck_dns_has_one_record_for_a_name_and_all_below_it() {
    let section = "  ingress: { hosts: [home.duckdns.org, '*.home.duckdns.org', a.b.home.duckdns.org], tls: { acme: { email: you@example.org, challenge: dns } } }\n  ddns: [ { name: home.duckdns.org, provider: { duckdns: { token: { env: A } } } } ]\n";
    let inventory = inventory(&(TIERS.to_owned() + section));
    let rendered = render(&inventory, &facts(&inventory, debian));
    let text = text_of_cluster(&rendered.cluster);
    assert!(text.contains("domains[0].main=home.duckdns.org"), "{text}");
    assert!(text.contains("domains[0].sans=*.home.duckdns.org,a.b.home.duckdns.org"), "{text}");
    assert!(!text.contains("domains[1]") && text.contains("DUCKDNS_TOKEN_FILE"), "{text}");
}

#[test]
fn the_ingress_has_its_certificate_from_the_laptops_own_authority() {
    compare_ingress("ingress-own-ca", "  ingress: { hosts: [app1.home.arpa], tls: own_ca }\n");
}

#[test]
fn the_ingress_has_its_certificate_from_a_secret() {
    let section = "  ingress: { hosts: ['*.example.org'], tls: { secret: wildcard }, redirect: false }\n";
    compare_ingress("ingress-secret", section);
}

/// What addons come to: on hosts and in the cluster; on the edge host nothing but the kubelet's certificate.
#[test]
fn addons_come_to_the_hosts_that_may_run_them() {
    let inventory = inventory(&(TIERS.to_owned() + "addons: [metrics-server, local-path-storage]\n"));
    let rendered = render(&inventory, &facts(&inventory, debian));
    let is_meant = |playbook: &str| {
        ["addons", "serving-certificate", "metrics-server", "local-path-storage"].contains(&playbook)
    };
    for host in ["cp1", "w1", "dmz1"] {
        let steps = rendered.hosts[host].iter().filter(|step| is_meant(&step.playbook));
        let text = text_of(&steps.cloned().collect::<Vec<_>>());
        golden(&folder("rendered/addons").join(format!("{host}.txt")), &text);
    }
    let steps = rendered.cluster.iter().filter(|step| is_meant(&step.playbook));
    golden(&folder("rendered/addons/cluster.txt"), &text_of_cluster(&steps.cloned().collect::<Vec<_>>()));
    let data = Owned::Data("/var/lib/local-path-storage".to_owned());
    assert!(rendered.owns.values().all(|owned| owned.contains(&data)));
}

#[test]
fn without_addons_nothing_of_them_is_there() {
    let inventory = inventory(TIERS);
    let rendered = render(&inventory, &facts(&inventory, debian));
    let playbooks = rendered.hosts.values().flatten().map(|step| step.playbook.as_str());
    let playbooks = playbooks.chain(rendered.cluster.iter().map(|step| step.playbook.as_str()));
    for playbook in playbooks {
        assert!(
            !["addons", "serving-certificate", "metrics-server", "local-path-storage"].contains(&playbook)
        );
    }
}

const TIERS: &str = "
cluster: { name: homelab, kubernetes: v1.36.3 }
hosts:
  cp1: { address: 192.168.1.11, role: control_plane, zone: private }
  w1: { address: 192.168.1.12, role: worker }
  db1: { address: 192.168.2.11, role: worker, zone: data }
  dmz1: { address: 192.168.0.10, role: worker, edge: true }
edge:
  firewall:
    lan: [192.168.1.0/24, 192.168.2.0/24, 'fd00:1::/64']
    public_tcp: [80, 443]
    public_udp: [443]
    reach: [192.168.1.5, 'fd00:1::5']
";

#[test]
fn the_firewalls_of_three_tiers() {
    compare_firewalls("tiers", &inventory(TIERS));
}

#[test]
fn the_firewalls_where_the_edge_host_offers_a_vpn() {
    let openvpn = "  openvpn: { remote: home.example.org, port: 1195, routes: [192.168.1.0/24, 10.96.0.0/12], users: [alice] }\n";
    compare_firewalls("tiers-vpn", &inventory(&(TIERS.to_owned() + openvpn)));
}

#[test]
fn an_edge_host_lets_in_the_network_of_the_control_plane_if_nothing_is_said() {
    let source = THREE_HOSTS.replace("role: worker, keep", "role: worker, edge: true, keep") + "edge: {}\n";
    let inventory = inventory(&source);
    let rendered = compare_firewalls("edge-by-default", &inventory);
    let text = of_the_firewall(&rendered.hosts["w2"]);
    assert!(text.contains("elements = { 192.168.1.0/24 }"), "{text}");
    assert!(!text.contains("tcp dport { "), "a port is open to everybody: {text}");
}

#[test]
fn a_host_that_is_away_changes_no_rule_of_the_others() {
    let inventory = inventory(TIERS);
    let all = facts(&inventory, debian);
    let mut fewer = all.clone();
    fewer.remove("db1");
    fewer.remove("dmz1");
    let (all, fewer) = (render(&inventory, &all), render(&inventory, &fewer));
    for host in ["cp1", "w1"] {
        assert_eq!(of_the_firewall(&all.hosts[host]), of_the_firewall(&fewer.hosts[host]), "{host}");
    }
}

#[test]
fn without_a_public_tier_there_is_no_firewall() {
    let inventory = inventory(THREE_HOSTS);
    let rendered = render(&inventory, &facts(&inventory, debian));
    assert!(rendered.hosts.values().flatten().all(|planned| planned.playbook != "firewall"));
}
