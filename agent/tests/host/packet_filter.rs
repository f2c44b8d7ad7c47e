//! Tables of the packet filter: confirmed and kept, or taken back, whatever happens in between.

use std::panic::{AssertUnwindSafe, catch_unwind};

use garboard_protocol::Step;
use garboard_protocol::event::FailureKind;
use garboard_protocol::reset::ResetOptions;
use garboard_protocol::step::Nft;

use crate::guarded::{confirmed, is_disarmed, nobody};
use crate::machine::Machine;

const TABLE: &str = "inet garboard_edge";
const FILE: &str = "/etc/garboard/nft.d/inet-garboard_edge.nft";

fn table(rules: &str) -> Step {
    let rules = format!("table {TABLE} {{\n\t{rules}\n}}\n");
    Step::Nft(Nft { table: TABLE.into(), rules, keep_sets: false })
}

fn loaded(machine: &Machine) -> Option<String> {
    machine.world.lock().unwrap().rules.get(TABLE).cloned()
}

fn has(machine: &Machine, rules: &str) -> bool {
    loaded(machine).is_some_and(|loaded| loaded.contains(rules))
}

#[test]
fn a_table_that_is_confirmed_stays_after_a_boot_and_the_second_run_changes_nothing() {
    let machine = Machine::new();
    confirmed(&machine, &table("one"));
    assert!(has(&machine, "one") && is_disarmed(&machine));
    machine.time_passes();
    machine.boots();
    assert!(has(&machine, "one"), "{:?}", loaded(&machine));
    machine.fake.forget_calls();
    assert!(machine.probe(&table("one")).is_converged());
    machine.run(&[table("one")]).unwrap();
    assert_eq!(machine.fake.changes(), Vec::<String>::new());
}

#[test]
fn a_table_that_nobody_confirms_is_taken_back() {
    let machine = Machine::new();
    let failure = machine.run_guarded(&table("one"), &nobody(), |_| ()).unwrap_err();
    assert!(failure.message.contains("nobody logged in over a new connection"), "{}", failure.message);
    assert!(failure.help.unwrap().contains("`edge.firewall.lan`"));
    assert_eq!(loaded(&machine), None);
    assert!(is_disarmed(&machine) && machine.fake.content(FILE).is_none());

    confirmed(&machine, &table("one"));
    machine.run_guarded(&table("two"), &nobody(), |_| assert!(has(&machine, "two"))).unwrap_err();
    assert!(has(&machine, "one") && is_disarmed(&machine));
    assert!(machine.fake.content(FILE).unwrap().contains("one"));
}

#[test]
fn a_table_whose_agent_dies_before_it_is_confirmed_is_taken_back_by_the_timer() {
    let machine = Machine::new();
    confirmed(&machine, &table("one"));
    let died = catch_unwind(AssertUnwindSafe(|| {
        machine.run_guarded(&table("two"), &nobody(), |_| panic!("the agent is killed"))
    }));
    assert!(died.is_err() && has(&machine, "two"), "the test kills it too early");
    machine.time_passes();
    assert!(has(&machine, "one"), "{:?}", loaded(&machine));
    // And the next run does it, and leaves nothing of the earlier one.
    confirmed(&machine, &table("two"));
    assert!(has(&machine, "two") && is_disarmed(&machine));
}

#[test]
fn a_host_that_boots_before_it_is_confirmed_comes_back_without_it() {
    let machine = Machine::new();
    confirmed(&machine, &table("one"));
    let died = catch_unwind(AssertUnwindSafe(|| {
        machine.run_guarded(&table("two"), &nobody(), |_| panic!("the power is cut"))
    }));
    assert!(died.is_err());
    machine.boots();
    assert!(has(&machine, "one"), "{:?}", loaded(&machine));
}

#[test]
fn what_takes_it_back_is_armed_before_it_is_loaded() {
    let machine = Machine::new();
    machine.run_guarded(&table("one"), &nobody(), |_| ()).unwrap_err();
    let commands = machine.fake.commands();
    let at = |words: &str| commands.iter().position(|command| command.contains(words)).unwrap();
    assert!(at("systemd-run") < at("run nft --file -"), "{commands:#?}");
}

#[test]
fn a_rule_that_is_edited_by_hand_and_a_table_that_is_gone_are_noticed() {
    let machine = Machine::new();
    confirmed(&machine, &table("one"));
    let edited = loaded(&machine).unwrap().replace("one", "accept");
    machine.world.lock().unwrap().rules.insert(TABLE.into(), edited);
    assert!(!machine.probe(&table("one")).is_converged(), "the edited rule is not seen");
    confirmed(&machine, &table("one"));
    assert!(has(&machine, "one"));
    machine.world.lock().unwrap().tables.remove(TABLE);
    assert!(!machine.probe(&table("one")).is_converged(), "the table is not missed");
}

#[test]
fn a_table_of_others_with_the_same_name_is_for_a_person() {
    let machine = Machine::new();
    machine.world.lock().unwrap().tables.insert(TABLE.into());
    machine.world.lock().unwrap().rules.insert(TABLE.into(), "theirs".into());
    let failure = machine.run_guarded(&table("one"), &nobody(), |_| panic!("it was loaded")).unwrap_err();
    assert_eq!(failure.kind, FailureKind::NeedsPerson);
    assert_eq!(loaded(&machine).as_deref(), Some("theirs"));
}

#[test]
fn reset_takes_our_table_and_its_files_and_nothing_of_others() {
    let machine = Machine::new();
    machine.world.lock().unwrap().tables.insert("inet somebody".into());
    let before = machine.state();
    confirmed(&machine, &table("one"));
    let report =
        garboard_agent::reset::reset(&machine.engine(), &ResetOptions::default(), &mut |_| ()).unwrap();
    assert!(report.leftovers.is_empty(), "{report:?}");
    assert_eq!(machine.world.lock().unwrap().tables.iter().collect::<Vec<_>>(), ["inet somebody"]);
    assert_eq!(machine.state(), before);
}
