//! Restarts and reboots that the probes cannot see yet: a running unit is as it should be, nothing pends that a boot would bring
//! about, and an earlier step of the same chain is about to change that.

use garboard_playbooks::PlannedStep;
use garboard_protocol::step::{Pending, Reboot, Unit};
use garboard_protocol::{Change, Field, Observation, Step};

/// The wish of Debian and Ubuntu for a reboot.
const REQUIRED: &str = "/run/reboot-required";

/// The chain, with units that will have to be restarted, and a reboot that will have to be, as steps that differ.
pub(super) fn foresee(mut chain: Vec<(PlannedStep, Observation)>) -> Vec<(PlannedStep, Observation)> {
    let mut written: Vec<String> = Vec::new();
    let (mut parameters, mut packages) = (Vec::new(), false);
    for (planned, observation) in &mut chain {
        if !observation.is_converged() {
            written.extend(writes(&planned.step));
            packages |= matches!(planned.step, Step::Package(_));
            if let Step::BootConfig(config) = &planned.step {
                parameters.extend(config.kernel_parameters.iter().cloned());
            }
        } else if let Step::Reboot(reboot) = &planned.step {
            if let Some(foreseen) = foresee_reboot(reboot, &parameters, &written, packages) {
                *observation = foreseen;
            }
        } else if let Step::Unit(unit) = &planned.step
            && let Some(path) = unit.restart_on.iter().find(|path| written.contains(path))
        {
            *observation = restart(unit, path);
        }
    }
    chain
}

/// A reboot that nothing asks for yet, but may after what changes before it.
fn foresee_reboot(
    reboot: &Reboot,
    parameters: &[String],
    written: &[String],
    packages: bool,
) -> Option<Observation> {
    let mut changes = Vec::new();
    let mut unknown = None;
    for pending in &reboot.pending {
        match pending {
            Pending::KernelParameter(parameter) if parameters.contains(parameter) => {
                let (before, after) = (Some("pending".to_owned()), Some("effective".to_owned()));
                changes.push(Change::new(parameter, Field::Boot, before, after));
            }
            Pending::Required if packages || written.iter().any(|path| path == REQUIRED) => {
                unknown = Some("known once what comes before it is done".to_owned());
            }
            _ => {}
        }
    }
    match (changes.is_empty(), unknown) {
        (false, _) => Some(Observation::Differs { changes }),
        (true, Some(because)) => Some(Observation::Unknown { because }),
        (true, None) => None,
    }
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
    use garboard_protocol::step::{BootConfig, File, Package, Pending, Reboot, StepId, Unit};
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
            of_facts: false,
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

    fn reboot() -> PlannedStep {
        let pending = vec![Pending::KernelParameter("quiet".into()), Pending::Required];
        planned(3, Step::Reboot(Reboot { pending }))
    }

    #[test]
    fn a_reboot_is_seen_in_the_run_that_changes_what_it_is_for() {
        let config = |word: &str| {
            let kernel_parameters = vec![word.to_owned()];
            planned(1, Step::BootConfig(BootConfig { kernel_parameters }))
        };
        let seen = |chain: Vec<_>| foresee(chain).pop().map(|(_, seen)| seen);
        let converged = Observation::converged;
        let chain = vec![(config("quiet"), differs()), (reboot(), converged())];
        let Some(Observation::Differs { changes }) = seen(chain) else { panic!("the reboot is not seen") };
        assert_eq!((changes.len(), changes[0].subject.as_str(), changes[0].field), (1, "quiet", Field::Boot));
        let package =
            || planned(1, Step::Package(Package { names: vec!["linux-image".into()], wait_seconds: 1 }));
        let chain = vec![(package(), differs()), (reboot(), converged())];
        assert!(matches!(seen(chain), Some(Observation::Unknown { .. })));
        for chain in [
            vec![(config("quiet"), converged()), (package(), converged()), (reboot(), converged())],
            vec![(config("splash"), differs()), (file("/etc/app.conf"), differs()), (reboot(), converged())],
        ] {
            assert_eq!(seen(chain), Some(converged()));
        }
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
