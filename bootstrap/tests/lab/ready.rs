//! `up` makes bare hosts a cluster that carries traffic and comes back after a reboot by itself.

use crate::harness::TestLab;

/// The first `up` on bare hosts.
pub(crate) fn up_makes_every_host_a_ready_node(lab: &TestLab) {
    let up = lab.converge();
    println!("   up took {:.1} s", up.time.as_secs_f64());
    assert!(up.changes() > 0, "{}", up.story());
    lab.assert_ready();
}

/// Pod to pod, service name, `NodePort`, service address, in both directions.
pub(crate) fn pods_reach_each_other_by_every_way(lab: &TestLab) {
    lab.assert_traffic();
}

/// Nobody helps: neither `up` nor a person.
pub(crate) fn a_rebooted_worker_is_ready_again_without_help(lab: &TestLab, worker: &str) {
    let boot = || lab.host(worker).exec(&["cat", "/proc/sys/kernel/random/boot_id"]).trim().to_owned();
    let before = boot();
    lab.lab().reboot(worker).unwrap();
    let now = boot();
    assert_ne!(before, now, "{worker} did not reboot");
    // The node's old condition lasts for a while; only the kubelet of this boot reports this boot's id.
    let node = format!("node/{worker}");
    lab.wait(&[&format!("--for=jsonpath={{.status.nodeInfo.bootID}}={now}"), &node]);
    lab.wait(&["--for=condition=Ready", &node]);
    lab.assert_ready();
    lab.assert_traffic();
}
