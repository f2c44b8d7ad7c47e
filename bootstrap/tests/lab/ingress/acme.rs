//! Certificates from a real ACME server, Let's Encrypt's own for tests, which asks each name on port 80.

use super::{EDGE, FOLLOWS, FOREIGN, asked};
use crate::harness::{Guest, TestLab, mirror_folder, until};

pub(super) fn certificates_come_by_acme(lab: &TestLab) {
    let folder = super::objects::certificate_for(lab, "acme", &format!("IP:{FOREIGN}"));
    let server = pebble(lab, &folder);
    let acme = format!(
        "\nedge:\n  ingress: {{ hosts: [app1.example.org, app2.example.org], namespaces: [default, shop], tls: {{ acme: {{ email: you@example.org, server: 'https://{FOREIGN}:14000/dir', ca: {folder}/ca.crt }} }} }}\nhosts:"
    );
    let edited = lab.edited("\nhosts:", &acme);
    let up = lab.converge();
    let door = up.of_kind("front_door").last().unwrap();
    assert_eq!(door["urls"][0], "https://app1.example.org/");
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
    let asked = asked(lab);
    for (name, backend) in [("app1.example.org", "one-"), ("app2.example.org", "two-")] {
        let right = until(FOLLOWS, || asked.https(name, "/", &root, &[]).body.starts_with(backend));
        assert!(right, "{name}: {:?}\n{}", asked.https(name, "/", &root, &[]), log(lab, server));
        let plain = asked.http(name, "/there", &[]);
        assert_eq!(plain.location, format!("https://{name}/there"));
    }
    // The account and the certificates outlive the pod: nobody is asked for them once more.
    let kept = lab.host("w1").exec(&["stat", "--format=%a %u", "/var/lib/garboard-ingress/acme/acme.json"]);
    assert_eq!(kept.trim(), "600 65532");
    drop(server);
    lab.kubectl(&["delete", "pod", "--namespace=traefik", "--all"]);
    let right = until(FOLLOWS, || asked.https("app1.example.org", "/", &root, &[]).body.starts_with("one-"));
    assert!(right, "{:?}", asked.https("app1.example.org", "/", &root, &[]));
    lab.converged();
    drop(edited);
}

fn log(lab: &TestLab, mut server: Guest) -> String {
    let controller = lab.kubectl(&["logs", "--namespace=traefik", "daemonset/traefik", "--tail=50"]);
    format!("{}\n{controller}", server.said())
}

/// The server, on a foreign address; it finds the names where the internet would: on the edge host.
fn pebble(lab: &TestLab, folder: &str) -> Guest {
    let configuration = serde_json::json!({ "pebble": {
        "listenAddress": format!("{FOREIGN}:14000"),
        "managementListenAddress": format!("{FOREIGN}:15000"),
        "certificate": format!("{folder}/tls.crt"),
        "privateKey": format!("{folder}/tls.key"),
        "httpPort": 80,
        "tlsPort": 443,
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
    let script = "mount --bind \"$1\" /etc/hosts && exec env PEBBLE_VA_NOSLEEP=1 PEBBLE_WFE_NONCEREJECT=0 \"$2\" -config \"$3\"";
    let mut server = lab.start(&[
        "unshare",
        "--mount",
        "sh",
        "-c",
        script,
        "sh",
        &names,
        program.to_str().unwrap(),
        &path,
    ]);
    server.until("ACME directory available");
    server
}
