//! Without a terminal: what is missing, faulty or in the way is said, and nothing is written.

use crate::desk::Desk;

const GOOD: [&str; 5] = ["--name", "home", "--host", "cp1=192.168.1.11", "--no-look"];

#[track_caller]
fn refused(desk: &Desk, arguments: &[&str], words: &[&str]) {
    let before = desk.names();
    let output = desk.init(arguments);
    let said = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(2), "{said}");
    for word in words {
        assert!(said.contains(word), "`{word}` is not in:\n{said}");
    }
    assert!(output.stdout.is_empty());
    assert_eq!(desk.names(), before);
}

#[test]
fn missing_answers_are_named_by_their_flags_all_at_once() {
    let desk = Desk::new();
    refused(&desk, &[], &["--name", "--host", "--control-plane", "--look or --no-look"]);
    refused(&desk, &["--yes"], &["are missing: --host"]);
    let two = ["--name", "home", "--host", "192.168.1.11", "--host", "192.168.1.12", "--no-look"];
    refused(&desk, &two, &["are missing: --control-plane"]);
    refused(&desk, &GOOD[..4], &["are missing: --look or --no-look"]);
    assert_eq!(desk.init(&GOOD).status.code(), Some(0));
}

#[test]
fn faulty_flags_are_told_all_at_once_in_the_words_of_the_inventory() {
    let desk = Desk::new();
    let flags = [
        "--host",
        "cp1=10.0.0.1/24",
        "--name",
        "Home",
        "--user",
        "a b",
        "--kubernetes",
        "v1.30.0",
        "--no-look",
    ];
    refused(&desk, &flags, &["write `home`", "write `10.0.0.1`", "is no login", "v1.36.3"]);
    for (flag, value, words) in [
        ("--control-plane", "w9", "the hosts are cp1"),
        ("--edge", "w9", "the hosts are cp1"),
        ("--edge", "cp1", "control plane"),
        ("--zone", "cp1", "names no host and zone"),
        ("--zone", "cp1=dmz", "`dmz` is no zone"),
        ("--host-key", "cp1", "names no host"),
        ("--host-key", "w9=SHA256:x", "there is no host `w9`"),
        ("--host-key", "cp1=SHA256:x", "characters of base64"),
        ("--sudo-password-env", "$SUDO", "without `$`"),
        ("--proxy-jump", "a,,b", "is no jump host"),
        ("--port", "0", "1 to 65535"),
        ("--host", "cp1=192.168.1.12", "cp1"),
    ] {
        refused(&desk, &[&GOOD[..], &[flag, value]].concat(), &[words]);
    }
}

#[test]
fn a_file_that_is_there_is_never_written_over() {
    let desk = Desk::new();
    fs_err::write(desk.path("garboard.yaml"), "mine").unwrap();
    refused(&desk, &GOOD, &["`garboard.yaml` is there already", "--inventory FILE"]);
    assert_eq!(desk.written().unwrap(), "mine");
    refused(&desk, &[&GOOD[..], &["--inventory", "no/where.yaml"]].concat(), &["there is no folder `no`"]);
    // To look at it, or elsewhere, it can be had.
    let output = desk.init(&[&GOOD[..], &["--print"]].concat());
    let printed = String::from_utf8(output.stdout).unwrap();
    assert_eq!(output.status.code(), Some(0));
    garboard_inventory::parse("printed", &printed).unwrap();
    assert_eq!(desk.init(&[&GOOD[..], &["--inventory", "other.yaml"]].concat()).status.code(), Some(0));
    assert_eq!(fs_err::read_to_string(desk.path("other.yaml")).unwrap(), printed);
    assert_eq!(desk.names(), ["garboard.yaml", "other.yaml"]);
}

#[test]
fn paths_said_here_lead_to_the_same_files_from_an_inventory_elsewhere() {
    let desk = Desk::new();
    fs_err::create_dir(desk.path("below")).unwrap();
    let flags = ["--identity", "key", "--sudo-password-file", "word", "--inventory", "below/home.yaml"];
    assert_eq!(desk.init(&[&GOOD[..], &flags].concat()).status.code(), Some(0));
    let inventory = garboard_inventory::load(&desk.path("below/home.yaml")).unwrap();
    assert_eq!(inventory.hosts[0].ssh.identity, [desk.path("key")]);
    let word = garboard_inventory::SecretReference::File(desk.path("word"));
    assert_eq!(inventory.hosts[0].ssh.sudo_password, Some(word));
}

#[test]
fn a_program_gets_one_document() {
    let desk = Desk::new();
    let output = desk.init(&[&GOOD[..], &["--output", "json"]].concat());
    let document: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(document["inventory"], "garboard.yaml");
    let host = serde_json::json!({ "name": "cp1", "address": "192.168.1.11", "role": "control_plane", "host_key": null });
    assert_eq!(document["hosts"], serde_json::json!([host]));
    assert!(desk.written().is_some() && output.stderr.is_empty());
}
