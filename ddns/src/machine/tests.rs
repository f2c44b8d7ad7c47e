//! The machine as a table: what was, what happens, what is.

use std::net::IpAddr;
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};

use super::{Action, Answer, Event, NameState, Phase, Scope, Terms, step};
use crate::address::{Addresses, Family};
use crate::quorum::Verdict;

const OLD: &str = "84.20.10.1";
const NEW: &str = "84.20.10.2";

fn at(seconds: i64) -> Timestamp {
    Timestamp::from_second(1_800_000_000 + seconds).unwrap()
}

/// The longest term that chance can give.
fn terms() -> Terms {
    Terms { base: Duration::from_mins(1), chance: 1.0 }
}

fn addresses(ipv4: &str) -> Addresses {
    let mut addresses = Addresses::default();
    addresses.set(ipv4.parse().unwrap());
    addresses
}

fn agreed(address: &str) -> Event {
    Event::Seen(vec![Verdict::Agreed { address: address.parse::<IpAddr>().unwrap() }])
}

fn in_sync() -> NameState {
    let mut state = NameState::new("a".to_owned());
    state.published = addresses(OLD);
    state.phase = Phase::InSync { since: at(0) };
    state
}

fn updating() -> NameState {
    let (state, action) = step(&in_sync(), &agreed(NEW), at(10), terms());
    assert!(action.is_some());
    state
}

fn transient(at_least: Option<u64>, retry_after: Option<u64>) -> Event {
    Event::Answered(Answer::Transient {
        reason: "911".to_owned(),
        at_least: at_least.map(Duration::from_secs),
        retry_after: retry_after.map(Duration::from_secs),
        scope: Scope::Account,
    })
}

fn fatal(scope: Scope) -> Answer {
    Answer::Fatal { reason: "badauth".to_owned(), scope }
}

fn after(state: &NameState, event: &Event, seconds: i64) -> NameState {
    let (next, action) = step(state, event, at(seconds), terms());
    assert_eq!(action, None, "{event:?}");
    next
}

fn until(state: &NameState) -> SignedDuration {
    let Phase::HeldTransient { until, .. } = state.phase else { panic!("{:?}", state.phase) };
    until.duration_since(at(0))
}

#[test]
fn the_first_address_two_agree_on_is_published_once() {
    let (state, action) = step(&NameState::new("a".to_owned()), &agreed(NEW), at(0), terms());
    let all = addresses(NEW);
    assert_eq!(action, Some(Action::Update { all, changed: all }));
    assert_eq!(state.phase, Phase::Updating { to: all, since: at(0) });
    let state = after(&state, &Event::Answered(Answer::Good), 1);
    assert_eq!((state.phase.clone(), state.published), (Phase::InSync { since: at(1) }, all));
    assert_eq!(after(&state, &agreed(NEW), 300), state, "an update that changes nothing is never sent");
}

#[test]
fn what_is_not_agreed_on_moves_nothing_and_deletes_nothing() {
    let state = in_sync();
    let nothing = Event::Seen(vec![Verdict::Nothing { family: Family::Ipv4 }]);
    assert_eq!(after(&state, &nothing, 10), state);
    assert_eq!(after(&state, &Event::Seen(Vec::new()), 10), state);
    let doubt = Verdict::Undecided { candidate: Some(NEW.parse().unwrap()), because: "one".to_owned() };
    let doubted = after(&state, &Event::Seen(vec![doubt.clone()]), 10);
    assert_eq!(
        doubted.phase,
        Phase::Changing { to: addresses(NEW), because: "one".to_owned(), since: at(10) }
    );
    assert_eq!(after(&doubted, &Event::Seen(vec![doubt]), 20), doubted, "since when stays");
    assert_eq!(after(&doubted, &agreed(OLD), 30).phase, Phase::InSync { since: at(30) });
    assert!(step(&doubted, &agreed(NEW), at(30), terms()).1.is_some());
}

#[test]
fn a_restart_repeats_no_update() {
    let state = after(&in_sync(), &Event::Started { configuration: "a".to_owned() }, 100);
    assert_eq!(state, in_sync());
    assert_eq!(after(&state, &agreed(OLD), 101), state);
}

#[test]
fn an_update_cut_off_by_a_crash_is_repeated_once_and_not_at_once() {
    let state = after(&updating(), &Event::Started { configuration: "a".to_owned() }, 0);
    assert_eq!(until(&state), SignedDuration::from_secs(60));
    assert_eq!(after(&state, &agreed(NEW), 59), state);
    // Also where the old address is back: the record may hold the new one.
    for address in [NEW, OLD] {
        let (next, action) = step(&state, &agreed(address), at(60), terms());
        assert_eq!(action, Some(Action::Update { all: addresses(address), changed: addresses(address) }));
        let next = after(&next, &Event::Answered(Answer::Good), 61);
        assert!(!next.in_doubt && next.failures == 0);
        assert_eq!(after(&next, &agreed(address), 62), next);
    }
    // A service that ends again and again waits longer each time.
    let (again, _) = step(&state, &agreed(NEW), at(60), terms());
    let again = after(&again, &Event::Started { configuration: "a".to_owned() }, 0);
    assert_eq!(until(&again), SignedDuration::from_secs(120));
}

#[test]
fn terms_double_up_to_an_hour_with_full_jitter() {
    let mut state = updating();
    for seconds in [60, 120, 240, 480, 960, 1920, 3600, 3600] {
        state = after(&state, &transient(None, None), 0);
        assert_eq!(until(&state), SignedDuration::from_secs(seconds));
        let (next, action) = step(&state, &agreed(NEW), at(seconds), terms());
        assert!(action.is_some());
        state = next;
    }
    let chances = [(0.0, 0), (0.5, 1800), (1.0, 3600)];
    for (chance, seconds) in chances {
        let (next, _) = step(&state, &transient(None, None), at(0), Terms { chance, ..terms() });
        assert_eq!(until(&next), SignedDuration::from_secs(seconds));
    }
}

#[test]
fn a_providers_own_term_is_kept_to_the_second() {
    let rows = [
        (Some(1800), None, 1800),
        (None, Some(600), 600),
        (Some(120), Some(600), 600),
        (Some(600), Some(5), 600),
        (None, Some(1), 60),
        (None, Some(u64::MAX), 86400),
    ];
    for (at_least, retry_after, seconds) in rows {
        let state = after(&updating(), &transient(at_least, retry_after), 0);
        assert_eq!(until(&state), SignedDuration::from_secs(seconds), "{at_least:?} {retry_after:?}");
        // Nothing shortens it: neither what is seen, nor `resume`, nor a restart, nor another configuration.
        let early = seconds - 1;
        assert_eq!(after(&state, &agreed(NEW), early), state);
        assert_eq!(after(&state, &Event::Resumed, early), state);
        assert_eq!(after(&state, &Event::Started { configuration: "a".to_owned() }, 0), state);
        let other = after(&state, &Event::Started { configuration: "b".to_owned() }, 0);
        assert_eq!(until(&other), SignedDuration::from_secs(seconds));
        assert!(step(&state, &agreed(NEW), at(seconds), terms()).1.is_some());
    }
}

#[test]
fn a_clock_that_was_wrong_holds_nothing_for_years() {
    let mut state = in_sync();
    state.phase = Phase::HeldTransient { until: at(10 * 365 * 86400), reason: String::new(), since: at(0) };
    let state = after(&state, &Event::Started { configuration: "a".to_owned() }, 0);
    assert_eq!(until(&state), SignedDuration::from_hours(24));
}

#[test]
fn a_refusal_holds_until_the_configuration_changes_or_a_person_resumes() {
    let held = after(&updating(), &Event::Answered(fatal(Scope::Name)), 0);
    assert_eq!(held.phase, Phase::HeldFatal { reason: "badauth".to_owned(), since: at(0) });
    let day = 86400;
    for event in
        [agreed(NEW), agreed(OLD), Event::Started { configuration: "a".to_owned() }, transient(None, None)]
    {
        assert_eq!(after(&held, &event, 30 * day), held, "{event:?}");
    }
    let resumed = after(&held, &Event::Resumed, day);
    assert_eq!(resumed.phase, Phase::Unknown);
    assert!(step(&resumed, &agreed(OLD), at(day), terms()).1.is_some(), "one update shows that it works");
    let changed = after(&held, &Event::Started { configuration: "b".to_owned() }, day);
    assert_eq!((changed.phase.clone(), changed.published), (Phase::Unknown, Addresses::default()));
    assert!(step(&changed, &agreed(OLD), at(day), terms()).1.is_some());
}

#[test]
fn what_holds_for_an_account_holds_for_its_other_names() {
    let state = in_sync();
    let held = after(&state, &Event::AccountHeld(fatal(Scope::Account)), 0);
    assert!(matches!(held.phase, Phase::HeldFatal { .. }));
    assert_eq!(after(&state, &Event::AccountHeld(fatal(Scope::Name)), 0), state);
    let Event::Answered(busy) = transient(Some(1800), None) else { panic!() };
    let waits = after(&state, &Event::AccountHeld(busy), 0);
    assert_eq!(until(&waits), SignedDuration::from_secs(1800));
    assert!(!waits.in_doubt && waits.failures == 0, "nothing of its own was sent");
    let Event::Answered(shorter) = transient(Some(60), None) else { panic!() };
    assert_eq!(after(&waits, &Event::AccountHeld(shorter), 0), waits);
    assert_eq!(after(&waits, &agreed(OLD), 1800).phase, Phase::InSync { since: at(1800) });
}

#[test]
fn a_family_that_is_lost_keeps_its_record_while_the_other_moves() {
    let mut state = in_sync();
    state.published.set("2a01:4f8::1".parse().unwrap());
    let event = Event::Seen(vec![
        Verdict::Agreed { address: NEW.parse().unwrap() },
        Verdict::Nothing { family: Family::Ipv6 },
    ]);
    let (_, action) = step(&state, &event, at(0), terms());
    let mut all = addresses(NEW);
    all.set("2a01:4f8::1".parse().unwrap());
    assert_eq!(action, Some(Action::Update { all, changed: addresses(NEW) }));
}

#[test]
fn an_answer_nobody_waits_for_changes_nothing() {
    assert_eq!(after(&in_sync(), &Event::Answered(fatal(Scope::Name)), 0), in_sync());
}
