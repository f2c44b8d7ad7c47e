//! Dynamic DNS: what the playbook writes, and that the service reads it.

use std::net::Ipv4Addr;

use garboard_playbooks::{Inputs, PlannedStep, shipped};
use garboard_protocol::Step;

use crate::chains::text_of;
use crate::support::{self, artifacts, debian, facts, folder, golden, inputs, inventory};

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
