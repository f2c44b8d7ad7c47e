//! What a user must decide first is refused with exit 3, before anything is written on any host.

use crate::harness::{Phases, Shape, States, TestLab, assert_same};

#[test]
fn refused_before_any_write() {
    let mut phases = Phases::of("refused_before_any_write");
    let lab = phases.must("two bare hosts", || TestLab::up("t-refusals", Shape::workers(1)));
    let bare = phases.must("the state of bare hosts", || lab.states());
    phases.check("an_unknown_host_key_is_refused", || an_unknown_host_key_is_refused(&lab, &bare));
    phases.check("a_changed_host_key_is_refused", || a_changed_host_key_is_refused(&lab, &bare));
    phases.check("a_taken_port_is_refused_and_its_holder_named", || {
        a_taken_port_is_refused_and_its_holder_named(&lab);
    });
    phases.check("too_little_disk_is_refused", || too_little_disk_is_refused(&lab));
    phases.check("an_older_cluster_is_refused", || an_older_cluster_is_refused(&lab));
    phases.check("docker_is_refused", || docker_is_refused(&lab));
    phases.check("nothing of it stayed", || assert_same(&bare, &lab.states()));
    phases.must("lab down", || drop(lab));
    phases.finish();
}

/// `up` refuses, says all of `words`, and every host is as `before`.
#[track_caller]
fn refused(lab: &TestLab, words: &[&str], before: &States) {
    let up = lab.garboard(&["up"]).expect(3).says(words);
    assert!(up.of_kind("step_started").next().is_none(), "{}", up.story());
    assert_same(before, &lab.states());
}

/// The fingerprint in the inventory of a host.
fn host_key(lab: &TestLab, host: &str) -> String {
    let inventory = lab.inventory();
    let line = inventory.lines().find(|line| line.trim_start().starts_with(&format!("{host}:"))).unwrap();
    line.split('"').nth(1).unwrap().to_owned()
}

fn an_unknown_host_key_is_refused(lab: &TestLab, bare: &States) {
    let key = host_key(lab, "w1");
    let edited = lab.edited(&format!(", host_key: \"{key}\""), "");
    // The user is shown what to compare.
    refused(lab, &["w1", &key], bare);
    drop(edited);
}

fn a_changed_host_key_is_refused(lab: &TestLab, bare: &States) {
    let (other, key) = (host_key(lab, "cp1"), host_key(lab, "w1"));
    let edited = lab.edited(&format!("host_key: \"{key}\""), &format!("host_key: \"{other}\""));
    refused(lab, &["w1", &key, &other], bare);
    drop(edited);
}

fn a_taken_port_is_refused_and_its_holder_named(lab: &TestLab) {
    let host = lab.host("cp1");
    // It ends with its first visitor: who is refused for a port leaves it alone.
    let listen = ["systemd-socket-activate", "--listen=6443", "/bin/cat"];
    host.exec(&[["systemd-run", "--quiet", "--unit=holder"].as_slice(), &listen].concat());
    let holder = host.exec(&["systemctl", "show", "--property=MainPID", "--value", "holder"]);
    let before = lab.states();
    // The kernel cuts a process's name after 15 bytes.
    refused(lab, &["cp1", "6443", "systemd-socket-", &format!("process {}", holder.trim())], &before);
    host.exec(&["systemctl", "stop", "holder"]);
}

fn too_little_disk_is_refused(lab: &TestLab) {
    let host = lab.host("w1");
    host.exec(&["mount", "-t", "tmpfs", "-o", "size=64m", "tmpfs", "/var/lib/containerd"]);
    let before = lab.states();
    refused(lab, &["w1", "/var/lib/containerd"], &before);
    host.exec(&["umount", "/var/lib/containerd"]);
}

fn an_older_cluster_is_refused(lab: &TestLab) {
    let host = lab.host("cp1");
    host.write("/etc/kubernetes/admin.conf", "apiVersion: v1\nkind: Config\n");
    host.write("/etc/kubernetes/manifests/kube-apiserver.yaml", "apiVersion: v1\nkind: Pod\n");
    let before = lab.states();
    refused(lab, &["cp1", "/etc/kubernetes", "kubeadm reset"], &before);
    host.exec(&["rm", "-r", "/etc/kubernetes"]);
}

fn docker_is_refused(lab: &TestLab) {
    let host = lab.host("w1");
    host.write("/etc/systemd/system/docker.service", "[Service]\nExecStart=/usr/bin/dockerd\n");
    host.exec(&["systemctl", "daemon-reload"]);
    let before = lab.states();
    refused(lab, &["w1", "docker", "/etc/systemd/system/docker.service"], &before);
    host.exec(&["rm", "/etc/systemd/system/docker.service"]);
    host.exec(&["systemctl", "daemon-reload"]);
}
