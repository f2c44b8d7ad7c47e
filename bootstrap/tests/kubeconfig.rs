//! The user's kubeconfig: our context in it, everything else as it was.

#![allow(clippy::unwrap_used, reason = "helpers of tests may panic too")]

use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;

use garboard::kubeconfig::{Kubeconfig, KubeconfigError, Merged, merge_into};
use garboard_protocol::Secret;
use garboard_protocol::event::AdminCredentials;

fn context(name: &str, mark: &str) -> Kubeconfig {
    let credentials = AdminCredentials {
        certificate_authority: format!("authority {mark}"),
        certificate: format!("certificate {mark}"),
        key: Secret::new(format!("key {mark}")),
    };
    Kubeconfig::of(name, "https://192.168.1.11:6443", &credentials)
}

fn merged(existing: &str) -> String {
    context("homelab", "new").merge("config", existing).unwrap()
}

fn merge_homelab(path: &Path) -> Result<Merged, KubeconfigError> {
    merge_into(path, &context("homelab", "new").to_text())
}

/// As a person keeps it: comments, an exec plugin, unknown keys, an odd order.
const OTHERS: &str = "\
# my clusters
apiVersion: v1
kind: Config
preferences: {}
current-context: work   # the usual one
clusters:
# the office
- name: work
  cluster:
    server: https://10.0.0.1:6443
    insecure-skip-tls-verify: true

- cluster: { server: \"https://10.0.0.2:6443\" }
  name: lab # in the cellar
contexts:
- context:
    cluster: work
    namespace: team
    user: me
  name: work
users:
- name: me
  user:
    exec:
      apiVersion: client.authentication.k8s.io/v1
      command: get-token
      args: [ --realm, \"0123\" ]
extensions:
- name: something
  extension: { a: 1 }
";

#[test]
fn a_fresh_file_holds_the_context_and_makes_it_current() {
    insta::assert_snapshot!(merged(""));
}

#[test]
fn others_stay_byte_for_byte_and_ours_is_added() {
    let text = merged(OTHERS);
    insta::assert_snapshot!(text);
    // Every line that was there is there still, in its order.
    let mut lines = text.lines();
    for line in OTHERS.lines() {
        assert!(lines.any(|found| found == line), "{line}");
    }
}

#[test]
fn a_stale_context_of_the_same_name_is_replaced_in_its_place() {
    let with_old = context("homelab", "old").merge("config", OTHERS).unwrap();
    let with_more = context("zoo", "zoo").merge("config", &with_old).unwrap();
    let text = merged(&with_more);
    assert_eq!(text, context("zoo", "zoo").merge("config", &merged(OTHERS)).unwrap());
    assert_eq!(text.matches("name: homelab").count(), 3);
}

#[test]
fn merging_twice_changes_nothing_more() {
    let once = merged(OTHERS);
    assert_eq!(merged(&once), once);
}

#[test]
fn kubectls_own_form_and_indented_lists_are_edited_in_place() {
    let indented = "\
apiVersion: v1
clusters:
  - cluster:
      server: https://10.0.0.1:6443
    name: work
contexts: []
current-context: \"\"
kind: Config
preferences: {}
users: null
";
    insta::assert_snapshot!(merged(indented));
}

#[test]
fn a_json_kubeconfig_is_written_anew_with_all_it_held() {
    let json = r#"{"apiVersion":"v1","kind":"Config","zeta":1,"clusters":[{"name":"work","cluster":{"server":"https://a"}}],
        "contexts":[],"users":[{"name":"007","user":{"token":"1e3"}}],"current-context":"work"}"#;
    insta::assert_snapshot!(merged(json));
}

#[test]
fn names_that_look_like_other_types_stay_names() {
    let context = context("1e3", "x");
    let text = context.to_text();
    assert_eq!(Kubeconfig::parse(&text).unwrap().name(), "1e3");
    assert_eq!(context.merge("config", &text).unwrap(), text);
}

#[test]
fn a_file_that_is_no_kubeconfig_is_left_alone() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("config");
    for (text, told) in [
        ("clusters: [\n", "config:"),
        ("- a\n", "it is no YAML mapping"),
        ("clusters: yes\n", "its `clusters` is no list"),
        ("apiVersion: v2\n", "its `apiVersion` is not `v1`"),
    ] {
        fs_err::write(&path, text).unwrap();
        let error = merge_homelab(&path).unwrap_err();
        assert!(matches!(error, KubeconfigError::Content { .. }));
        assert!(error.to_string().contains(told), "{error}");
        assert_eq!(fs_err::read_to_string(&path).unwrap(), text);
    }
    assert_eq!(fs_err::read_dir(folder.path()).unwrap().count(), 1);
}

#[test]
fn the_old_file_is_kept_and_both_are_for_the_user_alone() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("kube/config");
    assert_eq!(merge_homelab(&path).unwrap(), Merged::Written { kept: None });
    fs_err::write(&path, OTHERS).unwrap();
    fs_err::set_permissions(&path, std::fs::Permissions::from_mode(0o644)).unwrap();
    let Merged::Written { kept: Some(backup) } = merge_homelab(&path).unwrap() else { panic!() };
    assert_eq!(fs_err::read_to_string(&backup).unwrap(), OTHERS);
    for file in [&path, &backup] {
        assert_eq!(fs_err::metadata(file).unwrap().permissions().mode() & 0o777, 0o600);
    }
    assert_eq!(merge_homelab(&path).unwrap(), Merged::Unchanged);
    assert_eq!(fs_err::read_dir(path.parent().unwrap()).unwrap().count(), 2);
}

#[test]
fn a_link_to_the_kubeconfig_stays_a_link() {
    let folder = tempfile::tempdir().unwrap();
    let (target, link) = (folder.path().join("dotfiles"), folder.path().join("config"));
    fs_err::write(&target, OTHERS).unwrap();
    fs_err::os::unix::fs::symlink(&target, &link).unwrap();
    merge_homelab(&link).unwrap();
    assert!(fs_err::symlink_metadata(&link).unwrap().is_symlink());
    assert_eq!(fs_err::read_to_string(&target).unwrap(), merged(OTHERS));
}
