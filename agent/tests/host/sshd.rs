//! Settings of sshd: confirmed and kept, or taken back, whatever happens in between; never without effect in silence.

use std::panic::{AssertUnwindSafe, catch_unwind};

use garboard_protocol::Step;
use garboard_protocol::event::FailureKind;
use garboard_protocol::reset::ResetOptions;
use garboard_protocol::step::Sshd;

use crate::guarded::{confirmed, is_disarmed, nobody};
use crate::machine::Machine;

const FILE: &str = "/etc/ssh/sshd_config.d/00-garboard.conf";

fn settings(tries: &str) -> Step {
    let content = format!("# Ours.\nMaxAuthTries {tries}\nMatch Address *\n\tDenyUsers *\n");
    Step::Sshd(Sshd { name: "00-garboard".into(), content })
}

/// A Debian with an sshd that runs.
fn machine() -> Machine {
    let machine = Machine::new();
    machine.fake.put_directory("/etc/ssh/sshd_config.d");
    machine.fake.put(
        "/usr/lib/systemd/system/ssh.service",
        b"[Install]\nWantedBy=multi-user.target\n",
        0o644,
    );
    let mut world = machine.world.lock().unwrap();
    world.active.insert("ssh.service".into(), 1_763_712_000_000_000_000);
    drop(world);
    machine
}

fn running(machine: &Machine) -> String {
    machine.world.lock().unwrap().sshd.settings.clone()
}

#[test]
fn settings_that_are_confirmed_stay_after_a_boot_and_the_second_run_changes_nothing() {
    let machine = machine();
    confirmed(&machine, &settings("3"));
    assert!(running(&machine).contains("MaxAuthTries 3") && is_disarmed(&machine));
    machine.time_passes();
    machine.boots();
    assert!(running(&machine).contains("MaxAuthTries 3"), "{}", running(&machine));
    machine.fake.forget_calls();
    assert!(machine.probe(&settings("3")).is_converged());
    machine.run(&[settings("3")]).unwrap();
    assert_eq!(machine.fake.changes(), Vec::<String>::new());
}

#[test]
fn settings_that_nobody_confirms_are_taken_back() {
    let machine = machine();
    let before = machine.state();
    let tried = |_: &_| assert!(running(&machine).contains("MaxAuthTries 3"));
    let failure = machine.run_guarded(&settings("3"), &nobody(), tried).unwrap_err();
    assert!(failure.message.contains("nobody logged in over a new connection"), "{}", failure.message);
    assert!(failure.help.unwrap().contains("`ssh.password`"));
    assert!(running(&machine).is_empty() && is_disarmed(&machine));
    assert_eq!(machine.state(), before);

    confirmed(&machine, &settings("3"));
    machine.run_guarded(&settings("4"), &nobody(), |_| ()).unwrap_err();
    assert!(running(&machine).contains("MaxAuthTries 3") && is_disarmed(&machine));
    assert!(machine.fake.content(FILE).unwrap().contains("MaxAuthTries 3"));
}

/// The agent dies while the settings of `4` wait, those of `3` being confirmed.
fn cut_off() -> Machine {
    let machine = machine();
    confirmed(&machine, &settings("3"));
    let died = catch_unwind(AssertUnwindSafe(|| {
        machine.run_guarded(&settings("4"), &nobody(), |_| panic!("the agent is killed"))
    }));
    assert!(died.is_err() && running(&machine).contains("MaxAuthTries 4"), "the test kills it too early");
    machine
}

#[test]
fn settings_whose_agent_dies_before_they_are_confirmed_are_taken_back_by_the_timer() {
    let machine = cut_off();
    machine.time_passes();
    assert!(running(&machine).contains("MaxAuthTries 3"), "{}", running(&machine));
    confirmed(&machine, &settings("4"));
    assert!(running(&machine).contains("MaxAuthTries 4") && is_disarmed(&machine));
}

#[test]
fn a_host_that_boots_before_they_are_confirmed_comes_back_without_them() {
    let machine = cut_off();
    machine.boots();
    assert!(running(&machine).contains("MaxAuthTries 3"), "{}", running(&machine));
}

#[test]
fn settings_that_wait_are_not_taken_for_done_and_the_next_run_tries_them_anew() {
    let machine = cut_off();
    assert!(!machine.probe(&settings("4")).is_converged(), "what the timer takes back is taken for done");
    confirmed(&machine, &settings("4"));
    assert!(machine.fake.content(FILE).unwrap().contains("MaxAuthTries 4") && is_disarmed(&machine));
}

#[test]
fn a_folder_that_sshd_does_not_read_is_said_and_nothing_stays() {
    let machine = machine();
    machine.world.lock().unwrap().sshd.ignores_the_folder = true;
    let before = machine.state();
    let failure = machine.run_guarded(&settings("3"), &nobody(), |_| panic!("it waits")).unwrap_err();
    assert_eq!(failure.kind, FailureKind::NeedsPerson);
    assert!(failure.message.contains("maxauthtries is 6") || failure.message.contains("`maxauthtries` is 6"));
    assert!(failure.help.unwrap().contains("Include /etc/ssh/sshd_config.d/*.conf"));
    assert!(is_disarmed(&machine));
    assert_eq!(machine.state(), before);

    machine.fake.take("/etc/ssh/sshd_config.d");
    let failure = machine.run_guarded(&settings("3"), &nobody(), |_| panic!("it waits")).unwrap_err();
    assert!(failure.message.contains("there is no such folder"), "{}", failure.message);
}

#[test]
fn a_file_of_others_that_overrules_ours_is_noticed_later_too() {
    let machine = machine();
    confirmed(&machine, &settings("3"));
    machine.fake.put("/etc/ssh/sshd_config.d/00-first.conf", b"MaxAuthTries 9\n", 0o644);
    assert!(!machine.probe(&settings("3")).is_converged(), "a setting without effect is taken for done");
}

#[test]
fn settings_that_sshd_refuses_are_taken_back_before_it_reads_them() {
    let machine = machine();
    machine.fake.put(FILE, b"MaxAuthTries 5\n", 0o644);
    machine.world.lock().unwrap().sshd.reads(&machine.fake);
    let failure = machine.run_guarded(&settings("Bad"), &nobody(), |_| panic!("it waits")).unwrap_err();
    assert!(failure.message.contains("Bad configuration option"), "{}", failure.message);
    assert!(running(&machine).contains("MaxAuthTries 5") && is_disarmed(&machine));
    assert_eq!(machine.fake.content(FILE).unwrap(), "MaxAuthTries 5\n");
}

#[test]
fn reset_takes_the_file_and_sshd_reads_its_own_again() {
    let machine = machine();
    let before = machine.state();
    confirmed(&machine, &settings("3"));
    let report =
        garboard_agent::reset::reset(&machine.engine(), &ResetOptions::default(), &mut |_| ()).unwrap();
    assert!(report.leftovers.is_empty(), "{report:?}");
    assert_eq!(machine.state(), before);
    assert_eq!(running(&machine), "");
}
