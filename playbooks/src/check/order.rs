//! The order of playbooks on one host.

use crate::diagnostic::{Fault, Faults, suggestion};
use crate::playbook::Playbook;

/// Indices in running order: the shipped ones as listed, each after those its `after` names; then the user's own, each
/// right behind those its `after` names, or without an `after` at the end. What stands in a circle comes last.
pub(crate) fn order(playbooks: &[Playbook]) -> Vec<usize> {
    let mut placed: Vec<usize> = Vec::new();
    while let Some(next) = next(playbooks, &placed) {
        let position = if playbooks[next].own { position(playbooks, &placed, next) } else { placed.len() };
        placed.insert(position, next);
    }
    placed.extend((0..playbooks.len()).filter(|index| !placed.contains(index)).collect::<Vec<_>>());
    placed
}

/// The first playbook not placed yet whose predecessors all are.
fn next(playbooks: &[Playbook], placed: &[usize]) -> Option<usize> {
    (0..playbooks.len()).filter(|index| !placed.contains(index)).find(|index| {
        playbooks[*index]
            .after
            .iter()
            .filter_map(|name| playbooks.iter().position(|other| other.name == name.value))
            .all(|before| placed.contains(&before))
    })
}

/// Where one of the user's own goes: behind the last of those it names, and behind others of the user's that are there.
fn position(playbooks: &[Playbook], placed: &[usize], next: usize) -> usize {
    let is_named =
        |index: &usize| playbooks[next].after.iter().any(|name| name.value == playbooks[*index].name);
    let Some(last) = placed.iter().rposition(is_named) else { return placed.len() };
    let own = placed[last + 1..].iter().take_while(|index| playbooks[**index].own);
    last + 1 + own.count()
}

/// Names that are no playbook, and circles.
pub(super) fn check_after(playbooks: &[Playbook], faults: &mut Faults) {
    for playbook in playbooks {
        for after in &playbook.after {
            if !playbooks.iter().any(|other| other.name == after.value) {
                let mut fault = Fault::new(after.span, format!("there is no playbook `{}`", after.value));
                let others = playbooks.iter().map(|other| other.name.as_str());
                if let Some(help) = suggestion(&after.value, others.filter(|name| *name != playbook.name)) {
                    fault = fault.help(help);
                }
                faults.push(fault);
            }
        }
    }
    if let Some(circle) = circle(playbooks) {
        let names: Vec<&str> = circle.iter().map(|(index, _)| playbooks[*index].name.as_str()).collect();
        let [(first, at), rest @ ..] = circle.as_slice() else { return };
        let mut fault = Fault::new(
            playbooks[*first].after[*at].span,
            format!(
                "these playbooks wait for each other: `{}` after `{}`",
                names.join("` after `"),
                names[0]
            ),
        );
        for (index, at) in rest {
            fault = fault.related(playbooks[*index].after[*at].span, "and here");
        }
        faults.push(fault.help("leave one of these `after` out"));
    }
}

/// A circle of `after`, as playbooks with the entry that leads on.
fn circle(playbooks: &[Playbook]) -> Option<Vec<(usize, usize)>> {
    (0..playbooks.len()).find_map(|start| {
        let mut path = Vec::new();
        walk(playbooks, start, start, &mut path).then_some(path)
    })
}

/// Follows `after` from `current`; true when it leads back to `goal`.
fn walk(playbooks: &[Playbook], current: usize, goal: usize, path: &mut Vec<(usize, usize)>) -> bool {
    for (entry, name) in playbooks[current].after.iter().enumerate() {
        let Some(next) = playbooks.iter().position(|other| other.name == name.value) else { continue };
        if path.iter().any(|(seen, _)| *seen == next && next != goal) {
            continue;
        }
        path.push((current, entry));
        if next == goal || walk(playbooks, next, goal, path) {
            return true;
        }
        path.pop();
    }
    false
}
