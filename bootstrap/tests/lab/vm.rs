//! Hosts with kernels of their own, of two architectures: what a container cannot show. Emulated, so that every step takes its time:
//! one cluster for all of it.

use std::time::{SystemTime, UNIX_EPOCH};

use crate::harness::{Phases, Shape, States, TestLab, assert_same};

/// A swap file as a Debian installer without a partition for it makes one.
const SWAP: &str =
    "fallocate -l 256M /swapfile && chmod 600 /swapfile && mkswap /swapfile && swapon /swapfile
    echo '/swapfile none swap sw 0 0' >>/etc/fstab; systemctl daemon-reload";
/// The other architecture than this machine's, started as a Raspberry Pi is.
const PI: &[&str] = if cfg!(target_arch = "x86_64") {
    &["--kind", "vm", "--arch", "arm64", "--firmware", "pi"]
} else {
    &["--kind", "vm", "--arch", "amd64", "--firmware", "pi"]
};
/// What kubeadm is given, for as long as it runs.
const CONFIGURATION: &str = "/run/garboard/kubeadm-init.yaml";
const LINE: &str = "/boot/firmware/cmdline.txt";

#[test]
fn a_cluster_of_two_architectures_on_kernels_of_their_own() {
    let mut phases = Phases::of("a_cluster_of_two_architectures_on_kernels_of_their_own");
    let mut lab = phases.must("a control plane with this machine's processor", || {
        TestLab::up("t-kernel", Shape::workers(0).of_virtual_machines())
    });
    phases.must("a worker with the other one, started as a Raspberry Pi is", || lab.grow_by(1, PI));
    phases.must("the control plane has swap, now and after a boot", || {
        lab.host("cp1").exec(&["sh", "-ec", SWAP]);
    });
    let bare = phases.must("the state before the first up", || lab.states());
    phases.must("the control plane's clock is two hours behind", || set_clock(&lab, -2 * 60 * 60));
    phases.check("check_tells_what_up_will_put_right", || check_tells_what_up_will_put_right(&lab));
    phases.must("up_puts_it_right_and_ignores_nothing_of_kubeadms_preflight", || up_puts_it_right(&lab));
    phases.check("pods_of_both_architectures_reach_each_other_by_every_way", || lab.assert_traffic());
    phases.check("second_up_changes_nothing", || second_up_changes_nothing(&lab));
    phases.check("a_rebooted_control_plane_is_ready_again_without_help", || {
        back_after(&lab, |lab| lab.reboot("cp1"));
    });
    phases.check("a_control_plane_whose_power_was_cut_is_ready_again_without_help", || {
        back_after(&lab, |lab| {
            lab.power_cut("cp1")?;
            lab.power_on(&["cp1".into()])
        });
    });
    phases.check("reset_gives_swap_modules_and_settings_back", || reset_gives_all_back(&lab, &bare));
    phases.must("lab down", || drop(lab));
    phases.finish();
}

fn check_tells_what_up_will_put_right(lab: &TestLab) {
    let check = lab.garboard(&["check"]).expect(0);
    let said = format!("{}{}", check.stdout, check.stderr);
    for words in [
        "/swapfile (/etc/fstab) will be turned off",
        "behind this machine's; will be set",
        "the host reboots once",
    ] {
        assert!(said.contains(words), "`{words}` is not in {said}");
    }
}

/// Sets the host's clock to this machine's time and so many seconds more.
fn set_clock(lab: &TestLab, ahead: i64) {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs();
    let wanted = now.checked_add_signed(ahead).unwrap();
    lab.host("cp1").exec(&["date", "--set", &format!("@{wanted}")]);
}

fn seconds_off(lab: &TestLab, host: &str) -> i64 {
    let there: i64 = lab.host(host).exec(&["date", "+%s"]).trim().parse().unwrap();
    let here = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs();
    there - here.cast_signed()
}

fn boot_of(lab: &TestLab, host: &str) -> String {
    lab.host(host).exec(&["cat", "/proc/sys/kernel/random/boot_id"]).trim().to_owned()
}

fn up_puts_it_right(lab: &TestLab) {
    assert!(!lab.host("w1").exec(&["cat", "/sys/fs/cgroup/cgroup.controllers"]).contains("memory"));
    let boots = [boot_of(lab, "cp1"), boot_of(lab, "w1")];
    let mut given = None;
    let up = lab.follow(&["up"], |event, _| {
        // The configuration is there as long as kubeadm runs: it holds the token.
        if given.is_none() && event.to_string().contains("kubeadm") {
            let output = lab.lab().exec("cp1", &["cat", CONFIGURATION]).unwrap();
            given = output.status.success().then(|| String::from_utf8_lossy(&output.stdout).into_owned());
        }
    });
    let up = up.expect(0);
    println!("   up took {:.1} s", up.time.as_secs_f64());
    lab.assert_ready();
    let given = given.expect("kubeadm was seen with its configuration");
    for exception in ["ignorePreflightErrors", "fail-swap-on", "failCgroupV1"] {
        assert!(!given.contains(exception), "{exception} was given to kubeadm");
    }
    assert_eq!(lab.host("cp1").exec(&["cat", "/proc/swaps"]).lines().count(), 1);
    assert!(seconds_off(lab, "cp1").abs() < 60, "{} s", seconds_off(lab, "cp1"));
    assert_eq!(boot_of(lab, "cp1"), boots[0]);
    // One reboot of the one host that needs it, told of.
    let rebooted: Vec<_> = up.of_kind("host_rebooted").map(|event| event["host"].clone()).collect();
    assert_eq!(rebooted, ["w1"]);
    assert_ne!(boot_of(lab, "w1"), boots[1]);
    assert!(lab.host("w1").exec(&["cat", "/sys/fs/cgroup/cgroup.controllers"]).contains("memory"));
    assert!(lab.host("w1").exec(&["cat", LINE]).trim_end().ends_with(" cgroup_enable=memory"));
    for host in ["cp1", "w1"] {
        let kind = lab.host(host).exec(&["stat", "--file-system", "--format=%T", "/sys/fs/cgroup"]);
        assert_eq!(kind.trim(), "cgroup2fs", "{host}");
    }
    let architectures =
        lab.kubectl(&["get", "nodes", "--output", "jsonpath={.items[*].status.nodeInfo.architecture}"]);
    assert_eq!(
        architectures.split(' ').collect::<std::collections::BTreeSet<_>>().len(),
        2,
        "{architectures}"
    );
}

/// Seen on the hosts: no file of theirs is newer than the moment before, but those that a running cluster and a login write.
fn second_up_changes_nothing(lab: &TestLab) {
    const OTHERS: [&str; 6] = [
        "/var/lib/etcd/",
        "/var/lib/containerd/",
        "/var/lib/kubelet/",
        "/var/log/",
        "/var/lib/systemd/",
        "/var/lib/cni/",
    ];
    for host in ["cp1", "w1"] {
        lab.host(host).exec(&["touch", "/var/tmp/before"]);
    }
    lab.converged();
    for host in ["cp1", "w1"] {
        let newer = lab.host(host).exec(&["find", "/", "-xdev", "-type", "f", "-newer", "/var/tmp/before"]);
        let ours: Vec<&str> =
            newer.lines().filter(|path| !OTHERS.iter().any(|folder| path.starts_with(folder))).collect();
        assert_eq!(ours, [""; 0], "{host}");
        lab.host(host).exec(&["rm", "/var/tmp/before"]);
    }
}

fn back_after(lab: &TestLab, interrupt: impl FnOnce(&garboard_lab::Lab) -> garboard_lab::Result<()>) {
    let before = boot_of(lab, "cp1");
    interrupt(lab.lab()).unwrap();
    let now = boot_of(lab, "cp1");
    assert_ne!(before, now);
    assert_eq!(lab.host("cp1").exec(&["cat", "/proc/swaps"]).lines().count(), 1, "swap is on again");
    lab.wait(&[&format!("--for=jsonpath={{.status.nodeInfo.bootID}}={now}"), "node/cp1"]);
    lab.assert_ready();
}

fn reset_gives_all_back(lab: &TestLab, bare: &States) {
    lab.reset(&[]);
    assert!(lab.host("cp1").exec(&["cat", "/proc/swaps"]).contains("/swapfile"));
    lab.garboard(&["reset", "--verify"]).expect(0);
    // The kernel keeps the line that it was started with until the next boot.
    lab.lab().reboot("w1").unwrap();
    assert!(!lab.host("w1").exec(&["cat", "/sys/fs/cgroup/cgroup.controllers"]).contains("memory"));
    assert_same(bare, &lab.states());
}
