//! Good inventories and what becomes of them: `tests/ok/*.yaml` and `.json`, the examples included.

use std::path::Path;

use crate::golden::{compare, inventories, none};

#[test]
fn good_inventories_resolve_to_what_is_checked_in() {
    let mut differences = Vec::new();
    for path in inventories("tests/ok", 3) {
        let text = fs_err::read_to_string(&path).unwrap();
        let inventory = garboard_inventory::parse("garboard.yaml", &text)
            .unwrap_or_else(|diagnostics| panic!("{diagnostics}"));
        let actual = serde_json::to_string_pretty(&inventory).unwrap() + "\n";
        differences.extend(compare(&path.with_extension("json"), &actual));
    }
    none(&differences);
}

#[test]
fn a_host_inherits_ssh_field_by_field() {
    let text = "
cluster: { name: a, kubernetes: v1.36.3 }
ssh: { user: pi, port: 2222, identity: [one, two], proxy_command: connect %h %p }
hosts:
  cp1: { address: 10.0.0.1, role: control_plane }
  w1: { address: 10.0.0.2, role: worker, ssh: { user: root, identity: three } }
";
    let inventory = garboard_inventory::parse("garboard.yaml", text).unwrap();
    let own = &inventory.host("w1").unwrap().ssh;
    assert_eq!((own.user.as_deref(), own.port), (Some("root"), Some(2222)));
    assert_eq!(own.identity, [Path::new("three")]);
    assert_eq!(own.proxy_command.as_deref(), Some("connect %h %p"));
    assert_eq!(inventory.host("cp1").unwrap().ssh.identity.len(), 2);
}

#[test]
fn the_default_endpoint_is_a_name_of_our_own() {
    let text = |endpoint: &str| {
        format!(
            "
cluster: {{ name: home, kubernetes: v1.36.3{endpoint} }}
hosts: {{ cp1: {{ address: 10.0.0.1, role: control_plane }} }}
"
        )
    };
    let endpoint =
        |line: &str| garboard_inventory::parse("garboard.yaml", &text(line)).unwrap().cluster.endpoint;
    let default = endpoint("");
    assert_eq!((default.to_string().as_str(), default.own), ("home.garboard.internal:6443", true));
    assert!(!endpoint(", endpoint: k8s.home.arpa").own);
    assert_eq!(endpoint(", endpoint: 10.0.0.1").to_string(), "10.0.0.1:6443");
}
