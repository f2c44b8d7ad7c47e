//! The schema that is checked in is the one the types give, and the readers agree with it: every kind of step and of owned
//! thing, every key, and which of them must be there.

// All of this file is tests, their helpers too.
#![allow(clippy::unwrap_used)]

mod support;

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use garboard_playbooks::{Site, schema};
use serde_json::Value;
use support::{bundle, folder, golden};

/// A key that is like no other.
const STRANGER: &str = "zzzzzzzzzzzz";

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).to_owned()
}

/// What is said of a playbook with these lines, message and help.
fn said(hosts: &str, lines: &str) -> Vec<(String, String)> {
    let playbook = format!("about: x\nhosts: {hosts}\n{lines}\n");
    let site = [("site.yaml", "playbooks: [one]".to_owned()), ("one/playbook.yaml", playbook)];
    let site: BTreeMap<String, String> = site.map(|(path, text)| (path.to_owned(), text)).into();
    let said = Site::parse(&site).unwrap_err();
    said.iter().map(|one| (one.message.clone(), one.help.clone().unwrap_or_default())).collect()
}

fn quoted(text: &str) -> BTreeSet<String> {
    text.split('`').skip(1).step_by(2).map(str::to_owned).collect()
}

/// The keys the readers name to somebody who wrote a stranger.
fn keys_the_readers_know(hosts: &str, lines: &str) -> BTreeSet<String> {
    let said = said(hosts, lines);
    let (_, help) =
        said.iter().find(|(message, _)| message.contains(STRANGER)).unwrap_or_else(|| panic!("{said:?}"));
    quoted(help)
}

fn properties(schema: &Value) -> BTreeSet<String> {
    let Some(properties) = schema["properties"].as_object() else { return BTreeSet::new() };
    properties.keys().cloned().collect()
}

/// What a `$ref` means.
fn resolved<'a>(schema: &'a Value, part: &'a Value) -> &'a Value {
    match part["$ref"].as_str() {
        Some(reference) => schema.pointer(reference.trim_start_matches('#')).unwrap(),
        None => part,
    }
}

#[test]
fn the_schema_that_is_checked_in_is_current() {
    golden(&root().join("playbook.schema.json"), &(serde_json::to_string_pretty(&schema()).unwrap() + "\n"));
}

#[test]
fn the_schema_and_the_readers_know_the_same_keys() {
    let schema = schema();
    assert_eq!(
        properties(&schema),
        keys_the_readers_know("all", &format!("steps: []\n{STRANGER}: 1")),
        "keys of a playbook"
    );
    let step = resolved(&schema, &schema["properties"]["steps"]["items"]);
    assert_eq!(
        properties(step),
        keys_the_readers_know("all", &format!("steps:\n  - {STRANGER}: 1")),
        "kinds of steps"
    );
    let owned = resolved(&schema, &schema["properties"]["owns"]["items"]);
    let owns = format!("steps:\n  - swap: off\nowns:\n  - {STRANGER}: 1");
    let known: BTreeSet<String> = keys_the_readers_know("all", &owns);
    assert_eq!(properties(owned), known, "kinds of owned things");
}

#[test]
fn the_schema_and_the_readers_agree_about_the_keys_of_every_kind_and_which_are_needed() {
    let schema = schema();
    let step = resolved(&schema, &schema["properties"]["steps"]["items"]);
    let mut seen = 0;
    for kind in properties(step) {
        let shape = resolved(&schema, &step["properties"][&kind]);
        if shape["type"] != "object" {
            continue;
        }
        seen += 1;
        let hosts =
            if ["manifest", "token", "wait_rollout"].contains(&kind.as_str()) { "cluster" } else { "all" };
        let stranger = format!("steps:\n  - {kind}: {{ {STRANGER}: 1 }}");
        let mut told = said(hosts, &stranger);
        let keys = told.iter().position(|(message, _)| message.contains(STRANGER)).unwrap();
        let known = quoted(&told.remove(keys).1);
        assert_eq!(properties(shape), known, "keys of `{kind}`");
        let mut needed: BTreeSet<String> = told
            .iter()
            .filter_map(|(message, _)| message.split_once(" needs ").map(|(_, key)| quoted(key)))
            .flatten()
            .collect();
        if kind == "file" {
            // Either of two, of which the readers name one.
            assert!(needed.remove("template") && shape["oneOf"].as_array().unwrap().len() == 2);
        }
        let required = shape["required"].as_array().into_iter().flatten();
        let required: BTreeSet<String> = required.map(|key| key.as_str().unwrap().to_owned()).collect();
        assert_eq!(required, needed, "what `{kind}` needs");
    }
    assert!(seen > 10, "{seen}");
}

#[test]
fn every_playbook_that_is_taken_fits_the_schema() {
    let schema = schema();
    let validator = jsonschema::draft202012::new(&schema).unwrap();
    let shipped = fs_err::read_dir(root()).unwrap().map(|entry| entry.unwrap().path().join("playbook.yaml"));
    let shipped = shipped.filter(|path| path.exists()).map(|path| fs_err::read_to_string(path).unwrap());
    let examples = bundle(&folder("ok").join("everything.site"));
    let examples = examples.into_iter().filter(|(path, _)| path.ends_with("/playbook.yaml"));
    let all: Vec<String> = shipped.chain(examples.map(|(_, text)| text)).collect();
    assert!(all.len() > 10);
    for text in all {
        let value: Value = serde_saphyr::from_str(&text).unwrap();
        let faults: Vec<String> = validator
            .iter_errors(&value)
            .map(|fault| format!("{fault} at {}", fault.instance_path()))
            .collect();
        assert!(faults.is_empty(), "{text}\n{faults:#?}");
    }
}

#[test]
fn the_schema_refuses_what_has_another_shape() {
    let validator = jsonschema::draft202012::new(&schema()).unwrap();
    let is_taken = |steps: &str| {
        let text = format!("about: x\nhosts: all\nsteps:\n  - {steps}\n");
        validator.is_valid(&serde_saphyr::from_str::<Value>(&text).unwrap())
    };
    assert!(is_taken("sysctl: { key: vm.swappiness, value: \"1\" }"));
    for wrong in [
        "systl: { key: vm.swappiness, value: \"1\" }",
        "sysctl: { key: vm.swappiness }",
        "{ sysctl: { key: a, value: b }, swap: off }",
        "{ when: facts.shared_kernel }",
        "file: { path: /etc/one }",
        "file: { path: /etc/one, content: a, template: b }",
        "file: { path: etc/one, content: a }",
        "file: { path: /etc/one, content: a, mode: rwx }",
        "swap: on",
        "artifact: { name: kublet, path: /usr/local/bin/kubelet }",
        "directory: null",
    ] {
        assert!(!is_taken(wrong), "{wrong}");
    }
}

#[test]
fn every_shipped_playbook_tells_editors_its_schema() {
    let mut seen = 0;
    for entry in fs_err::read_dir(root()).unwrap() {
        let path = entry.unwrap().path().join("playbook.yaml");
        if !path.exists() {
            continue;
        }
        seen += 1;
        let text = fs_err::read_to_string(&path).unwrap();
        let line = text.lines().next().unwrap();
        let named = line.strip_prefix("# yaml-language-server: $schema=");
        let named = path.parent().unwrap().join(named.unwrap_or_else(|| panic!("{}", path.display())));
        assert_eq!(
            named.canonicalize().unwrap(),
            root().join("playbook.schema.json").canonicalize().unwrap()
        );
    }
    assert!(seen >= 9);
}
