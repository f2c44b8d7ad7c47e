//! One cluster from its first `up` to the death of its control plane.

use crate::harness::{Phases, Shape, TestLab};
use crate::{damage, growth, mesh, ready, repair, second_up};

#[test]
fn life_of_a_cluster() {
    let mut phases = Phases::of("life_of_a_cluster");
    let mut lab = phases.must("three bare hosts", || TestLab::up("t-life", Shape::workers(2)));
    phases.must("up_makes_every_host_a_ready_node", || ready::up_makes_every_host_a_ready_node(&lab));
    phases.check("pods_reach_each_other_by_every_way", || ready::pods_reach_each_other_by_every_way(&lab));
    phases.check("second_up_changes_nothing", || second_up::second_up_changes_nothing(&lab));
    phases.check("members_are_probed_in_place_and_a_second_up_probes_nobody", || {
        mesh::members_are_probed_in_place_and_a_second_up_probes_nobody(&lab);
    });
    phases.check("a_damaged_agent_is_sent_again_and_never_run", || {
        damage::a_damaged_agent_is_sent_again_and_never_run(&lab, "w1");
    });
    phases.check("an_edited_pod_cidr_needs_a_person_and_changes_nothing", || {
        growth::an_edited_pod_cidr_needs_a_person_and_changes_nothing(&lab);
    });
    phases.check("a_worker_that_is_added_joins_and_the_others_see_no_write", || {
        growth::a_worker_that_is_added_joins_and_the_others_see_no_write(&mut lab);
    });
    phases.check("a_rebooted_worker_is_ready_again_without_help", || {
        ready::a_rebooted_worker_is_ready_again_without_help(&lab, "w2");
    });
    phases.check("a_worker_reset_by_hand_is_brought_back_by_one_up", || {
        repair::a_worker_reset_by_hand_is_brought_back_by_one_up(&lab, "w1");
    });
    phases.check("a_cluster_reset_by_hand_is_brought_back_by_one_up", || {
        repair::a_cluster_reset_by_hand_is_brought_back_by_one_up(&lab);
    });
    phases.check("a_fresh_control_plane_never_starts_a_second_cluster", || {
        growth::a_fresh_control_plane_never_starts_a_second_cluster(&lab);
    });
    phases.must("lab down", || drop(lab));
    phases.finish();
}
