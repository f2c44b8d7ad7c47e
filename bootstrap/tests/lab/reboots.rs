//! A playbook of one's own that needs a reboot, on hosts that really reboot in the middle of a run.

use std::path::PathBuf;
use std::time::{Duration, Instant};

use serde_json::Value;

use crate::harness::{Finished, Phases, Shape, TestLab, assert_same};

const NAME: &str = "news";
const BOOT_ID: &str = "/proc/sys/kernel/random/boot_id";
const REQUIRED: &str = "/run/reboot-required";
/// The step that reboots, and the one whose text is the boot's own.
const REBOOT: &str = "news/2";
const AFTER: &str = "news/3";

#[test]
fn a_host_reboots_in_the_middle_of_a_run() {
    let mut phases = Phases::of("a_host_reboots_in_the_middle_of_a_run");
    let lab = phases.must("two bare hosts", || TestLab::up("t-reboots", Shape::workers(1).without_mirror()));
    let bare = phases.must("the state of bare hosts", || lab.states());
    let playbook = phases.must("a playbook that reboots where the system asks for it", || {
        write_playbook(&lab);
        lab.edited("\nhosts:", &format!("\nplaybooks: [./{NAME}]\nhosts:"))
    });
    phases.check("plan_says_that_it_reboots_once_and_what_is_known_only_then", || {
        plan_says_that_it_reboots_once_and_what_is_known_only_then(&lab);
    });
    phases.must("the_chain_goes_on_in_the_next_boot_with_facts_taken_anew", || {
        the_chain_goes_on_in_the_next_boot_with_facts_taken_anew(&lab);
    });
    phases.check("a_second_run_changes_nothing_and_reboots_nobody", || {
        let run = lab.garboard(&["run", NAME]).expect(0);
        assert_eq!((run.changes(), run.of_kind("host_rebooting").count()), (0, 0), "{}", run.story());
        lab.garboard(&["plan", NAME]).expect(0);
    });
    phases.check("an_order_that_is_not_taken_fails_with_its_cause", || {
        an_order_that_is_not_taken_fails_with_its_cause(&lab);
    });
    phases.must("a_reboot_whose_answer_is_lost_is_waited_for_and_not_ordered_again", || {
        a_reboot_whose_answer_is_lost_is_waited_for_and_not_ordered_again(&lab);
    });
    phases.must("the next run goes on after a command killed during the reboot", || {
        a_killed_command_is_followed_by_one_that_goes_on(&lab);
    });
    phases.must("ctrl_c_while_a_host_reboots_ends_in_order", || {
        ctrl_c_while_a_host_reboots_ends_in_order(&lab);
    });
    phases.must("a_host_that_does_not_come_back_is_named_and_the_others_are_done", || {
        a_host_that_does_not_come_back_is_named_and_the_others_are_done(&lab);
    });
    drop(playbook);
    phases.check("reset_gives_rebooted_hosts_back", || {
        lab.reset(&[]);
        assert_same(&bare, &lab.states());
        lab.garboard(&["reset", "--verify"]).expect(0);
    });
    phases.must("lab down", || drop(lab));
    phases.finish();
}

fn write_playbook(lab: &TestLab) -> PathBuf {
    let folder = lab.lab_folder().join(NAME);
    fs_err::create_dir_all(&folder).unwrap();
    let text = "about: Something that a reboot brings about\nhosts: all\nsteps:\n  \
        - file: { path: /etc/before-the-reboot, content: before }\n  \
        - reboot: { if: [required] }\n  \
        - file: { path: /etc/after-the-reboot, content: \"{{ facts.boot_id }}\" }\n";
    fs_err::write(folder.join("playbook.yaml"), text).unwrap();
    folder
}

fn boot_id(lab: &TestLab, host: &str) -> String {
    lab.host(host).exec(&["cat", BOOT_ID]).trim().to_owned()
}

/// How often the host was started since it was switched on.
fn boots(lab: &TestLab, host: &str) -> u64 {
    let boot = lab.lab_folder().join("hosts").join(host).join("boot.json");
    let boot: Value = serde_json::from_slice(&fs_err::read(boot).unwrap()).unwrap();
    boot["number"].as_u64().unwrap()
}

fn after(lab: &TestLab, host: &str) -> String {
    lab.host(host).exec(&["cat", "/etc/after-the-reboot"])
}

fn ask_for_reboot(lab: &TestLab, host: &str) {
    lab.host(host).write(REQUIRED, "*** System restart required ***\n");
}

/// Asks for a reboot of a host that takes its time to go down.
fn ask_for_slow_reboot(lab: &TestLab) {
    ask_for_reboot(lab, "w1");
    let slow = "--property=ExecStop=/usr/bin/sleep 2";
    lab.host("w1").exec(&["systemd-run", "--quiet", "--unit=slow-to-stop", slow, "sleep", "infinity"]);
}

/// The reboot of `host` is about to be ordered.
fn is_rebooting(event: &Value, host: &str) -> bool {
    event["event"] == "host_rebooting" && event["host"] == host
}

/// Waits until a host is going down. Seen there: that the order is taken may be heard only once it is back.
fn wait_until_it_goes_down(lab: &TestLab, host: &str) {
    let begun = Instant::now();
    // A host between two boots runs nothing.
    while let Ok(state) = lab.lab().exec(host, &["systemctl", "is-system-running"]) {
        // Not any other word than `running`: a host that has just booted may be starting.
        if String::from_utf8_lossy(&state.stdout).trim() == "stopping" {
            return;
        }
        assert!(begun.elapsed() < Duration::from_mins(1), "{host} does not go down");
    }
}

fn plan_says_that_it_reboots_once_and_what_is_known_only_then(lab: &TestLab) {
    ask_for_reboot(lab, "w1");
    let mut command = lab.command();
    command.arg("--inventory").arg(lab.lab().inventory()).args(["plan", NAME]);
    let plan = crate::harness::run(command, |_, _| {}).expect(4);
    let (cp1, w1) = plan.stdout.split_once("w1:").unwrap();
    for words in ["news/2 reboot once", "the host reboots once", "known after news/2"] {
        assert!(w1.contains(words), "`{words}` is not in:\n{}", plan.stdout);
    }
    assert!(!cp1.contains("reboot once"), "{}", plan.stdout);
    assert_eq!(plan.of_kind("host_rebooting").count(), 0);
}

fn the_chain_goes_on_in_the_next_boot_with_facts_taken_anew(lab: &TestLab) {
    let (other, before) = (boot_id(lab, "cp1"), boot_id(lab, "w1"));
    let run = lab.garboard(&["run", NAME]).expect(0);
    println!("   the run with its reboot took {:.1} s", run.time.as_secs_f64());
    let now = boot_id(lab, "w1");
    assert_ne!(now, before, "w1 did not reboot: {}", run.story());
    assert_eq!((after(lab, "w1"), after(lab, "cp1")), (now, other.clone()), "{}", run.story());
    assert_eq!(boot_id(lab, "cp1"), other, "cp1 was rebooted too");
    let rebooted: Vec<&Value> = run.of_kind("host_rebooting").collect();
    assert_eq!(rebooted.len(), 1, "{}", run.story());
    assert_eq!((&rebooted[0]["host"], &rebooted[0]["reasons"][0]), (&"w1".into(), &REQUIRED.into()));
    let place = |is_it: &dyn Fn(&Value) -> bool| run.events.iter().position(is_it).unwrap();
    let back = place(&|event| event["event"] == "host_rebooted" && event["host"] == "w1");
    let last =
        place(&|event| event["event"] == "step_finished" && event["host"] == "w1" && event["step"] == AFTER);
    assert!(back < last, "{}", run.story());
    assert_eq!(run.of_kind("host_lost").count(), 0, "an expected reboot is no lost connection");
}

fn an_order_that_is_not_taken_fails_with_its_cause(lab: &TestLab) {
    ask_for_reboot(lab, "w1");
    let before = boot_id(lab, "w1");
    lab.host("w1").exec(&["systemctl", "mask", "--runtime", "reboot.target"]);
    lab.garboard(&["run", NAME]).expect(1).says(&[
        "does not take the order to reboot",
        "w1",
        "systemd-inhibit",
    ]);
    lab.host("w1").exec(&["systemctl", "unmask", "--runtime", "reboot.target"]);
    assert_eq!(boot_id(lab, "w1"), before);
}

/// The host goes down before it says that it will.
fn a_reboot_whose_answer_is_lost_is_waited_for_and_not_ordered_again(lab: &TestLab) {
    let (program, host) = ("/usr/local/sbin/systemctl", lab.host("w1"));
    host.write(program, "#!/bin/sh\n/usr/bin/systemctl \"$@\" && [ \"$1\" = reboot ] && exec sleep 60\n");
    host.exec(&["chmod", "755", program]);
    // Left alone by a boot, so that a second order would be given.
    host.write("/etc/tmpfiles.d/wish.conf", &format!("f {REQUIRED}\n"));
    ask_for_reboot(lab, "w1");
    let before = boots(lab, "w1");
    let run = lab.garboard(&["run", NAME]);
    host.exec(&["rm", program, "/etc/tmpfiles.d/wish.conf", REQUIRED]);
    let run = run.expect(1).says(&["w1", "rebooted once in this run"]);
    assert_eq!(boots(lab, "w1"), before + 1, "{}", run.story());
    let of_order = |event: &&Value| event["host"] == "w1" && event["step"] == REBOOT;
    let done: Vec<&Value> = run.of_kind("step_finished").filter(of_order).collect();
    assert_eq!(done.len(), 1, "{}", run.story());
    assert_eq!(done[0]["changes"][0]["subject"], REQUIRED);
    assert_eq!(run.of_kind("host_rebooted").count(), 1, "{}", run.story());
    lab.garboard(&["run", NAME]).expect(0);
}

/// `run`, until the host is there again and the run ends well.
fn finish(lab: &TestLab) -> Finished {
    let begun = Instant::now();
    loop {
        let run = lab.garboard(&["run", NAME]);
        if run.code == 0 {
            return run;
        }
        assert!(begun.elapsed() < Duration::from_mins(2), "{}", run.story());
    }
}

fn a_killed_command_is_followed_by_one_that_goes_on(lab: &TestLab) {
    ask_for_slow_reboot(lab);
    let before = boots(lab, "w1");
    let killed = lab.follow(&["run", NAME], |event, running| {
        if is_rebooting(event, "w1") {
            wait_until_it_goes_down(lab, "w1");
            running.kill();
        }
    });
    assert_eq!(killed.code, 137, "{}", killed.story());
    let run = finish(lab);
    assert_eq!(boots(lab, "w1"), before + 1, "one reboot was asked for: {}", run.story());
    assert_eq!(after(lab, "w1"), boot_id(lab, "w1"), "{}", run.story());
}

fn ctrl_c_while_a_host_reboots_ends_in_order(lab: &TestLab) {
    ask_for_slow_reboot(lab);
    let before = boots(lab, "w1");
    let mut run = lab.on_terminal(&["run", NAME]);
    run.until(|event| is_rebooting(event, "w1"));
    wait_until_it_goes_down(lab, "w1");
    run.interrupt();
    let run = run.end();
    assert_eq!(run.code, 1, "{}", run.story());
    let stopped: Vec<&Value> = run.of_kind("host_stopped").collect();
    assert!(stopped.iter().any(|event| event["host"] == "w1"), "{}", run.story());
    assert_eq!(run.of_kind("failed").count(), 0, "{}", run.story());
    assert!(run.notes().any(|note| note.contains("the same command goes on")), "{}", run.story());
    finish(lab);
    assert_eq!(boots(lab, "w1"), before + 1, "one reboot was asked for");
    assert_eq!(after(lab, "w1"), boot_id(lab, "w1"));
}

fn a_host_that_does_not_come_back_is_named_and_the_others_are_done(lab: &TestLab) {
    ask_for_slow_reboot(lab);
    lab.host("cp1").exec(&["rm", "/etc/after-the-reboot"]);
    let mut cut = false;
    let run = lab.follow(&["run", NAME, "--reboot-wait", "25s"], |event, _| {
        if !cut && is_rebooting(event, "w1") {
            cut = true;
            wait_until_it_goes_down(lab, "w1");
            lab.lab().power_cut("w1").unwrap();
        }
    });
    assert!(cut, "{}", run.story());
    let run = run.expect(1).says(&["w1", "did not come back from its reboot within 25", "--reboot-wait"]);
    assert_eq!(after(lab, "cp1"), boot_id(lab, "cp1"), "{}", run.story());
    lab.lab().power_on(&["w1".to_owned()]).unwrap();
    let run = lab.garboard(&["run", NAME]).expect(0);
    assert_eq!(run.of_kind("host_rebooting").count(), 0, "{}", run.story());
    assert_eq!(after(lab, "w1"), boot_id(lab, "w1"));
}
