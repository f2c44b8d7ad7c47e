//! Playbooks of the user's own, read from folders beside an inventory: what is wrong with them is told with its place,
//! what is right joins the shipped ones. `UPDATE_GOLDEN=1` rewrites `tests/own/*.stderr` and `tests/rendered/disk-watch`.

// All of this file is tests, their helpers too.
#![allow(clippy::unwrap_used)]

mod support;

use std::fmt::Write as _;
use std::path::Path;

use fs_err as fs;
use garboard_inventory::{Inventory, load_with_home};
use garboard_playbooks::{Diagnostics, Site, site};
use garboard_protocol::Step;
use support::{artifacts, bundle, container, debian, facts, folder, golden, inputs};

/// Unpacks a bundle; an entry `PATH -> TARGET` is a link.
fn unpack(bundle_path: &Path, into: &Path) {
    for (path, text) in bundle(bundle_path) {
        let (path, target) =
            path.split_once(" -> ").map_or((path.as_str(), None), |(path, to)| (path, Some(to)));
        let path = into.join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        match target {
            Some(target) => fs::os::unix::fs::symlink(target, path).unwrap(),
            None => fs::write(path, text).unwrap(),
        }
    }
}

/// The inventory of a folder, and what is said of its playbooks.
fn read(folder: &Path) -> (Inventory, Result<Site, Diagnostics>) {
    let inventory =
        load_with_home(&folder.join("garboard.yaml"), None).unwrap_or_else(|said| panic!("{said}"));
    let site = site(&inventory.playbooks).and_then(|site| site.check(&inventory).map(|()| site));
    (inventory, site)
}

#[test]
fn every_wrong_playbook_is_refused_with_exactly_these_diagnostics() {
    let mut cases: Vec<_> = fs::read_dir(folder("own"))
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.extension().is_some_and(|ending| ending == "site"))
        .collect();
    cases.sort();
    assert!(cases.len() >= 4, "the cases are gone");
    for path in cases {
        let folder = tempfile::tempdir().unwrap();
        unpack(&path, folder.path());
        let said = read(folder.path()).1.expect_err(&format!("{} was taken", path.display())).render(false);
        let said = said.replace(&format!("{}/", folder.path().canonicalize().unwrap().display()), "");
        assert!(!said.contains("hunter2"), "a file outside the folder was read:\n{said}");
        golden(&path.with_extension("stderr"), &said);
    }
}

const GOOD: &str = "about: Good\nhosts: all\nsteps: [{ file: { path: /etc/NAME.conf, content: x } }]\n";

/// An inventory with these playbooks, each with these further lines.
fn with_playbooks(folder: &Path, playbooks: &[(&str, &str)]) -> Site {
    let names: Vec<String> = playbooks.iter().map(|(name, _)| format!("./{name}")).collect();
    for (name, more) in playbooks {
        fs::create_dir(folder.join(name)).unwrap();
        fs::write(folder.join(name).join("playbook.yaml"), GOOD.replace("NAME", name) + more).unwrap();
    }
    let text = format!("{}playbooks: [{}]\n", support::THREE_HOSTS, names.join(", "));
    fs::write(folder.join("garboard.yaml"), text).unwrap();
    read(folder).1.unwrap_or_else(|said| panic!("{said}"))
}

/// The playbooks of a host's chain in their order.
fn order(site: &Site, folder: &Path, host: &str) -> Vec<String> {
    let inventory = load_with_home(&folder.join("garboard.yaml"), None).unwrap();
    let (facts, artifacts) = (facts(&inventory, debian), artifacts(&["amd64"]));
    let inputs = inputs(&inventory, &facts, &artifacts);
    let mut names: Vec<String> =
        site.render(&inputs).unwrap().hosts[host].iter().map(|step| step.playbook.clone()).collect();
    names.dedup();
    names
}

#[test]
fn own_playbooks_come_last_or_right_behind_what_they_name() {
    let folder = tempfile::tempdir().unwrap();
    let site = with_playbooks(
        folder.path(),
        &[
            ("last", ""),
            ("disk", "after: [host]\n"),
            ("disk-too", "after: [host]\n"),
            ("behind-disk", "after: [disk]\n"),
            ("early", "after: [behind-later]\n"),
            ("behind-later", "after: [containerd]\n"),
        ],
    );
    assert_eq!(
        order(&site, folder.path(), "w1"),
        [
            "host",
            "disk",
            "disk-too",
            "behind-disk",
            "containerd",
            "behind-later",
            "early",
            "kubernetes",
            "worker",
            "membership",
            "last",
        ]
    );
}

#[test]
fn a_playbook_alone_waits_for_nothing_the_others_wait_for() {
    let folder = tempfile::tempdir().unwrap();
    let site = with_playbooks(folder.path(), &[("mine", "owns: [{ path: /var/lib/mine }]\n")]);
    let inventory = load_with_home(&folder.path().join("garboard.yaml"), None).unwrap();
    let (facts, artifacts) = (facts(&inventory, debian), artifacts(&["amd64"]));
    let inputs = inputs(&inventory, &facts, &artifacts);
    let step = |site: &Site| site.render(&inputs).unwrap().hosts["w1"].last().unwrap().clone();
    assert!(!step(&site).waits.is_empty(), "in the whole chain it comes after the worker's join");
    let alone = site.only("mine");
    assert_eq!((step(&alone).id.0.as_str(), step(&alone).waits), ("mine/1", Vec::new()));
    assert_eq!(alone.needs(), garboard_playbooks::Needs::default());
    assert_eq!(alone.render(&inputs).unwrap().owns["w1"].len(), 1);
}

#[test]
fn what_a_playbook_needs_of_others_is_seen_in_it() {
    let folder = tempfile::tempdir().unwrap();
    let site = with_playbooks(
        folder.path(),
        &[("plain", ""), ("mine", "vars: { a: b }\n"), ("other", "after: [mine]\n")],
    );
    assert_eq!(site.only("plain").needs(), garboard_playbooks::Needs::default());
    let mine = "about: Good\nhosts: leader\nsteps:\n  - wait: { signal: api }\n  \
        - file: { path: /etc/all, content: \"{{ hosts | length }} {{ lock.images.pause.reference }}\" }\n    \
        gives: mine\n";
    fs::write(folder.path().join("mine/playbook.yaml"), mine).unwrap();
    let other = "about: Good\nhosts: cluster\nsteps: [{ wait: { signal: mine } }, { wait_nodes: ready }]\n";
    fs::write(folder.path().join("other/playbook.yaml"), other).unwrap();
    let site = read(folder.path()).1.unwrap_or_else(|said| panic!("{said}"));
    let needs = site.only("mine").needs();
    assert_eq!(needs.signals.iter().collect::<Vec<_>>(), ["api"]);
    assert_eq!((needs.api, needs.all_hosts, needs.artifacts), (false, true, true));
    let needs = site.only("other").needs();
    assert_eq!(needs.signals.iter().collect::<Vec<_>>(), ["mine"]);
    assert_eq!((needs.api, needs.all_hosts, needs.artifacts), (true, true, false));
}

/// What docs/playbooks.md walks through.
#[test]
fn the_example_renders_to_what_is_checked_in() {
    let root = tempfile::tempdir().unwrap();
    let example = Path::new(env!("CARGO_MANIFEST_DIR")).join("examples/disk-watch");
    let text = format!("{}playbooks: [{}]\n", support::THREE_HOSTS, example.display());
    fs::write(root.path().join("garboard.yaml"), text).unwrap();
    let (inventory, site) = read(root.path());
    let site = site.unwrap_or_else(|said| panic!("{said}")).only("disk-watch");
    let (facts, artifacts) = (facts(&inventory, container), artifacts(&[]));
    let rendered = site.render(&inputs(&inventory, &facts, &artifacts)).unwrap();
    assert_eq!(rendered.hosts.len(), 3);
    let mut text = String::new();
    for planned in &rendered.hosts["w1"] {
        let _ = writeln!(text, "== {} {} {}", planned.id, planned.step.kind(), planned.step.target());
        text.push_str(match &planned.step {
            Step::File(file) => &file.content,
            Step::Unit(unit) => unit.content.as_deref().unwrap(),
            _ => "",
        });
    }
    golden(&folder("rendered").join("disk-watch/w1.txt"), &text);
}
