//! One step of the machine.

use jiff::{SignedDuration, Timestamp};

use super::{Action, Answer, Event, LONGEST_TERM, NameState, Phase, Scope, Terms};
use crate::address::Addresses;
use crate::quorum::Verdict;
use std::time::Duration;

/// What a restart in the middle of an update leaves behind.
const INTERRUPTED: &str = "the service ended before the provider's answer was noted";

/// The state after an event, and what is to be done. `terms` say how long a failure holds.
pub fn step(state: &NameState, event: &Event, now: Timestamp, terms: Terms) -> (NameState, Option<Action>) {
    let mut next = state.clone();
    let action = match event {
        Event::Started { configuration } => {
            started(&mut next, configuration, now, terms);
            None
        }
        Event::Seen(verdicts) => seen(&mut next, verdicts, now),
        Event::Answered(answer) => {
            answered(&mut next, answer, now, terms);
            None
        }
        Event::AccountHeld(answer) => {
            account_held(&mut next, answer, now);
            None
        }
        Event::Resumed => {
            if matches!(next.phase, Phase::HeldFatal { .. }) {
                // The person believes that it works now: one update shows it, whatever was published before.
                next.phase = Phase::Unknown;
                next.failures = 0;
                next.in_doubt = true;
            }
            None
        }
    };
    (next, action)
}

fn started(state: &mut NameState, configuration: &str, now: Timestamp, terms: Terms) {
    if state.configuration != configuration {
        configuration.clone_into(&mut state.configuration);
        state.published = Addresses::default();
        state.in_doubt = false;
        // A provider's term is the provider's, whatever the configuration says now.
        if !matches!(state.phase, Phase::HeldTransient { .. } | Phase::Updating { .. }) {
            state.phase = Phase::Unknown;
            state.failures = 0;
        }
    }
    match &mut state.phase {
        // The record may hold the one or the other. A service that ends again and again must not send each time.
        Phase::Updating { .. } => {
            state.in_doubt = true;
            state.failures = state.failures.saturating_add(1);
            let until = later(now, terms.after(state.failures, None));
            state.phase = Phase::HeldTransient { until, reason: INTERRUPTED.to_owned(), since: now };
        }
        // A clock that was wrong when the term was noted must not hold the name for years.
        Phase::HeldTransient { until, .. } => *until = (*until).min(later(now, LONGEST_TERM)),
        _ => {}
    }
}

fn seen(state: &mut NameState, verdicts: &[Verdict], now: Timestamp) -> Option<Action> {
    match &state.phase {
        Phase::HeldFatal { .. } | Phase::Updating { .. } => return None,
        Phase::HeldTransient { until, .. } if now < *until => return None,
        _ => {}
    }
    let (mut all, mut changed, mut doubted) = (state.published, Addresses::default(), Addresses::default());
    let mut because = Vec::new();
    let mut confirmed = false;
    for verdict in verdicts {
        match verdict {
            Verdict::Agreed { address } => {
                confirmed = true;
                if state.in_doubt
                    || state.published.get(crate::address::Family::of(*address)) != Some(*address)
                {
                    all.set(*address);
                    changed.set(*address);
                }
            }
            Verdict::Undecided { candidate, because: why } => {
                if let Some(candidate) = candidate {
                    doubted.set(*candidate);
                }
                because.push(why.clone());
            }
            // Nobody answered: what was published stays.
            Verdict::Nothing { .. } => {}
        }
    }
    if !changed.is_empty() {
        state.phase = Phase::Updating { to: all, since: now };
        return Some(Action::Update { all, changed });
    }
    if !because.is_empty() {
        let because = because.join("; ");
        if !matches!(&state.phase, Phase::Changing { to, because: old, .. } if *to == doubted && *old == because)
        {
            state.phase = Phase::Changing { to: doubted, because, since: now };
        }
    } else if confirmed && !state.in_doubt && !matches!(state.phase, Phase::InSync { .. }) {
        state.failures = 0;
        state.phase = Phase::InSync { since: now };
    }
    None
}

fn answered(state: &mut NameState, answer: &Answer, now: Timestamp, terms: Terms) {
    let Phase::Updating { to, .. } = state.phase else { return };
    match answer {
        Answer::Good => {
            state.published = to;
            state.in_doubt = false;
            state.failures = 0;
            state.last_success = Some(now);
            state.phase = Phase::InSync { since: now };
        }
        Answer::Transient { reason, at_least, retry_after, .. } => {
            // It may have been done all the same.
            state.in_doubt = true;
            state.failures = state.failures.saturating_add(1);
            let until = later(now, terms.after(state.failures, (*at_least).max(*retry_after)));
            state.phase = Phase::HeldTransient { until, reason: reason.clone(), since: now };
        }
        Answer::Fatal { reason, .. } => {
            state.phase = Phase::HeldFatal { reason: reason.clone(), since: now };
        }
    }
}

fn account_held(state: &mut NameState, answer: &Answer, now: Timestamp) {
    match (&state.phase, answer) {
        (Phase::HeldFatal { .. } | Phase::Updating { .. }, _) | (_, Answer::Good) => {}
        (_, Answer::Fatal { reason, scope: Scope::Account }) => {
            state.phase = Phase::HeldFatal { reason: reason.clone(), since: now };
        }
        (phase, Answer::Transient { reason, at_least, retry_after, scope: Scope::Account }) => {
            let Some(term) = (*at_least).max(*retry_after) else { return };
            let until = later(now, term.min(LONGEST_TERM));
            if matches!(phase, Phase::HeldTransient { until: own, .. } if *own >= until) {
                return;
            }
            state.phase = Phase::HeldTransient { until, reason: reason.clone(), since: now };
        }
        _ => {}
    }
}

fn later(now: Timestamp, term: Duration) -> Timestamp {
    SignedDuration::try_from(term).ok().and_then(|term| now.checked_add(term).ok()).unwrap_or(Timestamp::MAX)
}
