//! One host fails, the others converge; a later `up` finishes just it.

use garboard_lab::Faults;
use serde_json::Value;

use crate::harness::{EditedInventory, Finished, Phases, Shape, TestLab, command_line, processes};
use crate::silence;

/// The host that fails.
pub(crate) const HOST: &str = "w2";

#[test]
fn one_host_fails_and_the_others_converge() {
    let mut phases = Phases::of("one_host_fails_and_the_others_converge");
    let lab = phases.must("three bare hosts", || TestLab::up("t-failures", Shape::workers(2)));
    phases.must("a_host_dead_at_the_start_is_named_and_left_out", || {
        let _edge = as_the_edge(&lab);
        a_host_dead_at_the_start_is_named_and_left_out(&lab);
    });
    phases.must("a_host_cut_off_in_the_middle_is_named_with_its_step", || {
        a_host_cut_off_in_the_middle_is_named_with_its_step(&lab);
    });
    phases.must("the_next_up_takes_over_at_once_and_starts_no_step_twice", || {
        the_next_up_takes_over_at_once_and_starts_no_step_twice(&lab);
    });
    phases.must("the host is given back", || give_back(&lab));
    phases.must("a_host_that_dies_in_the_middle_is_finished_by_the_next_up", || {
        a_host_that_dies_in_the_middle_is_finished_by_the_next_up(&lab);
    });
    phases.must("the host is given back once more", || give_back(&lab));
    phases.must("an_edge_host_that_dies_is_one_failure_and_its_ingress_comes_with_the_next_up", || {
        let _edge = as_the_edge(&lab);
        an_edge_host_that_dies_is_one_failure(&lab);
    });
    phases.must("the host is given back a third time", || give_back(&lab));
    phases.must("another_laptop_is_told_who_works_since_when", || {
        another_laptop_is_told_who_works_since_when(&lab);
    });
    phases.check("an_sshd_that_hangs_is_named_with_the_deadline", || {
        silence::an_sshd_that_hangs_is_named_with_the_deadline(&lab);
    });
    phases.must("lab down", || drop(lab));
    phases.finish();
}

/// What is lost comes back, or is told when it is given up.
#[test]
fn silence_is_outlasted() {
    let mut phases = Phases::of("silence_is_outlasted");
    let lab = phases.must("three bare hosts", || TestLab::up("t-silence", Shape::workers(2)));
    phases.must("a_crashed_agent_leaves_no_core", || silence::a_crashed_agent_leaves_no_core(&lab));
    phases.must("the host is given back", || give_back(&lab));
    phases.must("a_host_is_free_when_it_says", || silence::a_host_is_free_when_it_says(&lab));
    phases.must("the host is given back once more", || give_back(&lab));
    phases.must("a_minute_without_network_is_outlasted", || {
        silence::a_minute_without_network_is_outlasted(&lab);
    });
    phases.must("the host is given back a third time", || give_back(&lab));
    phases.must("a_laptop_asleep_goes_on_where_it_was", || {
        silence::a_laptop_asleep_goes_on_where_it_was(&lab);
    });
    phases.must("lab down", || drop(lab));
    phases.finish();
}

fn give_back(lab: &TestLab) {
    lab.reset(&["--host", HOST]);
}

/// Exit 1, one failure, and it is this host's; every other host did all its steps.
#[track_caller]
pub(crate) fn assert_only_this_host_failed(up: &Finished) -> Value {
    assert_eq!(up.code, 1, "{}", up.story());
    let failed: Vec<&Value> = up.of_kind("failed").map(|event| &event["problem"]).collect();
    let [problem] = failed.as_slice() else { panic!("one failure expected: {}", up.story()) };
    assert_eq!(problem["host"], HOST, "{}", up.story());
    assert!(problem["help"].is_string(), "{problem}");
    (*problem).clone()
}

/// The nodes of these hosts are there and Ready; a node that lost its host is not among them.
#[track_caller]
fn assert_others_ready(lab: &TestLab) {
    for host in lab.host_names() {
        if host != HOST {
            lab.wait(&["--for=condition=Ready", &format!("node/{host}")]);
        }
    }
}

fn finish(lab: &TestLab) -> Finished {
    let up = lab.converge();
    println!("   the next up took {:.1} s", up.time.as_secs_f64());
    lab.assert_ready();
    lab.converged();
    up
}

/// It is the only host that the ingress runs on.
fn as_the_edge(lab: &TestLab) -> [EditedInventory; 2] {
    let ingress = "\nedge:\n  ingress: { hosts: [app1.example.org], tls: own_ca }\nhosts:";
    let edge = lab.edited(&format!("  {HOST}: {{ "), &format!("  {HOST}: {{ edge: true, "));
    // Given back in this order: what was written last goes first.
    [lab.edited("\nhosts:", ingress), edge]
}

/// What waits for it in the cluster is left for a later `up`, and no failure more.
fn a_host_dead_at_the_start_is_named_and_left_out(lab: &TestLab) {
    lab.lab().power_cut(HOST).unwrap();
    let up = lab.garboard(&["up"]);
    println!("   up without {HOST} took {:.1} s", up.time.as_secs_f64());
    assert_only_this_host_failed(&up);
    assert_others_ready(lab);
    lab.lab().power_on(&[HOST.to_owned()]).unwrap();
}

/// The second run is the first for this host. In its middle the network is gone; what its node was to get is no failure more.
fn a_host_cut_off_in_the_middle_is_named_with_its_step(lab: &TestLab) {
    let _labelled =
        lab.edited(&format!("  {HOST}: {{ "), &format!("  {HOST}: {{ labels: {{ shelf: upper }}, "));
    let mut step = None;
    let up = lab.follow(&["up", "--reconnect", "20s"], |event, _| {
        if step.is_none() && is_importing(event) {
            step = event["step"].as_str().map(str::to_owned);
            let everything = Faults { loss: 10_000, ..Faults::default() };
            lab.lab().net(HOST, &everything).unwrap();
        }
    });
    let step = step.unwrap_or_else(|| panic!("no image was imported on {HOST}: {}", up.story()));
    let problem = assert_only_this_host_failed(&up);
    assert_eq!(problem["step"], step.as_str(), "{}", up.story());
    let message = problem["message"].as_str().unwrap();
    assert!(message.contains("silent") && message.contains("within 20 s"), "{problem}");
    // What runs there goes on.
    let state = lab.host(HOST).exec(&["systemctl", "list-units", "--no-legend", "garboard-*.service"]);
    assert!(state.contains("running"), "{state}");
    lab.lab().net(HOST, &Faults::default()).unwrap();
}

/// kubeadm is started once, whatever became of the connection: by whom its process was started is counted on the host.
fn the_next_up_takes_over_at_once_and_starts_no_step_twice(lab: &TestLab) {
    let mut joins = std::collections::BTreeSet::new();
    let mut killed = false;
    let is_join = |line: &str| line.contains("kubeadm") && line.contains(" join ");
    let host = lab.host(HOST);
    let mut count = || {
        joins.extend(processes().filter(|process| {
            host.owns(process) && command_line(process).is_some_and(|line| is_join(&line))
        }));
        joins.len()
    };
    let up = lab.follow(&["up"], |event, running| {
        if !killed && is_joining(event) {
            assert_eq!(count(), 1, "one kubeadm");
            killed = true;
            running.kill();
        }
    });
    assert!(killed, "{}", up.story());
    let again = lab.follow(&["up"], |_, _| {
        count();
    });
    assert_eq!(again.code, 0, "{}", again.story());
    println!("   the next up took {:.1} s", again.time.as_secs_f64());
    assert_eq!(count(), 1, "kubeadm was started again: {}", again.story());
    lab.assert_ready();
    lab.converged();
}

fn a_host_that_dies_in_the_middle_is_finished_by_the_next_up(lab: &TestLab) {
    let mut step = None;
    let up = lab.follow(&["up", "--reconnect", "20s"], |event, _| {
        if step.is_none() && is_importing(event) {
            step = event["step"].as_str().map(str::to_owned);
            lab.lab().power_cut(HOST).unwrap();
        }
    });
    let step = step.unwrap_or_else(|| panic!("no image was imported on {HOST}: {}", up.story()));
    let problem = assert_only_this_host_failed(&up);
    assert_eq!(problem["step"], step.as_str(), "{}", up.story());
    assert_others_ready(lab);
    lab.lab().power_on(&[HOST.to_owned()]).unwrap();
    finish(lab);
}

/// By then it has the ingress's image, and pods may be meant for it: nobody waits five minutes for them.
fn an_edge_host_that_dies_is_one_failure(lab: &TestLab) {
    let mut is_cut = false;
    let up = lab.follow(&["up", "--reconnect", "20s"], |event, _| {
        if !is_cut && is_joining(event) {
            lab.lab().power_cut(HOST).unwrap();
            is_cut = true;
        }
    });
    assert!(is_cut, "{HOST} did not join: {}", up.story());
    assert_only_this_host_failed(&up);
    assert_others_ready(lab);
    lab.lab().power_on(&[HOST.to_owned()]).unwrap();
    finish(lab);
}

/// A second laptop knows nothing of the first one's run.
fn another_laptop_is_told_who_works_since_when(lab: &TestLab) {
    let mut told = None;
    let up = lab.follow(&["up"], |event, _| {
        if told.is_none() && is_importing(event) {
            told = Some(lab.of_another_laptop(&["up"]));
        }
    });
    assert_eq!(up.code, 0, "{}", up.story());
    let told = told.unwrap_or_else(|| panic!("no image was imported on {HOST}: {}", up.story())).expect(3);
    let complaints = told.complaints();
    for word in [HOST, "somebody@", "since 20", "10 minutes after its last step"] {
        assert!(complaints.contains(word), "`{word}` is not in {complaints}");
    }
    assert!(told.of_kind("step_started").next().is_none(), "{}", told.story());
    lab.assert_ready();
}

fn is_joining(event: &Value) -> bool {
    event["host"] == HOST
        && event["event"] == "step_progress"
        && event["text"].as_str().is_some_and(|text| text.starts_with("[kubelet-start]"))
}

pub(crate) fn is_importing(event: &Value) -> bool {
    event["host"] == HOST
        && event["event"] == "step_progress"
        && event["text"].as_str().is_some_and(|text| text.starts_with("importing"))
}
