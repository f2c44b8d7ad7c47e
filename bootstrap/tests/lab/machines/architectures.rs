//! A worker of the other architecture, with a kernel of its own, started as a Raspberry Pi is. Its control plane is a container:
//! the emulated machine has the processors to itself.

use super::{
    LINE, OTHER, PI, assert_cgroup_version_2, assert_rebooted_for_the_memory_controller,
    assert_two_architectures, boot_of, check_says, first_up, has_memory_controller, reset_gives_all_back,
    second_up_changes_nothing, state_after_a_boot,
};
use crate::harness::{Phases, Shape, States, TestLab, assert_same};

#[test]
fn a_worker_of_another_architecture_joins() {
    let mut phases = Phases::of("a_worker_of_another_architecture_joins");
    let mut lab =
        phases.must("a control plane", || TestLab::up("t-architectures", Shape::workers(0).emulated(3)));
    phases.must("a worker with another processor, started as a Raspberry Pi is", || lab.grow_by(1, PI));
    let bare = phases.must("the state before the first up", || state_after_a_boot(&lab, &["w1"]));
    phases.check("an_image_that_is_not_there_for_a_host_is_refused_before_anything_is_written", || {
        an_image_that_is_not_there_for_a_host_is_refused(&lab, &bare);
    });
    phases.check("check_tells_of_the_reboot", || {
        check_says(&lab, &["the memory controller is off", LINE, "the host reboots once"]);
    });
    phases.must("up_reboots_the_worker_once_and_it_joins", || up_reboots_the_worker_once(&lab));
    phases.check("pods_of_both_architectures_reach_each_other_by_every_way", || lab.assert_traffic());
    phases.check("second_up_changes_nothing", || second_up_changes_nothing(&lab, &["w1"]));
    phases.check("reset_gives_all_back", || reset_gives_all_back(&lab, &bare, Some("w1")));
    phases.must("lab down", || drop(lab));
    phases.finish();
}

/// The lab's mirror has the control plane's images for one architecture, as some upstreams do: what the other one would need is
/// named.
fn an_image_that_is_not_there_for_a_host_is_refused(lab: &TestLab, bare: &States) {
    let _cp1 = lab.edited("role: control_plane", "role: worker");
    let text = lab.inventory();
    let w1 = text.lines().find(|line| line.trim_start().starts_with("w1:")).unwrap();
    let _w1 = lab.edited(w1, &w1.replace("role: worker", "role: control_plane"));
    lab.garboard(&["up"]).expect(3).says(&["kube-apiserver", OTHER, "w1"]);
    assert_same(bare, &lab.states());
}

fn up_reboots_the_worker_once(lab: &TestLab) {
    assert!(!has_memory_controller(lab, "w1"));
    let before = boot_of(lab, "w1");
    let (up, _) = first_up(lab, "w1");
    assert_rebooted_for_the_memory_controller(lab, &up, &before);
    assert_cgroup_version_2(lab, "w1");
    assert_two_architectures(lab);
}
