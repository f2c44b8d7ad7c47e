//! Hosts with kernels of their own: what a container cannot show. Emulated, so that every step takes its time: one cluster for all.

use std::time::{SystemTime, UNIX_EPOCH};

use crate::harness::{Phases, Shape, States, TestLab, assert_same};

/// A swap file as a Debian installer without a partition for it makes one.
const SWAP: &str =
    "fallocate -l 256M /swapfile && chmod 600 /swapfile && mkswap /swapfile && swapon /swapfile
    echo '/swapfile none swap sw 0 0' >>/etc/fstab; systemctl daemon-reload";

/// What kubeadm is given, for as long as it runs.
const CONFIGURATION: &str = "/run/garboard/kubeadm-init.yaml";

#[test]
fn a_cluster_on_a_kernel_of_its_own() {
    let mut phases = Phases::of("a_cluster_on_a_kernel_of_its_own");
    let lab = phases
        .must("a bare virtual machine", || TestLab::up("t-kernel", Shape::workers(0).of_virtual_machines()));
    phases.must("it has swap, now and after a boot", || {
        lab.host("cp1").exec(&["sh", "-ec", SWAP]);
    });
    let bare = phases.must("the state before the first up", || lab.states());
    phases.check("check_tells_of_swap", || check_tells_of_swap(&lab));
    phases.check("a_clock_two_hours_behind_is_found", || a_clock_two_hours_behind_is_found(&lab));
    phases.must("up_ignores_nothing_of_kubeadms_preflight", || up_ignores_nothing(&lab));
    phases.check("second_up_changes_nothing", || {
        lab.converged();
    });
    phases.check("a_rebooted_host_is_ready_again_without_help", || back_after(&lab, |lab| lab.reboot("cp1")));
    phases.check("a_host_whose_power_was_cut_is_ready_again_without_help", || {
        back_after(&lab, |lab| {
            lab.power_cut("cp1")?;
            lab.power_on(&["cp1".into()])
        });
    });
    phases.check("reset_gives_swap_modules_and_settings_back", || reset_gives_all_back(&lab, &bare));
    phases.must("lab down", || drop(lab));
    phases.finish();
}

fn check_tells_of_swap(lab: &TestLab) {
    let check = lab.garboard(&["check"]).expect(0);
    let said = format!("{}{}", check.stdout, check.stderr);
    assert!(said.contains("/swapfile will be turned off"), "{said}");
}

/// Before anything is written: certificates of another time would be made.
fn a_clock_two_hours_behind_is_found(lab: &TestLab) {
    set_clock(lab, -2 * 60 * 60);
    let check = lab.garboard(&["check"]).expect(3);
    let said = format!("{}{}", check.stdout, check.stderr);
    assert!(said.contains("behind"), "{said}");
    set_clock(lab, 0);
    lab.garboard(&["check"]).expect(0);
}

/// Sets the host's clock to this machine's time and so many seconds more.
fn set_clock(lab: &TestLab, ahead: i64) {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs();
    let wanted = now.checked_add_signed(ahead).unwrap();
    lab.host("cp1").exec(&["date", "--set", &format!("@{wanted}")]);
}

fn up_ignores_nothing(lab: &TestLab) {
    let host = lab.host("cp1");
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
    assert_eq!(host.exec(&["cat", "/proc/swaps"]).lines().count(), 1);
    assert_eq!(host.exec(&["stat", "--file-system", "--format=%T", "/sys/fs/cgroup"]).trim(), "cgroup2fs");
}

fn back_after(lab: &TestLab, interrupt: impl FnOnce(&garboard_lab::Lab) -> garboard_lab::Result<()>) {
    let boot = || lab.host("cp1").exec(&["cat", "/proc/sys/kernel/random/boot_id"]).trim().to_owned();
    let before = boot();
    interrupt(lab.lab()).unwrap();
    let now = boot();
    assert_ne!(before, now);
    assert_eq!(lab.host("cp1").exec(&["cat", "/proc/swaps"]).lines().count(), 1, "swap is on again");
    lab.wait(&[&format!("--for=jsonpath={{.status.nodeInfo.bootID}}={now}"), "node/cp1"]);
    lab.assert_ready();
}

fn reset_gives_all_back(lab: &TestLab, bare: &States) {
    lab.reset(&[]);
    assert!(lab.host("cp1").exec(&["cat", "/proc/swaps"]).contains("/swapfile"));
    assert_same(bare, &lab.states());
    lab.garboard(&["reset", "--verify"]).expect(0);
}
