//! Certificates from a real ACME server, Let's Encrypt's own for tests, which asks each name on port 80, or DNS.

use std::os::unix::fs::PermissionsExt as _;

use base64::Engine as _;

use super::{EDGE, FOLLOWS, FOREIGN, asked};
use crate::harness::{Guest, Knot, Network, TestLab, mirror_folder, tsig_secret, until};

/// A port on which nobody listens: whoever wants an answer there gets none.
const NOBODY: u16 = 9;

pub(super) fn certificates_come_by_acme(lab: &TestLab) {
    let folder = super::objects::certificate_for(lab, "acme", &format!("IP:{FOREIGN}"));
    let server = pebble(lab, &folder, 80, &[]);
    let acme = format!(
        "\nedge:\n  ingress: {{ hosts: [app1.example.org, app2.example.org], namespaces: [default, shop], tls: {{ acme: {{ email: you@example.org, server: 'https://{FOREIGN}:14000/dir', ca: {folder}/ca.crt }} }} }}\nhosts:"
    );
    let edited = lab.edited("\nhosts:", &acme);
    let up = lab.converge();
    let door = up.of_kind("front_door").last().unwrap();
    assert_eq!(door["urls"][0], "https://app1.example.org/");
    let root = root(lab, &folder);
    let asked = asked(lab);
    for (name, backend) in [("app1.example.org", "one-"), ("app2.example.org", "two-")] {
        let right = until(FOLLOWS, || asked.https(name, "/", &root, &[]).body.starts_with(backend));
        assert!(right, "{name}: {:?}\n{}", asked.https(name, "/", &root, &[]), log(lab, server));
        let plain = asked.http(name, "/there", &[]);
        assert_eq!(plain.location, format!("https://{name}/there"));
    }
    // The account and the certificates outlive the pod: nobody is asked for them once more.
    let kept = lab.host(EDGE).exec(&["stat", "--format=%a %u", "/var/lib/garboard-ingress/acme/acme.json"]);
    assert_eq!(kept.trim(), "600 65532");
    drop(server);
    lab.kubectl(&["delete", "pod", "--namespace=traefik", "--all"]);
    let right = until(FOLLOWS, || asked.https("app1.example.org", "/", &root, &[]).body.starts_with("one-"));
    assert!(right, "{:?}", asked.https("app1.example.org", "/", &root, &[]));
    lab.converged();
    drop(edited);
}

/// The authority has no way to the names but DNS, where the edge host writes with the key of `edge.ddns`.
pub(super) fn a_wildcard_comes_by_dns(lab: &TestLab) {
    let folder = super::objects::certificate_for(lab, "acme-dns", &format!("IP:{FOREIGN}"));
    let secret = tsig_secret('E');
    let key = format!("{folder}/tsig");
    fs_err::write(&key, &secret).unwrap();
    fs_err::set_permissions(&key, std::fs::Permissions::from_mode(0o600)).unwrap();
    let network = Network::of(lab).at(FOREIGN.parse().unwrap());
    let knot = Knot::start(&network, &lab.folder().join("knot-of-acme"), &secret);
    let server = pebble(lab, &folder, NOBODY, &["-dnsserver", &format!("{FOREIGN}:53")]);
    let edge = lab.host(EDGE);
    // What the other authority has signed would be shown for these names as well.
    edge.exec(&["rm", "/var/lib/garboard-ingress/acme/acme.json"]);
    // As the internet's DNS would have it: the name of the zone's own server. Pods of the host's network have its `/etc/hosts`.
    edge.exec(&["sh", "-c", &format!("echo '{FOREIGN} ns1.example.org' >> /etc/hosts")]);
    let section = format!(
        "\nedge:\n  ddns: [ {{ name: home.example.org, provider: {{ rfc2136: {{ server: {FOREIGN}, zone: example.org, key: {{ name: updater, \
         secret: {{ file: {key} }} }} }} }} }} ]\n  ingress: {{ hosts: ['*.example.org'], namespaces: [default, shop], tls: {{ acme: {{ email: \
         you@example.org, server: 'https://{FOREIGN}:14000/dir', ca: {folder}/ca.crt, challenge: {{ dns: {{ resolvers: [{FOREIGN}] }} }} }} }} }}\nhosts:"
    );
    let edited = lab.edited("\nhosts:", &section);
    let before = knot.updates();
    let planned = lab.garboard(&["plan", "--diff"]).expect(4);
    let up = lab.converge();
    let root = root(lab, &folder);
    let asked = asked(lab);
    for (name, backend) in [("app1.example.org", "one-"), ("app2.example.org", "two-")] {
        let right = until(FOLLOWS, || asked.https(name, "/", &root, &[]).body.starts_with(backend));
        assert!(right, "{name}: {:?}\n{}", asked.https(name, "/", &root, &[]), log(lab, server));
    }
    // The record came, and went.
    assert!(knot.updates() >= before + 2, "{} after {before}", knot.updates());
    let status = lab.garboard(&["status"]).expect(0);
    let pods = lab.kubectl(&["get", "pods,daemonsets,configmaps", "--all-namespaces", "-o", "yaml"]);
    let said = lab.kubectl(&["logs", "--namespace=traefik", "daemonset/traefik", "--tail=500"]);
    let reports = walk(&lab.cluster_state().join("reports"));
    assert!(!reports.is_empty(), "there is no report to search");
    let encoded = base64::engine::general_purpose::STANDARD.encode(&secret);
    let ours = [planned, up, status].map(|one| one.stdout + &one.stderr);
    for text in ours.iter().chain([&pods, &said]).chain(&reports) {
        assert!(!text.contains(&secret) && !text.contains(&encoded), "the key of the provider is told");
    }
    // It is where it belongs: that nothing was found above says something about the search.
    let kept = lab.kubectl(&["get", "secret", "--namespace=traefik", "dns-provider", "-o", "yaml"]);
    assert!(kept.contains(&encoded), "{kept}");
    lab.converged();
    drop(edited);
    edge.exec(&["sed", "--in-place", "/ns1.example.org/d", "/etc/hosts"]);
    drop(knot);
}

/// All files of a folder, whole.
fn walk(folder: &std::path::Path) -> Vec<String> {
    let files = fs_err::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    files.filter(|path| path.is_file()).map(|path| fs_err::read_to_string(path).unwrap()).collect()
}

/// The certificate of the authority that signs; another one with each start.
fn root(lab: &TestLab, folder: &str) -> String {
    let root = format!("{folder}/root.pem");
    lab.start(&[
        "curl",
        "--silent",
        "--insecure",
        "--output",
        &root,
        &format!("https://{FOREIGN}:15000/roots/0"),
    ])
    .ended();
    root
}

fn log(lab: &TestLab, mut server: Guest) -> String {
    let controller = lab.kubectl(&["logs", "--namespace=traefik", "daemonset/traefik", "--tail=50"]);
    format!("{}\n{controller}", server.said())
}

/// The server, on a foreign address; it finds the names where the internet would: on the edge host, at this port.
fn pebble(lab: &TestLab, folder: &str, port: u16, more: &[&str]) -> Guest {
    let configuration = serde_json::json!({ "pebble": {
        "listenAddress": format!("{FOREIGN}:14000"),
        "managementListenAddress": format!("{FOREIGN}:15000"),
        "certificate": format!("{folder}/tls.crt"),
        "privateKey": format!("{folder}/tls.key"),
        "httpPort": port,
        "tlsPort": NOBODY,
        "ocspResponderURL": "",
        "externalAccountBindingRequired": false,
    } });
    let path = format!("{folder}/pebble.json");
    fs_err::write(&path, configuration.to_string()).unwrap();
    let address = lab.lab().host(EDGE).unwrap().address;
    let hosts = format!("127.0.0.1 localhost\n{address} app1.example.org app2.example.org\n");
    let names = format!("{folder}/hosts");
    fs_err::write(&names, hosts).unwrap();
    let program = mirror_folder().join("bin/pebble");
    // Its own view of `/etc/hosts`, in a mount namespace that ends with it.
    let script = "mount --bind \"$1\" /etc/hosts && exec env PEBBLE_VA_NOSLEEP=1 PEBBLE_WFE_NONCEREJECT=0 \"$2\" -config \"$3\" \"${@:4}\"";
    let words =
        ["unshare", "--mount", "bash", "-c", script, "bash", &names, program.to_str().unwrap(), &path];
    let mut server = lab.start(&[&words[..], more].concat());
    server.until("ACME directory available");
    server
}
