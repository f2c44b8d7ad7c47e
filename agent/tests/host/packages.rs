//! Packages of the operating system.

use std::sync::{Arc, Mutex};

use garboard_agent::reset;
use garboard_agent::system::{CommandError, FileLock, Look as _, Output};
use garboard_protocol::event::{Body, FailureKind};
use garboard_protocol::reset::{ResetOptions, ResetReport};
use garboard_protocol::step::Package;
use garboard_protocol::{Observation, QueuedStep, Step, StepId};

use crate::machine::Machine;

const STATUS: &str = "/var/lib/dpkg/status";
const DPKG: &str = "Package: dpkg\nStatus: install ok installed\nArchitecture: amd64\nVersion: 1\n\n";
const FRONTEND: &str = "/var/lib/dpkg/lock-frontend";

fn paragraph(name: &str, state: &str, rest: &str) -> String {
    format!("Package: {name}\nStatus: {state}\nArchitecture: amd64\nVersion: 1\n{rest}\n")
}

/// What apt was asked and told, in order.
type Orders = Arc<Mutex<Vec<String>>>;

/// A machine with dpkg, and an apt that knows `greeter`, which needs `greeter-data`; `updated` says whether it knows them yet.
fn machine(updated: bool) -> (Machine, Orders) {
    let machine = Machine::new();
    machine.fake.put(STATUS, DPKG.as_bytes(), 0o644);
    machine.fake.put("/etc/apt/sources.list", b"deb http://archive main\n", 0o644);
    let orders: Orders = Arc::default();
    let (known, noted) = (Mutex::new(updated), Arc::clone(&orders));
    machine.fake.script(move |fake, command| {
        let words: Vec<&str> = command.arguments.iter().map(String::as_str).collect();
        let printed = |stdout: &str| Some(Ok(Output { stdout: stdout.to_owned(), ..Output::default() }));
        let text = fake.content(STATUS).unwrap_or_default();
        let (order, names) = match (command.program.as_str(), words.iter().position(|word| *word == "--")) {
            ("apt-get" | "dpkg", Some(end)) => (words[end - 1], &words[end + 1..]),
            ("apt-get" | "dpkg", None) => (words[words.len() - 1], &[][..]),
            _ => return None,
        };
        noted.lock().unwrap().push(format!("{} {order} {}", command.program, names.join(" ")));
        match order {
            "update" => {
                *known.lock().unwrap() = true;
                printed("")
            }
            "--simulate" if !*known.lock().unwrap() => Some(Err(CommandError::Exit {
                command: command.display(),
                code: 100,
                stderr: "E: Unable to locate package greeter".to_owned(),
            })),
            "--simulate" => printed(
                "Inst greeter-data (1 x [all])\nInst libc6 [1] (2 x [amd64])\nInst greeter (1 x [all])\n",
            ),
            "--no-remove" => {
                let new = names.iter().map(|name| {
                    let rest = if *name == "greeter" { "Depends: greeter-data\n" } else { "" };
                    paragraph(name, "install ok installed", rest)
                });
                fake.put(STATUS, (text + &new.collect::<String>()).as_bytes(), 0o644);
                printed("")
            }
            "--purge" => {
                let stays =
                    |one: &&str| !names.iter().any(|name| one.starts_with(&format!("Package: {name}\n")));
                let kept: Vec<&str> = text.split_inclusive("\n\n").filter(stays).collect();
                fake.put(STATUS, kept.concat().as_bytes(), 0o644);
                printed("")
            }
            "--remove" => {
                let removed = names.iter().fold(text, |text, name| {
                    let from = format!("Package: {name}\nStatus: install ok installed");
                    text.replace(&from, &format!("Package: {name}\nStatus: deinstall ok config-files"))
                });
                fake.put(STATUS, removed.as_bytes(), 0o644);
                printed("")
            }
            "--pending" => {
                fake.put(STATUS, text.replace("half-configured", "installed").as_bytes(), 0o644);
                printed("")
            }
            _ => printed(""),
        }
    });
    (machine, orders)
}

fn greeter(wait_seconds: u64) -> Step {
    Step::Package(Package { names: vec!["greeter".into()], wait_seconds })
}

fn reset_now(machine: &Machine) -> ResetReport {
    reset::reset(&machine.engine(), &ResetOptions::default(), &mut |_| {}).unwrap()
}

#[test]
fn a_package_and_what_it_needs_come_and_go_and_what_is_upgraded_stays() {
    let (machine, orders) = machine(true);
    let bare = machine.state();
    assert!(matches!(machine.probe(&greeter(1)), Observation::Differs { .. }));
    assert_eq!(*orders.lock().unwrap(), [""; 0], "a probe asks nobody");
    machine.run(&[greeter(1)]).unwrap();
    assert!(machine.probe(&greeter(1)).is_converged());
    let told = std::mem::take(&mut *orders.lock().unwrap());
    // By name, so that apt takes none of them for nobody's wish; the upgrade of what was there is apt's own business.
    let expected = [
        "apt-get --simulate greeter",
        "apt-get --download-only greeter",
        "apt-get --no-remove greeter greeter-data",
    ];
    assert_eq!(told, expected);
    let report = reset_now(&machine);
    assert_eq!(report.leftovers, []);
    assert_eq!(machine.state().keys().collect::<Vec<_>>(), bare.keys().collect::<Vec<_>>());
    assert_eq!(machine.fake.content(STATUS).unwrap(), DPKG);
    assert_eq!(*orders.lock().unwrap(), ["dpkg --purge greeter-data greeter"]);
}

#[test]
fn configuration_that_was_there_before_stays() {
    let (machine, orders) = machine(true);
    let before =
        DPKG.to_owned() + &paragraph("greeter", "deinstall ok config-files", "Depends: greeter-data\n");
    machine.fake.put(STATUS, before.as_bytes(), 0o644);
    machine.run(&[greeter(1)]).unwrap();
    orders.lock().unwrap().clear();
    assert_eq!(reset_now(&machine).leftovers, []);
    // Together at first: what goes for good is needed by what keeps its configuration.
    assert_eq!(*orders.lock().unwrap(), ["dpkg --remove greeter greeter-data", "dpkg --purge greeter-data"]);
    let after = machine.fake.content(STATUS).unwrap();
    assert!(
        after.contains("greeter\nStatus: deinstall ok config-files")
            && !after.contains("greeter-data\nStatus")
    );
}

#[test]
fn lists_are_renewed_only_when_they_do_not_know_the_package() {
    let (machine, orders) = machine(false);
    machine.run(&[greeter(1)]).unwrap();
    let told: Vec<String> = orders.lock().unwrap().iter().take(3).cloned().collect();
    assert_eq!(told, ["apt-get --simulate greeter", "apt-get update ", "apt-get --simulate greeter"]);
}

#[test]
fn what_is_there_is_never_touched() {
    let (machine, orders) = machine(true);
    let text = DPKG.to_owned() + &paragraph("greeter", "install ok installed", "");
    machine.fake.put(STATUS, text.as_bytes(), 0o644);
    machine.run(&[greeter(1)]).unwrap();
    reset_now(&machine);
    assert_eq!((machine.fake.content(STATUS).unwrap(), orders.lock().unwrap().len()), (text, 0));
}

#[test]
fn who_holds_the_lock_is_named_while_he_is_waited_for() {
    let (machine, _) = machine(true);
    machine.fake.put("/proc/812/comm", b"unattended-upgr\n", 0o444);
    machine.fake.lock(FRONTEND, FileLock::HeldBy(812));
    let said = Mutex::new(Vec::new());
    let step = QueuedStep { id: StepId("greeting/1".into()), step: greeter(5) };
    let say = |body| {
        if let Body::Progress { text, waits: true, .. } = body {
            said.lock().unwrap().push(text);
        }
    };
    machine.engine().run(&step, &say).unwrap();
    let said = said.into_inner().unwrap();
    assert_eq!(said.len(), 1, "{said:?}");
    assert!(
        said[0].starts_with(
            "waits for `unattended-upgr` (process 812), which holds `/var/lib/dpkg/lock-frontend`"
        )
    );
}

#[test]
fn patience_ends_with_the_holder_and_what_to_do() {
    let (machine, orders) = machine(true);
    machine.fake.lock("/var/lib/dpkg/lock", FileLock::HeldBy(812));
    let failure = machine.run(&[greeter(0)]).unwrap_err();
    assert!(failure.message.contains("(process 812) holds `/var/lib/dpkg/lock`"), "{failure:?}");
    assert!(failure.help.as_deref().unwrap_or_default().contains("ps -fp 812"), "{failure:?}");
    assert_eq!(*orders.lock().unwrap(), [""; 0]);
}

#[test]
fn work_of_others_that_was_cut_off_needs_a_person_and_our_own_is_brought_to_its_end() {
    let (machine, orders) = machine(true);
    machine.run(&[greeter(1)]).unwrap();
    let whole = machine.fake.content(STATUS).unwrap();
    let broken = |name: &str| {
        let from = format!("Package: {name}\nStatus: install ok installed");
        whole.replace(&from, &format!("Package: {name}\nStatus: install ok half-configured"))
    };
    orders.lock().unwrap().clear();
    machine.fake.put(STATUS, broken("greeter").as_bytes(), 0o644);
    machine.run(&[greeter(1)]).unwrap();
    assert_eq!(*orders.lock().unwrap(), ["dpkg --pending "]);
    let others = DPKG.to_owned() + &paragraph("theirs", "install ok half-configured", "");
    machine.fake.put(STATUS, others.as_bytes(), 0o644);
    let failure = machine.run(&[greeter(1)]).unwrap_err();
    assert_eq!(failure.kind, FailureKind::NeedsPerson, "{failure:?}");
    assert!(failure.help.as_deref().unwrap_or_default().contains("dpkg --configure -a"), "{failure:?}");
}

#[test]
fn a_host_of_another_kind_is_refused() {
    let machine = Machine::new();
    assert!(machine.fake.read_text(std::path::Path::new(STATUS)).unwrap().is_none());
    let failure = machine.run(&[greeter(1)]).unwrap_err();
    assert!(failure.message.contains("this host's packages are not dpkg's"), "{failure:?}");
}
