//! The ingress, in all its forms.

use garboard_playbooks::{PlannedClusterStep, PlannedStep, Rendered};

use crate::chains::{text_of, text_of_cluster};
use crate::firewall::of_the_firewall;
use crate::support::{debian, facts, folder, golden, inventory};
use crate::{TIERS, render};

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
