//! Sites that are right: what they render to. `UPDATE_GOLDEN=1` rewrites `tests/ok/*.rendered`.

// All of this file is tests, their helpers too.
#![allow(clippy::unwrap_used)]

mod support;

use std::fmt::Write as _;

use garboard_playbooks::{Site, shipped};
use support::{THREE_HOSTS, artifacts, bundle, debian, facts, folder, golden, inputs, inventory};

#[test]
fn everything_a_playbook_may_say_is_taken() {
    let inventory = inventory(THREE_HOSTS);
    let site =
        Site::parse(&bundle(&folder("ok").join("everything.site"))).unwrap_or_else(|said| panic!("{said}"));
    site.check(&inventory).unwrap_or_else(|said| panic!("{said}"));
    let (facts, artifacts) = (facts(&inventory, debian), artifacts(&["amd64"]));
    let rendered = site.render(&inputs(&inventory, &facts, &artifacts)).unwrap();
    let mut text = String::new();
    for (host, chain) in &rendered.hosts {
        let _ = writeln!(text, "== {host}");
        for step in chain {
            let _ =
                writeln!(text, "{} {:#?} waits {:?} gives {:?}", step.id, step.step, step.waits, step.gives);
        }
    }
    let _ = writeln!(text, "== cluster\n{:#?}\n== owns\n{:#?}", rendered.cluster, rendered.owns["w1"]);
    golden(&folder("ok").join("everything.rendered"), &text);
}

#[test]
fn the_shipped_site_passes_its_own_checks() {
    let site = shipped().unwrap_or_else(|said| panic!("{said}"));
    for source in [
        THREE_HOSTS.to_owned(),
        THREE_HOSTS.replace("kubernetes: v1.36.3", "kubernetes: v1.36.3\n  endpoint: 192.168.1.11:6443"),
        THREE_HOSTS.replace("kubernetes: v1.36.3", "kubernetes: v1.36.3\n  allow_cgroup_v1: true"),
    ] {
        site.check(&inventory(&source)).unwrap_or_else(|said| panic!("{said}"));
    }
}

#[test]
fn the_shipped_site_has_every_file_beside_it() {
    // A template that is not in the table of `src/shipped.rs` would be missed only by whoever needs it.
    let root = std::path::Path::new(env!("CARGO_MANIFEST_DIR"));
    let site = shipped().unwrap();
    let mut folders: Vec<String> = fs_err::read_dir(root)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.join("playbook.yaml").exists())
        .map(|path| path.file_name().unwrap().to_string_lossy().into_owned())
        .collect();
    let mut names: Vec<String> = site.playbooks.iter().map(|playbook| playbook.name.clone()).collect();
    folders.sort();
    names.sort();
    assert_eq!(names, folders);
    assert!(site.playbooks.iter().all(|playbook| !playbook.about.is_empty()));
}
