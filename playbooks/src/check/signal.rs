//! Signals: each given once, by someone, and never waited for in vain.

use super::order::order;
use crate::CLUSTER_SIGNAL;
use crate::diagnostic::{Fault, Faults, suggestion};
use crate::file::Spanned;
use crate::playbook::{Kind, Playbook, Selector, SourceStep};

/// Who gives a signal.
struct Giver<'a> {
    signal: &'a Spanned<String>,
    playbook: &'a Playbook,
}

pub(super) fn check(playbooks: &[Playbook], faults: &mut Faults) {
    let mut givers: Vec<Giver<'_>> = Vec::new();
    for playbook in playbooks {
        for signal in playbook.steps.iter().filter_map(|step| step.gives.as_ref()) {
            let name = &signal.value;
            if name == CLUSTER_SIGNAL {
                let fault =
                    Fault::new(signal.span, format!("the signal `{name}` is given by Garboard itself"));
                faults.push(fault.help("it says that the cluster's API was reached; choose another name"));
            } else if let Some(first) = givers.iter().find(|giver| giver.signal.value == *name) {
                faults.push(
                    Fault::new(signal.span, format!("the signal `{name}` is given twice"))
                        .related(first.signal.span, "first given here"),
                );
            } else {
                givers.push(Giver { signal, playbook });
            }
            if playbook.hosts.is_many() {
                let message =
                    format!("the signal `{name}` would be given by every host of `{}`", playbook.hosts);
                faults.push(
                    Fault::new(signal.span, message)
                        .related(playbook.hosts_span, "this may be several hosts")
                        .help("only a step of `leader`, of one named host or of the cluster gives a signal"),
                );
            }
        }
    }
    for wait in playbooks.iter().flat_map(|playbook| &playbook.steps).filter_map(waited) {
        let known = givers.iter().map(|giver| giver.signal.value.as_str()).chain([CLUSTER_SIGNAL]);
        if !known.clone().any(|name| name == wait.value) {
            let mut fault = Fault::new(wait.span, format!("nobody gives the signal `{}`", wait.value));
            if let Some(help) = suggestion(&wait.value, known) {
                fault = fault.help(help);
            }
            faults.push(fault);
        }
    }
    let places = generic_places(playbooks);
    check_deadlock(&places, &givers, faults);
}

/// The signal a step waits for.
fn waited(step: &SourceStep) -> Option<&Spanned<String>> {
    match &step.kind {
        Kind::Wait(signal) => Some(signal),
        _ => None,
    }
}

/// A chain of steps, each with its playbook.
type Chain<'a> = Vec<(&'a Playbook, &'a SourceStep)>;

/// The chains of a leader, of a worker, of the cluster, and of each host that is named.
fn generic_places(playbooks: &[Playbook]) -> Vec<Chain<'_>> {
    let ordered: Vec<&Playbook> = order(playbooks).into_iter().map(|index| &playbooks[index]).collect();
    let chain = |takes: &dyn Fn(&Selector) -> bool| -> Chain<'_> {
        let taken = ordered.iter().filter(|playbook| takes(&playbook.hosts));
        taken.flat_map(|playbook| playbook.steps.iter().map(|step| (*playbook, step))).collect()
    };
    let mut places = vec![
        chain(&|hosts| matches!(hosts, Selector::All | Selector::Leader | Selector::ControlPlane)),
        chain(&|hosts| matches!(hosts, Selector::All | Selector::Worker)),
        chain(&|hosts| matches!(hosts, Selector::Cluster)),
    ];
    for playbook in playbooks {
        if let Selector::Host(name) = &playbook.hosts {
            places.push(chain(&|hosts| match hosts {
                Selector::All => true,
                Selector::Host(other) => other == name,
                _ => false,
            }));
        }
    }
    places
}

/// Finds waits whose giver itself comes only after them.
fn check_deadlock(places: &[Chain<'_>], givers: &[Giver<'_>], faults: &mut Faults) {
    for (place, chain) in places.iter().enumerate() {
        for (position, (_, step)) in chain.iter().enumerate() {
            let Some(wait) = waited(step) else { continue };
            let Some(giver) = givers.iter().find(|giver| giver.signal.value == wait.value) else { continue };
            let mut seen = Vec::new();
            let starts = positions(places, giver);
            if starts.into_iter().any(|start| needs(places, givers, start, (place, position), &mut seen)) {
                faults.push(
                    Fault::new(
                        wait.span,
                        format!("this wait would never end: `{}` is given only after it", wait.value),
                    )
                    .related(giver.signal.span, format!("given here, by `{}`", giver.playbook.name))
                    .help("move the wait behind the step that gives the signal, or change `after`"),
                );
            }
        }
    }
}

/// Where in the chains a signal is given.
fn positions(places: &[Chain<'_>], giver: &Giver<'_>) -> Vec<(usize, usize)> {
    let mut found = Vec::new();
    for (place, chain) in places.iter().enumerate() {
        let is_it =
            |step: &SourceStep| step.gives.as_ref().is_some_and(|gives| gives.span == giver.signal.span);
        found.extend(chain.iter().position(|(_, step)| is_it(step)).map(|position| (place, position)));
    }
    found
}

/// Whether the step at `at` can start only after the one at `goal`.
fn needs(
    places: &[Chain<'_>],
    givers: &[Giver<'_>],
    at: (usize, usize),
    goal: (usize, usize),
    seen: &mut Vec<(usize, usize)>,
) -> bool {
    if at == goal {
        return true;
    }
    if seen.contains(&at) {
        return false;
    }
    seen.push(at);
    let (place, position) = at;
    if position > 0 && needs(places, givers, (place, position - 1), goal, seen) {
        return true;
    }
    let Some(wait) = waited(places[place][position].1) else { return false };
    let Some(giver) = givers.iter().find(|giver| giver.signal.value == wait.value) else { return false };
    positions(places, giver).into_iter().any(|start| needs(places, givers, start, goal, seen))
}
