//! A machine with a kernel of its own: cgroup version 2, modules, swap and a clock that is wrong, real reboots. As a worker beside
//! a control plane in a container, and, which takes twice as long, as all of a cluster.

use super::{
    SWAP, TWO_HOURS, VM, assert_cgroup_version_2, assert_clock_is_right,
    assert_nothing_of_the_preflight_is_ignored, back_after, boot_of, check_says, first_up,
    reset_gives_all_back, second_up_changes_nothing, set_clock, state_after_a_boot, swaps,
};
use crate::harness::{Phases, Shape, TestLab};

#[test]
fn a_machine_with_swap_and_a_wrong_clock_becomes_a_worker() {
    let mut phases = Phases::of("a_machine_with_swap_and_a_wrong_clock_becomes_a_worker");
    let mut lab =
        phases.must("a control plane", || TestLab::up("t-kernel-worker", Shape::workers(0).emulated(3)));
    phases.must("a virtual machine", || lab.grow_by(1, VM));
    life(lab, phases, "w1");
}

#[test]
fn a_machine_with_swap_and_a_wrong_clock_becomes_a_cluster() {
    let mut phases = Phases::of("a_machine_with_swap_and_a_wrong_clock_becomes_a_cluster");
    let lab =
        phases.must("a virtual machine", || TestLab::up("t-kernel", Shape::workers(0).of_virtual_machines()));
    life(lab, phases, "cp1");
}

/// From a bare machine to a bare machine.
fn life(lab: TestLab, mut phases: Phases, host: &str) {
    phases.must("it has swap, now and after a boot", || {
        lab.host(host).exec(&["sh", "-ec", SWAP]);
    });
    let bare = phases.must("the state before the first up", || state_after_a_boot(&lab, &[host]));
    phases.must("its clock is two hours behind", || set_clock(&lab, host, -TWO_HOURS));
    phases.check("check_tells_what_up_will_put_right", || {
        check_says(
            &lab,
            &["/swapfile (/etc/fstab) will be turned off", "behind this machine's; will be set"],
        );
    });
    phases.must("up_puts_it_right_and_ignores_nothing_of_kubeadms_preflight", || {
        up_puts_it_right(&lab, host);
    });
    phases.check("second_up_changes_nothing", || second_up_changes_nothing(&lab, &[host]));
    phases.check("the_node_is_ready_again_after_a_reboot_without_help", || {
        back_after(&lab, host, |lab| lab.reboot(host));
    });
    phases.check("the_node_is_ready_again_after_its_power_was_cut_without_help", || {
        back_after(&lab, host, |lab| {
            lab.power_cut(host)?;
            lab.power_on(&[host.into()])
        });
    });
    phases.check("reset_gives_swap_modules_and_settings_back", || {
        reset_gives_all_back(&lab, &bare, None);
        assert!(lab.host(host).exec(&["cat", "/proc/swaps"]).contains("/swapfile"));
    });
    phases.must("lab down", || drop(lab));
    phases.finish();
}

fn up_puts_it_right(lab: &TestLab, host: &str) {
    let boot = boot_of(lab, host);
    let (up, given) = first_up(lab, host);
    assert_nothing_of_the_preflight_is_ignored(&given);
    assert_eq!(swaps(lab, host), 0);
    assert_clock_is_right(lab, host);
    assert_eq!(up.of_kind("host_rebooted").count(), 0);
    assert_eq!(boot_of(lab, host), boot);
    assert_cgroup_version_2(lab, host);
}
