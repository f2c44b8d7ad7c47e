//! The engine over a host in memory, with faults at every change.

#![allow(clippy::unwrap_used, reason = "helpers of tests are tests")]

use std::cell::RefCell;
use std::io;
use std::path::Path;
use std::sync::Arc;

use garboard_agent::engine::{Engine, Host};
use garboard_agent::steps::{self, Baseline as _, Context, Entry, Kind, ProbeContext, StepError};
use garboard_agent::store::{Baseline, Intent, Layout, Snapshot};
use garboard_agent::system::fake::Fake;
use garboard_agent::system::{Command, Look, System};
use garboard_protocol::event::{Body, Failure, FailureKind};
use garboard_protocol::step::{Directory, File, Hostname, Outputs};
use garboard_protocol::{Change, Observation, Owned, QueuedStep, Step, StepId};

fn look_around(look: &dyn Look) -> io::Result<serde_json::Value> {
    Ok(serde_json::json!({ "motd": look.read_text(Path::new("/etc/motd"))? }))
}

fn host(fake: &Arc<Fake>) -> Host {
    let system: Arc<dyn System> = Arc::<Fake>::clone(fake);
    Host {
        system,
        layout: Layout::host(),
        kinds: steps::kind,
        snapshot: look_around,
        note_places: |_, _, _| false,
    }
}

fn bare() -> Arc<Fake> {
    let fake = Fake::with(&[("/etc/motd", "old\n")]);
    fake.put_directory("/var/lib");
    Arc::new(fake)
}

fn step(number: u32, step: Step) -> QueuedStep {
    QueuedStep { id: StepId(format!("test/{number}")), step }
}

fn file(path: &str, content: &str) -> Step {
    Step::File(File { path: path.into(), content: content.into(), mode: 0o644, secret: false })
}

fn plan() -> Vec<QueuedStep> {
    vec![
        step(1, file("/etc/motd", "new\n")),
        step(2, Step::Directory(Directory { path: "/etc/ours".into(), mode: 0o700 })),
        step(3, file("/etc/ours/deep/file", "content\n")),
    ]
}

fn run_all(fake: &Arc<Fake>, steps: &[QueuedStep]) -> Result<(), Box<Failure>> {
    let mut engine = Engine::load(host(fake), "run").map_err(|error| panic!("{error}")).unwrap();
    engine.add_owned(vec![Owned::Path("/etc/ours".into())]);
    steps.iter().try_for_each(|step| engine.run(step, &|_| ()))
}

fn baseline(fake: &Arc<Fake>) -> Vec<Entry> {
    Baseline::load(host(fake).system, &Layout::host()).unwrap().entries()
}

/// What is on the host, but for records, which name inodes and times.
fn state(fake: &Fake) -> Vec<(String, String)> {
    let tree = fake.tree().into_iter().map(|(path, what)| (path.to_string_lossy().into_owned(), what));
    tree.filter(|(path, _)| !path.ends_with("records.json")).collect()
}

#[test]
fn the_earlier_value_and_the_intent_are_there_before_the_change() {
    let fake = bare();
    run_all(&fake, &plan()[..1]).unwrap();
    let changes = fake.changes();
    let position =
        |call: &str| changes.iter().position(|other| other == call).unwrap_or_else(|| panic!("{call}"));
    let order = [
        position("write /var/lib/garboard/snapshot.json"),
        position("write /var/lib/garboard/owned.json"),
        position("write /var/lib/garboard/intent"),
        position("append /var/lib/garboard/baseline/entries"),
        position("write /etc/motd"),
        position("remove_file /var/lib/garboard/intent"),
    ];
    assert!(order.is_sorted(), "{changes:#?}");
    let snapshot = Snapshot::load(&*fake, &Layout::host()).unwrap().unwrap();
    assert_eq!(snapshot.0["motd"], "old\n");
}

#[test]
fn a_second_run_changes_nothing() {
    let fake = bare();
    run_all(&fake, &plan()).unwrap();
    let before = fake.tree();
    fake.forget_calls();
    run_all(&fake, &plan()).unwrap();
    assert_eq!(fake.changes(), Vec::<String>::new());
    assert_eq!(fake.tree(), before);
}

#[test]
fn a_power_cut_at_any_change_is_healed_by_the_next_run() {
    let whole = bare();
    run_all(&whole, &plan()).unwrap();
    let mut cuts = 0;
    for nth in 1.. {
        let fake = bare();
        fake.cut_power(nth);
        let interrupted = run_all(&fake, &plan());
        fake.restore_power();
        if interrupted.is_ok() {
            break;
        }
        cuts += 1;
        run_all(&fake, &plan()).unwrap_or_else(|failure| panic!("cut at {nth}: {failure:?}"));
        assert_eq!(state(&fake), state(&whole), "cut at change {nth}");
        assert_eq!(baseline(&fake), baseline(&whole), "cut at change {nth}");
        assert_eq!(Intent::load(&*fake, &Layout::host()).unwrap(), None);
    }
    // Snapshot, owned, intent, entries, files, folders, records: a loop that ends at once shows nothing.
    assert!(cuts > 15, "only {cuts} changes were cut");
}

#[test]
fn an_error_at_any_change_fails_the_step_and_the_next_run_converges() {
    let whole = bare();
    run_all(&whole, &plan()).unwrap();
    for nth in 1.. {
        let fake = bare();
        fake.fail_change(nth, nix::libc::ENOSPC);
        let Err(failure) = run_all(&fake, &plan()) else { break };
        assert_eq!(failure.kind, FailureKind::Step);
        assert!(failure.step.is_some());
        assert!(failure.help.as_deref().is_some_and(|help| help.contains("free some space")), "{failure:?}");
        run_all(&fake, &plan()).unwrap_or_else(|failure| panic!("error at {nth}: {failure:?}"));
        assert_eq!(state(&fake), state(&whole), "error at change {nth}");
        assert_eq!(baseline(&fake), baseline(&whole), "error at change {nth}");
    }
}

#[test]
fn the_baseline_keeps_the_first_earlier_value() {
    let fake = bare();
    run_all(&fake, &[step(1, file("/etc/motd", "new\n"))]).unwrap();
    let first = baseline(&fake);
    run_all(&fake, &[step(1, file("/etc/motd", "newer\n"))]).unwrap();
    assert_eq!(fake.content("/etc/motd").unwrap(), "newer\n");
    assert_eq!(baseline(&fake), first);
    let text = serde_json::to_string(&first).unwrap();
    assert!(text.contains("old\\n") && !text.contains("new\\n"), "{text}");
}

#[test]
fn a_second_note_of_a_subject_is_dropped() {
    let fake = bare();
    let noted = Baseline::load(host(&fake).system, &Layout::host()).unwrap();
    for before in ["first", "second"] {
        noted.note(Entry::Hostname { before: before.into() }).unwrap();
    }
    assert_eq!(noted.entries(), [Entry::Hostname { before: "first".into() }]);
    assert_eq!(baseline(&fake), noted.entries());
}

#[test]
fn a_struck_entry_is_gone_and_the_others_stay() {
    let fake = bare();
    run_all(&fake, &plan()).unwrap();
    let before = baseline(&fake);
    fake.put("/etc/.motd.garboard-new", b"half", 0o600);
    let kept = Baseline::load(host(&fake).system, &Layout::host()).unwrap();
    kept.strike("path /etc/motd").unwrap();
    let rest: Vec<Entry> = before.into_iter().filter(|entry| entry.subject() != "path /etc/motd").collect();
    assert_eq!(baseline(&fake), rest);
    assert_eq!(fake.content("/etc/.motd.garboard-new"), None);
}

#[test]
fn a_damaged_baseline_is_an_error_and_not_an_empty_one() {
    let fake = bare();
    run_all(&fake, &plan()).unwrap();
    let text = fake.content("/var/lib/garboard/baseline/entries").unwrap();
    fake.put("/var/lib/garboard/baseline/entries", text.replacen('{', "#", 1).as_bytes(), 0o600);
    let error = Engine::load(host(&fake), "run").err().unwrap();
    assert!(error.to_string().contains("line 1"), "{error}");
}

#[test]
fn an_intent_whose_step_is_seen_to_be_done_goes_away_at_the_end() {
    let fake = bare();
    run_all(&fake, &plan()).unwrap();
    let layout = Layout::host();
    let intent = Intent { step: StepId("test/1".into()), run: "earlier".into(), time: String::new() };
    intent.save(&*fake, &layout).unwrap();
    let mut engine = Engine::load(host(&fake), "run").unwrap();
    engine.finish().unwrap();
    assert_eq!(Intent::load(&*fake, &layout).unwrap(), Some(intent), "nobody has looked yet");
    assert!(engine.probe(&plan()[0]).unwrap().is_converged());
    engine.finish().unwrap();
    assert_eq!(Intent::load(&*fake, &layout).unwrap(), None);
}

/// Says that it applied something, but did not; asks the same question each time.
struct Stubborn;

impl Kind for Stubborn {
    fn probe(&self, context: &ProbeContext<'_>) -> Result<Observation, StepError> {
        context.look.ask(&Command::new("systemctl", ["show", "*"]))?;
        let value = context.look.read_text(Path::new("/value")).ok().flatten();
        let change = Change::new("/value", garboard_protocol::Field::Value, value, Some("right".into()));
        Ok(Observation::from_changes(vec![change]))
    }

    fn apply(&self, _: &[Change], _: &Context<'_>) -> Result<Outputs, StepError> {
        Ok(Outputs::new())
    }
}

fn stubborn(_: &Step) -> &dyn Kind {
    &Stubborn
}

#[test]
fn a_change_that_remains_after_apply_fails_the_step() {
    let fake = bare();
    fake.put("/value", b"wrong", 0o644);
    fake.answer("systemctl show", "");
    let mut engine = Engine::load(Host { kinds: stubborn, ..host(&fake) }, "run").unwrap();
    let hostname = step(7, Step::Hostname(Hostname { name: "cp1".into() }));
    let said = RefCell::new(Vec::new());
    let failure = engine.run(&hostname, &|body| said.borrow_mut().push(body)).unwrap_err();
    assert_eq!(failure.step, Some(StepId("test/7".into())));
    assert!(failure.message.contains("value of `/value` is wrong, wanted right"), "{}", failure.message);
    assert!(matches!(said.borrow().as_slice(), [Body::Started { .. }]), "{said:?}");
}

#[test]
fn many_steps_ask_the_same_question_once_and_again_after_a_change() {
    let fake = bare();
    fake.answer("systemctl show", "");
    let mut engine = Engine::load(Host { kinds: stubborn, ..host(&fake) }, "run").unwrap();
    let hostname = step(7, Step::Hostname(Hostname { name: "cp1".into() }));
    engine.begin_pass();
    for _ in 0..3 {
        assert!(!engine.probe(&hostname).unwrap().is_converged());
    }
    assert_eq!(fake.commands(), ["ask systemctl show *"]);
    engine.run(&hostname, &|_| ()).unwrap_err();
    assert_eq!(fake.commands().len(), 2, "the probe after the change has to look anew");
}
