//! What changes in an inventory after the first `up`: a worker more, a range that cannot change, a control plane that
//! is another machine.

use crate::harness::{TestLab, Watch, assert_same};

/// Only the new host is changed.
pub(crate) fn a_worker_that_is_added_joins_and_the_others_see_no_write(lab: &mut TestLab) {
    let others = lab.host_names();
    let added = format!("w{}", others.len());
    lab.grow(others.len());
    assert_eq!(lab.host_names().len(), others.len() + 1, "{:?}", lab.host_names());
    let watch = Watch::begin(lab, &others);
    let up = lab.converge();
    assert!(up.notes().any(|text| text.starts_with("probing ")), "a newcomer is probed: {}", up.story());
    let observed = watch.end();
    println!("   adding {added} took {:.1} s", up.time.as_secs_f64());
    lab.assert_ready();
    for host in &others {
        observed.assert_no_write_of_ours(host);
    }
    lab.converged();
}

/// A range of addresses cannot change under running pods.
pub(crate) fn an_edited_pod_cidr_needs_a_person_and_changes_nothing(lab: &TestLab) {
    let name = lab.name();
    let nodes = || lab.kubectl(&["get", "nodes", "--output", "jsonpath={.items[*].spec.podCIDR}"]);
    let before = nodes();
    let hosts = lab.host_names();
    let watch = Watch::begin(lab, &hosts);
    let edited =
        lab.edited(&format!("  name: {name}\n"), &format!("  name: {name}\n  pod_cidr: 10.245.0.0/16\n"));
    lab.garboard(&["up"]).expect(5).says(&["pod_cidr", "10.244.0.0/16", "10.245.0.0/16"]);
    drop(edited);
    let observed = watch.end();
    for host in &hosts {
        observed.assert_no_write_of_ours(host);
    }
    assert_eq!(nodes(), before);
    lab.converged();
}

/// The end of a lab: its control plane dies and a fresh machine takes its place.
pub(crate) fn a_fresh_control_plane_never_starts_a_second_cluster(lab: &TestLab) {
    lab.lab().replace("cp1").unwrap();
    let fresh = lab.states_of(&["cp1".to_owned()]);
    let workers: Vec<String> = lab.host_names().into_iter().filter(|host| host != "cp1").collect();
    let watch = Watch::begin(lab, &workers);
    let up = lab.garboard(&["up"]).expect(5).says(&["second cluster", "garboard reset --host w1"]);
    assert!(up.of_kind("step_started").next().is_none(), "{}", up.story());
    let observed = watch.end();
    for host in &workers {
        observed.assert_no_write_of_ours(host);
    }
    assert_same(&fresh, &lab.states_of(&["cp1".to_owned()]));
}
