//! Clusters of hosts of both architectures: each is fed by its own, and what is not there for one is named with those who
//! need it. `UPDATE_GOLDEN=1` rewrites `tests/rendered/mixed`.

// All of this file is tests, their helpers too.
#![allow(clippy::unwrap_used)]

mod support;

use std::collections::BTreeMap;
use std::fmt::Write as _;

use fs_err as fs;
use garboard_inventory::load_with_home;
use garboard_playbooks::{
    Artifacts, FILES, IMAGES, Lacking, Pinned, PlannedStep, RenderError, Rendered, Site, shipped, site,
};
use garboard_protocol::facts::Facts;
use garboard_protocol::{Digest, Step};
use support::{THREE_HOSTS, artifacts, debian, folder, golden, inputs, inventory, pi};

/// Images that a control plane runs and a worker does not.
const CONTROL_PLANE: [&str; 4] = ["etcd", "kube-apiserver", "kube-controller-manager", "kube-scheduler"];

/// An amd64 control plane, an arm64 worker, and an amd64 one.
fn mixed() -> BTreeMap<String, Facts> {
    [
        ("cp1", debian("cp1", "192.168.1.11")),
        ("w1", pi("w1", "192.168.1.12")),
        ("w2", debian("w2", "192.168.1.13")),
    ]
    .map(|(name, facts)| (name.to_owned(), facts))
    .into()
}

fn render(
    site: &Site,
    facts: &BTreeMap<String, Facts>,
    artifacts: &Artifacts,
) -> Result<Rendered, RenderError> {
    let inventory = inventory(THREE_HOSTS);
    site.render(&inputs(&inventory, facts, artifacts))
}

/// A lock as a mirror gives it that holds the control plane for amd64 alone.
fn without_control_plane() -> Artifacts {
    let mut artifacts = artifacts(&["amd64", "arm64"]);
    for name in CONTROL_PLANE {
        artifacts.images.get_mut(name).unwrap().remove("arm64");
    }
    artifacts
}

/// What the tests' lock calls each content.
fn names() -> BTreeMap<Digest, String> {
    let mut names = BTreeMap::new();
    for architecture in ["amd64", "arm64"] {
        for name in FILES {
            let text = format!("{name} for {architecture}");
            names.insert(Digest::of(text.as_bytes()), text);
        }
        for name in IMAGES {
            let text = format!("{name} manifest for {architecture}");
            names.insert(Digest::of(text.as_bytes()), text);
        }
    }
    names
}

/// What a host is sent, one line each.
fn sent(chain: &[PlannedStep]) -> String {
    let names = names();
    let mut text = String::new();
    for planned in chain {
        let digests: Vec<Digest> = match &planned.step {
            Step::Artifact(artifact) => vec![artifact.blob.digest],
            Step::Archive(archive) => vec![archive.blob.digest],
            Step::Image(image) => image.images.iter().map(|image| image.manifest.digest).collect(),
            _ => continue,
        };
        for digest in digests {
            let _ = writeln!(text, "{} {}: {}", planned.id, planned.step.kind(), names[&digest]);
        }
    }
    text
}

#[test]
fn each_host_is_fed_by_its_own_architecture() {
    let rendered = render(&shipped().unwrap(), &mixed(), &without_control_plane()).unwrap();
    for (host, chain) in &rendered.hosts {
        golden(&folder("rendered/mixed").join(format!("{host}.txt")), &sent(chain));
    }
}

fn lacking(result: Result<Rendered, RenderError>) -> Vec<Lacking> {
    match result {
        Err(RenderError::Lacking(lacking)) => lacking,
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_control_plane_that_the_lock_has_not_for_its_architecture_is_refused_image_by_image() {
    let mut facts = mixed();
    facts.insert("cp1".to_owned(), pi("cp1", "192.168.1.11"));
    let found = lacking(render(&shipped().unwrap(), &facts, &without_control_plane()));
    let mut names: Vec<&str> = found.iter().map(|one| one.name.as_str()).collect();
    names.sort_unstable();
    assert_eq!(names, CONTROL_PLANE);
    for one in &found {
        assert_eq!((one.what, one.architecture.as_str()), (Pinned::Image, "arm64"));
        assert_eq!(one.hosts.iter().collect::<Vec<_>>(), ["cp1"]);
        assert_eq!(one.playbooks.iter().collect::<Vec<_>>(), ["control-plane"]);
    }
}

#[test]
fn what_several_hosts_need_is_named_once_with_all_of_them() {
    let mut facts = mixed();
    facts.insert("w2".to_owned(), pi("w2", "192.168.1.13"));
    let found = lacking(render(&shipped().unwrap(), &facts, &artifacts(&["amd64"])));
    let runc: Vec<&Lacking> = found.iter().filter(|one| one.name == "runc").collect();
    let [runc] = runc.as_slice() else { panic!("{runc:?}") };
    assert_eq!(runc.what, Pinned::File);
    assert_eq!(runc.hosts.iter().collect::<Vec<_>>(), ["w1", "w2"]);
    let text = RenderError::Lacking(vec![(*runc).clone()]).to_string();
    assert_eq!(text, "the lock has no file `runc` for arm64, which w1, w2 need");
    assert!(!found.iter().any(|one| one.name == "kube-apiserver"), "no worker needs it: {found:?}");
}

#[test]
fn an_image_of_a_playbook_of_ones_own_counts_only_where_the_step_runs() {
    let found = |when: &str| {
        let folder = tempfile::tempdir().unwrap();
        fs::create_dir(folder.path().join("tools")).unwrap();
        let playbook =
            format!("about: Tools\nhosts: worker\nsteps: [{{ image: {{ names: [etcd] }}{when} }}]\n");
        fs::write(folder.path().join("tools/playbook.yaml"), playbook).unwrap();
        let text = format!("{THREE_HOSTS}playbooks: [./tools]\n");
        fs::write(folder.path().join("garboard.yaml"), text).unwrap();
        let inventory = load_with_home(&folder.path().join("garboard.yaml"), None).unwrap();
        let site = site(&inventory.playbooks).unwrap_or_else(|said| panic!("{said}"));
        render(&site, &mixed(), &without_control_plane())
    };
    let refused = lacking(found(""));
    assert_eq!(refused.len(), 1, "{refused:?}");
    assert_eq!((refused[0].name.as_str(), refused[0].hosts.len()), ("etcd", 1));
    assert!(refused[0].hosts.contains("w1") && refused[0].playbooks.contains("tools"), "{refused:?}");
    found(", when: facts.architecture == 'amd64'").unwrap();
}
