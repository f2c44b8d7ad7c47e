//! Restarts that the probes cannot see yet: a running unit is as it should be, and an earlier step of the same chain is
//! about to change what it read at its start.

use garboard_playbooks::PlannedStep;
use garboard_protocol::step::Unit;
use garboard_protocol::{Change, Field, Observation, Step};

/// The chain, with units that will have to be restarted as steps that differ.
pub(super) fn foresee(mut chain: Vec<(PlannedStep, Observation)>) -> Vec<(PlannedStep, Observation)> {
    let mut written: Vec<String> = Vec::new();
    for (planned, observation) in &mut chain {
        if !observation.is_converged() {
            written.extend(writes(&planned.step));
        } else if let Step::Unit(unit) = &planned.step
            && let Some(path) = unit.restart_on.iter().find(|path| written.contains(path))
        {
            *observation = restart(unit, path);
        }
    }
    chain
}

fn restart(unit: &Unit, path: &str) -> Observation {
    let because = format!("`{path}` changes before it");
    match unit.active {
        // It runs: else it would differ already.
        Some(true) => Observation::Differs {
            changes: vec![Change::new(
                &unit.name,
                Field::Restart,
                Some(because),
                Some("restarted".to_owned()),
            )],
        },
        // It may run or not: that is looked at when its turn comes.
        _ => Observation::Unknown { because },
    }
}

/// Paths whose content a step changes when it is applied.
fn writes(step: &Step) -> Vec<String> {
    match step {
        Step::File(file) => vec![file.path.clone()],
        Step::Artifact(artifact) => vec![artifact.path.clone()],
        Step::Archive(archive) => archive
            .members
            .iter()
            .map(|member| format!("{}/{}", archive.destination, member.rsplit('/').next().unwrap_or(member)))
            .collect(),
        Step::Unit(unit) if unit.content.is_some() => vec![format!("/etc/systemd/system/{}", unit.name)],
        _ => Vec::new(),
    }
}

#[cfg(test)]
mod tests {
    use garboard_playbooks::PlannedStep;
    use garboard_protocol::step::{File, StepId, Unit};
    use garboard_protocol::{Change, Field, Observation, Step};

    use super::foresee;

    fn planned(number: usize, step: Step) -> PlannedStep {
        PlannedStep {
            id: StepId(format!("mine/{number}")),
            playbook: "mine".to_owned(),
            step,
            waits: Vec::new(),
            gives: None,
            late: None,
        }
    }

    fn file(path: &str) -> PlannedStep {
        let path = path.to_owned();
        planned(1, Step::File(File { path, content: String::new(), mode: 0o644, secret: false }))
    }

    fn unit(active: Option<bool>) -> PlannedStep {
        planned(
            2,
            Step::Unit(Unit {
                name: "app.service".to_owned(),
                content: None,
                enabled: true,
                active,
                restart_on: vec!["/etc/app.conf".to_owned()],
            }),
        )
    }

    fn differs() -> Observation {
        Observation::from_changes(vec![Change::new("x", Field::Content, None, None)])
    }

    #[test]
    fn a_unit_is_restarted_in_the_run_that_changes_what_it_read() {
        let chain = vec![(file("/etc/app.conf"), differs()), (unit(Some(true)), Observation::converged())];
        let Observation::Differs { changes } = &foresee(chain)[1].1 else {
            panic!("the restart is not seen")
        };
        assert_eq!((changes[0].subject.as_str(), changes[0].field), ("app.service", Field::Restart));
        let chain = vec![(file("/etc/app.conf"), differs()), (unit(None), Observation::converged())];
        assert!(matches!(foresee(chain)[1].1, Observation::Unknown { .. }));
    }

    #[test]
    fn a_unit_is_left_alone_when_nothing_it_read_changes() {
        for chain in [
            vec![(file("/etc/other.conf"), differs()), (unit(Some(true)), Observation::converged())],
            vec![
                (file("/etc/app.conf"), Observation::converged()),
                (unit(Some(true)), Observation::converged()),
            ],
            vec![(unit(Some(true)), Observation::converged()), (file("/etc/app.conf"), differs())],
        ] {
            let seen: Vec<_> = chain.iter().map(|(_, seen)| seen.clone()).collect();
            assert!(foresee(chain).into_iter().map(|(_, seen)| seen).eq(seen));
        }
    }
}
