//! Where written paths lead once a file is loaded.

use std::path::Path;

use garboard_inventory::{SecretReference, load_with_home, parse};

const TEXT: &str = "
cluster: { name: a, kubernetes: v1.36.3 }
ssh: { identity: [~/.ssh/id, keys/id, /abs/id], passphrase: { file: secrets/passphrase } }
hosts: { cp1: { address: 10.0.0.1, role: control_plane } }
";

#[test]
fn paths_start_at_the_inventory_or_at_home() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("garboard.yaml");
    fs_err::write(&path, TEXT).unwrap();
    let ssh = load_with_home(&path, Some(Path::new("/home/pi"))).unwrap().hosts[0].ssh.clone();
    assert_eq!(
        ssh.identity,
        [Path::new("/home/pi/.ssh/id"), &folder.path().join("keys/id"), Path::new("/abs/id")]
    );
    assert_eq!(ssh.passphrase, Some(SecretReference::File(folder.path().join("secrets/passphrase"))));
}

#[test]
fn playbooks_lie_beside_the_inventory_and_know_their_place_in_it() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("garboard.yaml");
    let text = format!("{TEXT}playbooks: [./one, ~/two, /three]\n");
    fs_err::write(&path, &text).unwrap();
    let own = load_with_home(&path, Some(Path::new("/home/pi"))).unwrap().playbooks;
    let folders: Vec<_> = own.iter().map(|own| own.folder.as_path()).collect();
    assert_eq!(folders, [&folder.path().join("./one"), Path::new("/home/pi/two"), Path::new("/three")]);
    assert_eq!(*own[1].place.file, *path.to_string_lossy());
    assert_eq!(&own[1].place.text[own[1].place.range.clone()], "~/two");
}

#[test]
fn parsing_leaves_paths_as_they_are_written() {
    let ssh = parse("garboard.yaml", TEXT).unwrap().hosts[0].ssh.clone();
    assert_eq!(ssh.identity, [Path::new("~/.ssh/id"), Path::new("keys/id"), Path::new("/abs/id")]);
}

#[test]
fn a_home_folder_nobody_knows_is_a_fault_with_its_place() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("garboard.yaml");
    fs_err::write(&path, TEXT).unwrap();
    let diagnostics = load_with_home(&path, None).unwrap_err();
    let places: Vec<_> = diagnostics.iter().map(|diagnostic| (diagnostic.line, diagnostic.column)).collect();
    assert_eq!(places, [(3, 19)], "{diagnostics}");
}

#[test]
fn a_file_that_cannot_be_read_is_named_once() {
    let diagnostics = load_with_home(Path::new("/nowhere/garboard.yaml"), None).unwrap_err();
    let shown = diagnostics.to_string();
    assert_eq!(shown.matches("/nowhere/garboard.yaml").count(), 1, "{shown}");
    assert!(shown.contains("No such file") && shown.contains("--inventory"), "{shown}");
}

#[test]
fn a_file_that_is_not_text_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("garboard.yaml");
    fs_err::write(&path, b"cluster:\n  name: \xff\n").unwrap();
    assert!(load_with_home(&path, None).unwrap_err().to_string().contains("not UTF-8 text (line 2)"));
}
