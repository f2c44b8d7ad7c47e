//! Ctrl-C as it is pressed, at a terminal: once, twice, over either transport, and while somebody is asked.

use std::collections::BTreeSet;
use std::process::Command;
use std::time::Duration;

use serde_json::Value;

use crate::harness::{Finished, OnTerminal, Phases, Shape, TestLab};

#[test]
fn ctrl_c_stops_after_the_running_steps() {
    let mut phases = Phases::of("ctrl_c_stops_after_the_running_steps");
    let lab = phases.must("two bare hosts", || TestLab::up("t-ctrl-c", Shape::workers(1)));
    phases.check("while somebody is asked, the terminal is as before", || while_somebody_is_asked(&lab));
    phases.check("while hosts are looked at, they are free at once", || while_hosts_are_looked_at(&lab));
    phases.must("once: the running steps end, no further one begins", || once(&lab));
    phases.must("twice: the host is left to its step", || twice(&lab));
    phases.must("the next up takes over", || {
        lab.converge();
        lab.assert_ready();
        lab.converged();
    });
    phases.must("the worker is given back", || drop(lab.reset(&["--host", "w1"])));
    phases.must("once, over the user's own ssh and its proxy", || over_openssh(&lab));
    phases.must("the next up completes it", || {
        lab.converge();
        lab.assert_ready();
    });
    phases.must("lab down", || drop(lab));
    phases.finish();
}

fn is_importing(event: &Value) -> bool {
    event["host"] == "w1"
        && event["event"] == "step_progress"
        && event["text"].as_str().is_some_and(|text| text.starts_with("importing"))
}

fn says(text: &'static str) -> impl Fn(&Value) -> bool {
    move |event| event["event"] == "note" && event["text"].as_str().is_some_and(|said| said.contains(text))
}

/// Somebody else gets the hosts at once.
#[track_caller]
fn assert_free(lab: &TestLab) {
    let other = lab.of_another_laptop(&["plan"]);
    assert_eq!(other.code, 4, "{}", other.story());
}

/// Steps of these events, as `HOST STEP`; not the cluster's own, some of which only wait and are dropped.
fn steps(up: &Finished, kind: &str) -> BTreeSet<String> {
    let name = |event: &Value| Some(format!("{} {}", event["host"].as_str()?, event["step"].as_str()?));
    up.of_kind(kind).filter(|event| event["host"] != "cluster").filter_map(name).collect()
}

/// Every step that began ended, the next ones are named and did not begin, and nothing failed.
#[track_caller]
fn assert_stopped(lab: &TestLab, up: &Finished) {
    assert_eq!(up.code, 1, "{}", up.story());
    assert_eq!(up.of_kind("failed").count(), 0, "{}", up.story());
    let (started, finished) = (steps(up, "step_started"), steps(up, "step_finished"));
    assert_eq!(started, finished, "{}", up.story());
    let stopped: Vec<&Value> = up.of_kind("host_stopped").collect();
    assert!(stopped.iter().any(|event| event["host"] == "w1"), "{}", up.story());
    for event in stopped {
        let next = format!("{} {}", event["host"].as_str().unwrap(), event["next"].as_str().unwrap());
        assert!(!started.contains(&next), "{next} began: {}", up.story());
        assert!(event["left"].as_u64().unwrap() > 0, "{event}");
    }
    assert!(up.notes().any(|note| note.contains("the same command goes on")), "{}", up.story());
    assert_free(lab);
}

fn once(lab: &TestLab) {
    let mut up = lab.on_terminal(&["up"]);
    up.until(is_importing);
    up.interrupt();
    up.until(says("no further one begins"));
    assert_stopped(lab, &up.end());
}

fn twice(lab: &TestLab) {
    let mut up = lab.on_terminal(&["up"]);
    up.until(is_importing);
    up.interrupt();
    up.until(says("no further one begins"));
    up.interrupt();
    up.until(says("detached"));
    let up = up.end();
    assert_eq!(up.code, 1, "{}", up.story());
    assert_eq!(up.events.last().unwrap()["event"], "run_finished", "{}", up.story());
    // Its run still holds the host.
    let unit = lab.host("w1").exec(&["systemctl", "list-units", "--no-legend", "garboard-*.service"]);
    assert!(unit.contains("running"), "{unit}");
}

fn over_openssh(lab: &TestLab) {
    let own = lab.edited("  user: root\n", "  user: root\n  transport: openssh\n");
    let mut up = lab.on_terminal(&["up"]);
    up.until(is_importing);
    up.interrupt();
    up.until(says("no further one begins"));
    let up = up.end();
    drop(own);
    assert_stopped(lab, &up);
}

fn while_hosts_are_looked_at(lab: &TestLab) {
    let is_at_work = || lab.host("w1").runs(|line| line.contains(" serve --run "));
    for command in ["check", "plan", "up"] {
        // The last one's agent says goodbye before it leaves.
        while is_at_work() {}
        let mut call = lab.on_terminal(&[command, "-v"]);
        // Agents are at work by then, whatever is shown.
        while !is_at_work() {
            assert!(call.is_running(), "{}", call.end().story());
        }
        call.interrupt();
        let call = call.end();
        println!("   {command} ended after {:.1} s", call.time.as_secs_f64());
        assert_eq!(call.code, 1, "{}", call.story());
        assert_free(lab);
    }
}

fn while_somebody_is_asked(lab: &TestLab) {
    let (identity, locked) = (lab.lab_folder().join("identity"), lab.folder().join("locked"));
    fs_err::copy(&identity, &locked).unwrap();
    let path = locked.display().to_string();
    let made =
        Command::new("ssh-keygen").args(["-q", "-p", "-P", "", "-N", "something", "-f", &path]).status();
    assert!(made.unwrap().success());
    let _edited = lab.edited(&identity.display().to_string(), &path);
    let mut call: OnTerminal = lab.on_terminal(&["check"]);
    assert!(call.echoes());
    call.until_said("assphrase");
    let begun = std::time::Instant::now();
    while call.echoes() {
        assert!(begun.elapsed() < Duration::from_secs(5), "the passphrase would be shown: {}", call.said());
    }
    call.interrupt();
    let terminal = call.terminal();
    let call = call.end();
    assert_eq!(call.code, 1, "{}", call.story());
    assert!(OnTerminal::echoes_at(&terminal), "the terminal shows nothing any more: {}", call.story());
}
