//! A cluster of nothing but virtual machines, of two architectures: too much at once for every change.

use super::{
    LINE, PI, SWAP, TWO_HOURS, assert_cgroup_version_2, assert_clock_is_right,
    assert_nothing_of_the_preflight_is_ignored, assert_rebooted_for_the_memory_controller,
    assert_two_architectures, back_after, boot_of, check_says, first_up, reset_gives_all_back,
    second_up_changes_nothing, set_clock, state_after_a_boot, swaps,
};
use crate::harness::{Phases, Shape, TestLab};

#[test]
fn a_cluster_of_two_architectures_on_kernels_of_their_own() {
    let mut phases = Phases::of("a_cluster_of_two_architectures_on_kernels_of_their_own");
    let mut lab = phases.must("a control plane with this machine's processor", || {
        TestLab::up("t-both", Shape::workers(0).of_virtual_machines())
    });
    phases.must("a worker with the other one, started as a Raspberry Pi is", || lab.grow_by(1, PI));
    phases.must("the control plane has swap, now and after a boot", || {
        lab.host("cp1").exec(&["sh", "-ec", SWAP]);
    });
    let bare = phases.must("the state before the first up", || state_after_a_boot(&lab, &["cp1", "w1"]));
    phases.must("the control plane's clock is two hours behind", || set_clock(&lab, "cp1", -TWO_HOURS));
    phases.check("check_tells_what_up_will_put_right", || {
        check_says(
            &lab,
            &["/swapfile (/etc/fstab) will be turned off", "behind this machine's; will be set", LINE],
        );
    });
    phases.must("up_puts_it_right_and_ignores_nothing_of_kubeadms_preflight", || up_puts_it_right(&lab));
    phases.check("pods_of_both_architectures_reach_each_other_by_every_way", || lab.assert_traffic());
    phases.check("second_up_changes_nothing", || second_up_changes_nothing(&lab, &["cp1", "w1"]));
    phases.check("a_rebooted_control_plane_is_ready_again_without_help", || {
        back_after(&lab, "cp1", |lab| lab.reboot("cp1"));
    });
    phases.check("a_control_plane_whose_power_was_cut_is_ready_again_without_help", || {
        back_after(&lab, "cp1", |lab| {
            lab.power_cut("cp1")?;
            lab.power_on(&["cp1".into()])
        });
    });
    phases.check("reset_gives_swap_modules_and_settings_back", || {
        reset_gives_all_back(&lab, &bare, Some("w1"));
        assert!(lab.host("cp1").exec(&["cat", "/proc/swaps"]).contains("/swapfile"));
    });
    phases.must("lab down", || drop(lab));
    phases.finish();
}

fn up_puts_it_right(lab: &TestLab) {
    let boots = [boot_of(lab, "cp1"), boot_of(lab, "w1")];
    let (up, given) = first_up(lab, "cp1");
    assert_nothing_of_the_preflight_is_ignored(&given);
    assert_eq!(swaps(lab, "cp1"), 0);
    assert_clock_is_right(lab, "cp1");
    assert_eq!(boot_of(lab, "cp1"), boots[0]);
    assert_rebooted_for_the_memory_controller(lab, &up, &boots[1]);
    assert_cgroup_version_2(lab, "cp1");
    assert_cgroup_version_2(lab, "w1");
    assert_two_architectures(lab);
}
