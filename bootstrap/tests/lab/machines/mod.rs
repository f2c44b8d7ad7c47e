//! Hosts with kernels of their own: what a container cannot show. Emulated, so that every step takes its time: one such machine as
//! a worker beside a control plane in a container is quicker than one that is a control plane, or two.

mod architectures;
mod both;
mod kernel;

use std::collections::BTreeSet;
use std::time::{SystemTime, UNIX_EPOCH};

use crate::harness::{Finished, States, TestLab, assert_same};

/// A swap file as a Debian installer without a partition for it makes one.
const SWAP: &str =
    "fallocate -l 256M /swapfile && chmod 600 /swapfile && mkswap /swapfile && swapon /swapfile
    echo '/swapfile none swap sw 0 0' >>/etc/fstab; systemctl daemon-reload";
/// With this machine's own kind of processor.
const VM: &[&str] = &["--kind", "vm"];
/// The other architecture than this machine's, started as a Raspberry Pi is.
const PI: &[&str] = if cfg!(target_arch = "x86_64") {
    &["--kind", "vm", "--arch", "arm64", "--firmware", "pi"]
} else {
    &["--kind", "vm", "--arch", "amd64", "--firmware", "pi"]
};
const OTHER: &str = if cfg!(target_arch = "x86_64") { "arm64" } else { "amd64" };
const TWO_HOURS: i64 = 2 * 60 * 60;
const LINE: &str = "/boot/firmware/cmdline.txt";
/// What a running cluster and a login write on a host where nobody changes anything.
const OF_OTHERS: [&str; 6] = [
    "/var/lib/etcd/",
    "/var/lib/containerd/",
    "/var/lib/kubelet/",
    "/var/log/",
    "/var/lib/systemd/",
    "/var/lib/cni/",
];

/// The state of all hosts. A first boot of a system does what no later one does: these machines boot once more before.
fn state_after_a_boot(lab: &TestLab, machines: &[&str]) -> States {
    for host in machines {
        lab.lab().reboot(host).unwrap();
    }
    lab.states()
}

/// `garboard check`, which must say all of it and find nothing in the way.
fn check_says(lab: &TestLab, words: &[&str]) {
    let check = lab.garboard(&["check"]).expect(0);
    let said = format!("{}{}", check.stdout, check.stderr);
    for words in words {
        assert!(said.contains(words), "`{words}` is not in {said}");
    }
}

/// Sets a host's clock to this machine's time and so many seconds more.
fn set_clock(lab: &TestLab, host: &str, ahead: i64) {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs();
    let wanted = now.checked_add_signed(ahead).unwrap();
    lab.host(host).exec(&["date", "--set", &format!("@{wanted}")]);
}

fn assert_clock_is_right(lab: &TestLab, host: &str) {
    let there: i64 = lab.host(host).exec(&["date", "+%s"]).trim().parse().unwrap();
    let here = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs();
    let off = there - here.cast_signed();
    assert!(off.abs() < 60, "{off} s");
}

fn boot_of(lab: &TestLab, host: &str) -> String {
    lab.host(host).exec(&["cat", "/proc/sys/kernel/random/boot_id"]).trim().to_owned()
}

fn has_memory_controller(lab: &TestLab, host: &str) -> bool {
    lab.host(host).exec(&["cat", "/sys/fs/cgroup/cgroup.controllers"]).contains("memory")
}

fn swaps(lab: &TestLab, host: &str) -> usize {
    lab.host(host).exec(&["cat", "/proc/swaps"]).lines().count() - 1
}

fn assert_cgroup_version_2(lab: &TestLab, host: &str) {
    let kind = lab.host(host).exec(&["stat", "--file-system", "--format=%T", "/sys/fs/cgroup"]);
    assert_eq!(kind.trim(), "cgroup2fs", "{host}");
}

/// `garboard up` on bare hosts, and what kubeadm was given on one of them.
fn first_up(lab: &TestLab, host: &str) -> (Finished, String) {
    let verb = if host == "cp1" { "init" } else { "join" };
    let configuration = format!("/run/garboard/kubeadm-{verb}.yaml");
    let mut given = None;
    let up = lab.follow(&["up"], |event, _| {
        // It is there as long as kubeadm runs: it holds the token.
        if given.is_none() && event["host"] == host && event.to_string().contains("kubeadm") {
            let output = lab.lab().exec(host, &["cat", &configuration]).unwrap();
            given = output.status.success().then(|| String::from_utf8_lossy(&output.stdout).into_owned());
        }
    });
    let up = up.expect(0);
    println!("   up took {:.1} s", up.time.as_secs_f64());
    lab.assert_ready();
    (up, given.expect("kubeadm was seen with its configuration"))
}

fn assert_nothing_of_the_preflight_is_ignored(given: &str) {
    for exception in ["ignorePreflightErrors", "fail-swap-on", "failCgroupV1"] {
        assert!(!given.contains(exception), "{exception} was given to kubeadm");
    }
}

/// The host was rebooted once, and told of; its kernel has what its line asks for since.
fn assert_rebooted_for_the_memory_controller(lab: &TestLab, up: &Finished, before: &str) {
    let rebooted: Vec<_> = up.of_kind("host_rebooted").map(|event| event["host"].clone()).collect();
    assert_eq!(rebooted, ["w1"]);
    assert_ne!(boot_of(lab, "w1"), before);
    assert!(has_memory_controller(lab, "w1"));
    assert!(lab.host("w1").exec(&["cat", LINE]).trim_end().ends_with(" cgroup_enable=memory"));
}

fn assert_two_architectures(lab: &TestLab) {
    let architectures =
        lab.kubectl(&["get", "nodes", "--output", "jsonpath={.items[*].status.nodeInfo.architecture}"]);
    assert_eq!(architectures.split(' ').collect::<BTreeSet<_>>().len(), 2, "{architectures}");
}

/// Seen on the hosts: no file of theirs is newer than the moment before, but those that a running cluster and a login write.
fn second_up_changes_nothing(lab: &TestLab, hosts: &[&str]) {
    for host in hosts {
        lab.host(host).exec(&["touch", "/var/tmp/before"]);
    }
    lab.converged();
    for host in hosts {
        let newer = lab.host(host).exec(&["find", "/", "-xdev", "-type", "f", "-newer", "/var/tmp/before"]);
        let ours: Vec<&str> =
            newer.lines().filter(|path| !OF_OTHERS.iter().any(|folder| path.starts_with(folder))).collect();
        assert_eq!(ours, [""; 0], "{host}");
        lab.host(host).exec(&["rm", "/var/tmp/before"]);
    }
}

fn back_after(
    lab: &TestLab,
    host: &str,
    interrupt: impl FnOnce(&garboard_lab::Lab) -> garboard_lab::Result<()>,
) {
    let before = boot_of(lab, host);
    interrupt(lab.lab()).unwrap();
    let now = boot_of(lab, host);
    assert_ne!(before, now);
    assert_eq!(swaps(lab, host), 0, "swap is on again");
    // `kubectl wait` waits for nobody who does not answer at all.
    lab.wait_for_api();
    lab.wait(&[&format!("--for=jsonpath={{.status.nodeInfo.bootID}}={now}"), &format!("node/{host}")]);
    lab.assert_ready();
}

/// Nothing of ours is left; `line_of` is a host whose kernel keeps the line it was started with until the next boot.
fn reset_gives_all_back(lab: &TestLab, bare: &States, line_of: Option<&str>) {
    lab.reset(&[]);
    lab.garboard(&["reset", "--verify"]).expect(0);
    if let Some(host) = line_of {
        lab.lab().reboot(host).unwrap();
        assert!(!has_memory_controller(lab, host));
    }
    assert_same(bare, &lab.states());
}
