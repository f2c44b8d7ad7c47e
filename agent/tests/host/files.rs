//! Kinds that put files in place.

use std::io::Write as _;

use flate2::Compression;
use flate2::write::GzEncoder;
use garboard_protocol::event::FailureKind;
use garboard_protocol::step::{Archive, Artifact, Directory, File};
use garboard_protocol::{Digest, Observation, Step};

use crate::machine::Machine;

fn file(path: &str, content: &str) -> Step {
    Step::File(File { path: path.into(), content: content.into(), mode: 0o644, secret: false })
}

fn archive(machine: &Machine, members: &[(&str, &[u8], tar::EntryType)], wanted: &[&str]) -> Archive {
    let mut tar = tar::Builder::new(GzEncoder::new(Vec::new(), Compression::fast()));
    for (name, content, kind) in members {
        let mut header = tar::Header::new_gnu();
        header.set_size(content.len() as u64);
        // setuid, as some archives have it.
        header.set_mode(0o4755);
        header.set_entry_type(*kind);
        if *kind == tar::EntryType::Symlink {
            header.set_link_name("/etc/shadow").unwrap();
        }
        // Written by hand: the library refuses names like `../up`, which is what hostile archives hold.
        header.as_old_mut().name[..name.len()].copy_from_slice(name.as_bytes());
        header.set_cksum();
        tar.append(&header, *content).unwrap();
    }
    let mut packed = tar.into_inner().unwrap();
    packed.flush().unwrap();
    let blob = machine.put_blob(&packed.finish().unwrap());
    Archive {
        destination: "/opt/cni/bin".into(),
        blob,
        members: wanted.iter().map(|name| (*name).to_owned()).collect(),
        mode: 0o755,
    }
}

const FILE: tar::EntryType = tar::EntryType::Regular;

#[test]
fn files_and_folders_converge_and_a_second_run_changes_nothing() {
    let machine = Machine::new();
    let steps = [
        file("/etc/ours/deep/file", "content\n"),
        Step::Directory(Directory { path: "/etc/ours/other".into(), mode: 0o700 }),
        file("/etc/hostname", "w1\n"),
    ];
    machine.run(&steps).unwrap();
    assert_eq!(machine.fake.content("/etc/ours/deep/file").as_deref(), Some("content\n"));
    machine.fake.forget_calls();
    let finished = machine.run(&steps).unwrap();
    assert!(finished.iter().all(|(changes, _)| changes.is_empty()));
    assert_eq!(machine.fake.changes(), Vec::<String>::new());
}

#[test]
fn secret_content_is_shown_only_as_a_digest() {
    let machine = Machine::new();
    machine.fake.put("/etc/key", b"old secret", 0o600);
    let step =
        Step::File(File { path: "/etc/key".into(), content: "new secret".into(), mode: 0o600, secret: true });
    let shown = format!("{:?}", machine.probe(&step));
    assert!(shown.contains(&Digest::of(b"new secret").to_string()) && !shown.contains("secret\""), "{shown}");
}

#[test]
fn a_folder_in_the_place_of_a_file_is_left_to_a_person() {
    let machine = Machine::new();
    machine.fake.put_directory("/etc/thing");
    let failure = machine.run(&[file("/etc/thing", "x")]).unwrap_err();
    assert_eq!(failure.kind, FailureKind::NeedsPerson);
    assert!(failure.message.contains("/etc/thing"), "{}", failure.message);
}

#[test]
fn an_artifact_that_was_tampered_with_is_put_back() {
    let machine = Machine::new();
    let blob = machine.put_blob(b"program");
    let step = Step::Artifact(Artifact { path: "/usr/local/bin/program".into(), blob, mode: 0o755 });
    machine.run(std::slice::from_ref(&step)).unwrap();
    assert!(machine.probe(&step).is_converged());
    machine.fake.put("/usr/local/bin/program", b"another", 0o755);
    assert!(matches!(machine.probe(&step), Observation::Differs { .. }));
    machine.run(std::slice::from_ref(&step)).unwrap();
    assert_eq!(machine.fake.content("/usr/local/bin/program").as_deref(), Some("program"));
}

#[test]
fn only_the_named_members_of_an_archive_arrive_without_setuid() {
    let machine = Machine::new();
    let members = [
        ("./bridge", b"one".as_slice(), FILE),
        ("LICENSE", b"two", FILE),
        ("./deep/portmap", b"three", FILE),
    ];
    let step = Step::Archive(archive(&machine, &members, &["bridge", "deep/portmap"]));
    machine.run(std::slice::from_ref(&step)).unwrap();
    assert_eq!(machine.fake.content("/opt/cni/bin/bridge").as_deref(), Some("one"));
    assert_eq!(machine.fake.content("/opt/cni/bin/portmap").as_deref(), Some("three"));
    assert_eq!(machine.fake.content("/opt/cni/bin/LICENSE"), None);
    assert!(machine.state()["/opt/cni/bin/bridge"].contains(" 755 "));
    machine.fake.forget_calls();
    machine.run(&[step]).unwrap();
    assert_eq!(machine.fake.changes(), Vec::<String>::new());
}

#[test]
fn hostile_members_are_refused_by_name() {
    for (member, kind, expected) in [
        ("../../etc/shadow", FILE, "not a plain relative path"),
        ("/etc/shadow", FILE, "not a plain relative path"),
        ("bridge", tar::EntryType::Symlink, "not a regular file"),
        ("bridge", tar::EntryType::Char, "not a regular file"),
    ] {
        let machine = Machine::new();
        let step = archive(&machine, &[(member, b"", kind)], &[member]);
        let message = match machine.run(&[Step::Archive(step)]) {
            Err(failure) => failure.message,
            Ok(_) => panic!("`{member}` was unpacked"),
        };
        assert!(message.contains(member) && message.contains(expected), "{message}");
        assert_eq!(machine.fake.content("/etc/shadow"), None);
    }
}

#[test]
fn a_missing_member_and_a_damaged_blob_fail_by_name() {
    let machine = Machine::new();
    let step = archive(&machine, &[("bridge", b"one", FILE)], &["bridge", "tuning"]);
    let failure = machine.run(&[Step::Archive(step.clone())]).unwrap_err();
    assert!(failure.message.contains("`tuning`"), "{}", failure.message);
    machine.fake.put(
        &format!("/var/lib/garboard/blobs/sha256/{}", step.blob.digest.hex()),
        b"flipped",
        0o600,
    );
    let failure = machine.run(&[Step::Archive(step)]).unwrap_err();
    assert!(failure.message.contains("damaged"), "{}", failure.message);
}
