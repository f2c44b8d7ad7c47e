//! A machine with a kernel of its own: cgroup version 2, modules, swap and a clock that is wrong, real reboots.

use super::{
    SWAP, TWO_HOURS, assert_cgroup_version_2, assert_clock_is_right,
    assert_nothing_of_the_preflight_is_ignored, back_after, boot_of, check_says, first_up,
    reset_gives_all_back, second_up_changes_nothing, set_clock, state_after_a_boot, swaps,
};
use crate::harness::{Phases, Shape, TestLab};

#[test]
fn a_machine_with_swap_and_a_wrong_clock_becomes_a_cluster() {
    let mut phases = Phases::of("a_machine_with_swap_and_a_wrong_clock_becomes_a_cluster");
    let lab =
        phases.must("a virtual machine", || TestLab::up("t-kernel", Shape::workers(0).of_virtual_machines()));
    phases.must("it has swap, now and after a boot", || {
        lab.host("cp1").exec(&["sh", "-ec", SWAP]);
    });
    let bare = phases.must("the state before the first up", || state_after_a_boot(&lab, &["cp1"]));
    phases.must("its clock is two hours behind", || set_clock(&lab, "cp1", -TWO_HOURS));
    phases.check("check_tells_what_up_will_put_right", || {
        check_says(
            &lab,
            &["/swapfile (/etc/fstab) will be turned off", "behind this machine's; will be set"],
        );
    });
    phases.must("up_puts_it_right_and_ignores_nothing_of_kubeadms_preflight", || up_puts_it_right(&lab));
    phases.check("second_up_changes_nothing", || second_up_changes_nothing(&lab, &["cp1"]));
    phases.check("the_node_is_ready_again_after_a_reboot_without_help", || {
        back_after(&lab, |lab| lab.reboot("cp1"));
    });
    phases.check("the_node_is_ready_again_after_its_power_was_cut_without_help", || {
        back_after(&lab, |lab| {
            lab.power_cut("cp1")?;
            lab.power_on(&["cp1".into()])
        });
    });
    phases.check("reset_gives_swap_modules_and_settings_back", || {
        reset_gives_all_back(&lab, &bare, None);
        assert!(lab.host("cp1").exec(&["cat", "/proc/swaps"]).contains("/swapfile"));
    });
    phases.must("lab down", || drop(lab));
    phases.finish();
}

fn up_puts_it_right(lab: &TestLab) {
    let boot = boot_of(lab, "cp1");
    let (up, given) = first_up(lab);
    assert_nothing_of_the_preflight_is_ignored(&given);
    assert_eq!(swaps(lab, "cp1"), 0);
    assert_clock_is_right(lab, "cp1");
    assert_eq!(up.of_kind("host_rebooted").count(), 0);
    assert_eq!(boot_of(lab, "cp1"), boot);
    assert_cgroup_version_2(lab, "cp1");
}
