//! A bit turned over in what will be executed or imported: noticed, never run.

use serde_json::json;

use crate::harness::{TestLab, Watch, lines_of};

/// On the host, between two runs.
pub(crate) fn a_damaged_agent_is_sent_again_and_never_run(lab: &TestLab, host: &str) {
    let on_host = lab.host(host);
    let agents =
        lines_of(&on_host.exec(&["find", "/var/lib/garboard", "-maxdepth", "1", "-name", "agent-*"]));
    let [agent] = agents.as_slice() else { panic!("one agent expected: {agents:?}") };
    flip_in_place(&on_host.path(agent));
    let watch = Watch::begin(lab, &[host.to_owned()]);
    let up = lab.converged();
    let observed = watch.end();
    let sent = |name: &str| {
        let mut connected = up.of_kind("host_connected");
        connected.find(|event| event["host"] == name).map(|event| event["agent_sent"] == true)
    };
    assert_eq!(sent(host), Some(true), "{}", up.story());
    assert_eq!(sent("cp1"), Some(false), "{}", up.story());
    // What lay there was run by nobody: the first time the agent is executed, another one has been moved in its place.
    let programs = observed.programs(host);
    let first = |name: &str| programs.iter().position(|program| program.ends_with(name));
    let (moved, executed) = (first("/mv"), first(agent));
    assert!(moved.is_some() && executed.is_some() && moved < executed, "{programs:?}");
}

/// Served by the mirror: a registry, or what stands between it and us, that turns a bit over.
pub(crate) fn a_damaged_layer_of_the_mirror_is_noticed(lab: &TestLab) {
    let layer = largest_layer_of(lab, "kube-proxy");
    let cached = lab.blobs().join(&layer);
    fs_err::remove_file(&cached).unwrap();
    let faults = lab.lab_folder().join("mirror-faults.json");
    fs_err::write(&faults, json!({ "flip_bit": { (layer.clone()): 4_321_987 } }).to_string()).unwrap();
    let up = lab.garboard(&["up"]).expect(1).says(&[&layer]);
    assert!(!cached.exists(), "the damaged layer is in the cache: {}", up.story());
    for host in lab.host_names() {
        let blob = format!("/var/lib/garboard/blobs/sha256/{layer}");
        assert!(!lab.host(&host).path(&blob).exists(), "{host} has the damaged layer");
    }
    fs_err::remove_file(&faults).unwrap();
}

/// In the laptop's cache, after it was fetched and checked.
pub(crate) fn a_damaged_artifact_in_the_cache_is_fetched_again(lab: &TestLab) {
    let kubelet = sha256_of_file(lab, "kubelet");
    let cached = lab.blobs().join(&kubelet);
    // A file of its own: other tests have the sound one under the same link.
    let mut bytes = fs_err::read(&cached).unwrap();
    let middle = bytes.len() / 2;
    bytes[middle] ^= 0b100;
    fs_err::remove_file(&cached).unwrap();
    fs_err::write(&cached, bytes).unwrap();
    let before = fetched(lab, "/kubelet");
    lab.converge();
    assert_eq!(fetched(lab, "/kubelet"), before + 1, "the kubelet was not fetched again");
    for host in lab.host_names() {
        let line = lab.host(&host).exec(&["sha256sum", "/usr/local/bin/kubelet"]);
        assert!(line.starts_with(&kubelet), "{host}: {line}");
    }
}

/// One bit in the middle; the file keeps its inode, size and mode, as after a bad sector.
fn flip_in_place(path: &std::path::Path) {
    use std::os::unix::fs::FileExt as _;
    let file = fs_err::File::options().read(true).write(true).open(path).unwrap().into_parts().0;
    let middle = file.metadata().unwrap().len() / 2;
    let mut byte = [0];
    file.read_exact_at(&mut byte, middle).unwrap();
    file.write_all_at(&[byte[0] ^ 0b100], middle).unwrap();
}

/// What the laptop's lock says, as JSON: the lock is YAML, and `kubectl` is at hand anyway.
fn lock_line(lab: &TestLab, after: &str, key: &str) -> String {
    let lock = fs_err::read_to_string(lab.lab_folder().join("garboard.lock")).unwrap();
    let part =
        lock.split_once(&format!("\n  {after}:\n")).unwrap_or_else(|| panic!("no `{after}` in the lock")).1;
    let line = part.lines().find_map(|line| line.trim().strip_prefix(&format!("{key}: ")));
    line.unwrap_or_else(|| panic!("no `{key}` of `{after}` in the lock"))
        .trim_start_matches("sha256:")
        .to_owned()
}

fn sha256_of_file(lab: &TestLab, name: &str) -> String {
    lock_line(lab, name, "sha256")
}

fn largest_layer_of(lab: &TestLab, image: &str) -> String {
    let manifest = lab.blobs().join(lock_line(lab, image, "manifest"));
    let manifest: serde_json::Value = serde_json::from_slice(&fs_err::read(manifest).unwrap()).unwrap();
    let layers = manifest["layers"].as_array().unwrap();
    let largest = layers.iter().max_by_key(|layer| layer["size"].as_u64()).unwrap();
    largest["digest"].as_str().unwrap().trim_start_matches("sha256:").to_owned()
}

/// How often the mirror was asked for the content of a path with that end.
fn fetched(lab: &TestLab, end: &str) -> usize {
    let log = garboard_lab::mirror::read_log(&lab.lab_folder().join("mirror-requests.jsonl")).unwrap();
    log.iter()
        .filter(|request| request.method == "GET" && request.path.ends_with(end) && request.complete)
        .count()
}
