//! A bad inventory ends the command before it talks to anybody.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

use std::path::Path;
use std::process::{Command, Output};

/// The product, at work on an inventory whose only way to its host leaves a trace.
fn up(folder: &Path, inventory: &str) -> Output {
    let path = folder.join("garboard.yaml");
    fs_err::write(&path, inventory).unwrap();
    Command::new(assert_cmd::cargo::cargo_bin!("garboard"))
        .args(["--output", "json", "--inventory"])
        .arg(path)
        .arg("up")
        .env("HOME", folder)
        .env("XDG_STATE_HOME", folder.join("state"))
        .env("XDG_CACHE_HOME", folder.join("cache"))
        .output()
        .unwrap()
}

/// An inventory with these lines under `cluster`; the connection is a program that notes that it ran.
fn inventory(cluster: &str, folder: &Path) -> String {
    format!(
        "cluster:\n  name: here\n{cluster}\nssh:\n  user: root\n  identity: {}\n  proxy_command: touch {}\n\
         hosts:\n  cp1: {{ address: 192.0.2.1, role: control_plane }}\n",
        identity(folder).display(),
        trace(folder).display()
    )
}

/// A login key: without one no connection is tried.
fn identity(folder: &Path) -> std::path::PathBuf {
    let path = folder.join("identity");
    let made =
        Command::new("ssh-keygen").args(["-q", "-t", "ed25519", "-N", "", "-f"]).arg(&path).status().unwrap();
    assert!(made.success());
    path
}

fn trace(folder: &Path) -> std::path::PathBuf {
    folder.join("connected")
}

#[test]
fn every_fault_of_a_file_is_reported_with_its_place_and_nobody_is_called() {
    let folder = tempfile::tempdir().unwrap();
    let faulty =
        "  kubernetes: v1.30.0\n  pod_cidr: 10.96.0.0/16\n  servce_cidr: 10.96.0.0/12\n  name: again";
    let output = up(folder.path(), &inventory(faulty, folder.path()));
    let said = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(2), "{said}");
    // Version, unknown key with a suggestion, a key given twice: each at its line.
    for words in
        ["v1.30.0", "servce_cidr", "service_cidr", "garboard.yaml:3", "garboard.yaml:5", "garboard.yaml:6"]
    {
        assert!(said.contains(words), "`{words}` is not in:\n{said}");
    }
    assert!(!trace(folder.path()).exists(), "a connection was made");
    // A program gets the same, a line each.
    let printed = String::from_utf8(output.stdout).unwrap();
    let problems: Vec<serde_json::Value> =
        printed.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert!(problems.len() >= 4, "{printed}");
    assert!(problems.iter().all(|event| event["event"] == "failed" && event["problem"]["exit"] == "usage"));
    let unknown = problems.iter().find(|event| event.to_string().contains("servce_cidr")).unwrap();
    let message = unknown["problem"]["message"].as_str().unwrap();
    assert!(message.contains("garboard.yaml:5:3: "), "{message}");
    assert!(unknown["problem"]["help"].as_str().unwrap().contains("service_cidr"), "{unknown}");
}

#[test]
fn a_fault_in_a_playbook_of_ones_own_is_reported_with_its_place_and_nobody_is_called() {
    let folder = tempfile::tempdir().unwrap();
    let own = folder.path().join("mine");
    fs_err::create_dir(&own).unwrap();
    let text = "about: Mine\nhosts: all\nsteps:\n  - file: { path: /etc/kubernetes/mine, content: \"{{ vras }}\" }\n";
    fs_err::write(own.join("playbook.yaml"), text).unwrap();
    let good = inventory("  kubernetes: v1.36.3", folder.path());
    let output = up(folder.path(), &format!("{good}playbooks: [./mine]\n"));
    let said = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(2), "{said}");
    for words in ["mine/playbook.yaml:4:19", "`kubernetes` owns", "mine/playbook.yaml:4:50", "`vras`"] {
        assert!(said.contains(words), "`{words}` is not in:\n{said}");
    }
    assert!(!trace(folder.path()).exists(), "a connection was made");
}

#[test]
fn a_good_inventory_makes_the_connection_that_a_bad_one_does_not() {
    let folder = tempfile::tempdir().unwrap();
    let output = up(folder.path(), &inventory("  kubernetes: v1.36.3", folder.path()));
    let said = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(1), "{said}");
    assert!(trace(folder.path()).exists(), "no connection was made: {said}");
}
