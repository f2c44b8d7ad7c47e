//! What a playbook made on a host that it does not make there any more.

use std::collections::BTreeSet;

use garboard_protocol::Step;
use garboard_protocol::step::{StepId, Thing, Withdraw};

use crate::plan::PlannedStep;
use crate::playbook::{HostStep, Playbook};

/// What steps of one host's chain make, and what they would make were the host another one.
#[derive(Default)]
pub(super) struct Things {
    made: BTreeSet<Thing>,
    /// By playbook, in their order.
    left_out: Vec<(String, Vec<Thing>)>,
}

impl Things {
    /// A step that is part of the chain.
    pub(super) fn make(&mut self, step: &HostStep) {
        self.made.extend(things(step));
    }

    /// A step that is not.
    pub(super) fn leave_out(&mut self, playbook: &Playbook, step: &HostStep) {
        if !playbook.reversible {
            return;
        }
        match self.left_out.last_mut() {
            Some((name, known)) if *name == playbook.name => known.extend(things(step)),
            _ => self.left_out.push((playbook.name.clone(), things(step))),
        }
    }

    /// One step for each playbook that may have made something here: the last playbook's first, as restoring goes backwards.
    pub(super) fn withdrawn(&self, waits: &[String]) -> Vec<PlannedStep> {
        let steps = self.left_out.iter().rev().filter_map(|(playbook, things)| {
            let things: Vec<Thing> =
                things.iter().filter(|thing| !self.made.contains(thing)).cloned().collect();
            if things.is_empty() {
                return None;
            }
            let folders = self.made.iter().filter_map(|thing| match thing {
                Thing::Path(path) => Some(path),
                _ => None,
            });
            let kept = folders.filter(|folder| things.iter().any(|thing| is_below(thing, folder)));
            let kept = kept.cloned().collect();
            Some(PlannedStep {
                id: StepId(format!("{playbook}/withdrawn")),
                playbook: playbook.clone(),
                step: Step::Withdraw(Withdraw { playbook: playbook.clone(), things, kept }),
                waits: waits.to_vec(),
                gives: None,
                late: None,
                of_facts: false,
            })
        });
        steps.collect()
    }
}

fn is_below(thing: &Thing, folder: &str) -> bool {
    match thing {
        Thing::Path(path) | Thing::FilesIn(path) | Thing::Sshd(path) => {
            path.strip_prefix(folder).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
        }
        _ => false,
    }
}

/// What a step makes, as far as it can be taken back by itself: packages bring others with them and stay until reset, as does all that makes
/// a host a member.
fn things(step: &HostStep) -> Vec<Thing> {
    match step {
        HostStep::Directory { path, .. } | HostStep::File { path, .. } | HostStep::Artifact { path, .. } => {
            vec![Thing::Path(path.value.clone())]
        }
        HostStep::Files { path, .. } => vec![Thing::FilesIn(path.value.clone())],
        HostStep::Archive { destination, members, .. } => members
            .iter()
            .map(|member| {
                let name = member.value.rsplit('/').next().unwrap_or(&member.value);
                Thing::Path(format!("{}/{name}", destination.value))
            })
            .collect(),
        HostStep::Sysctl { key, .. } => vec![Thing::Sysctl(key.value.clone())],
        HostStep::KernelModule { name, .. } => vec![Thing::KernelModule(name.clone())],
        HostStep::Unit { name, .. } => vec![Thing::Unit(name.value.clone())],
        HostStep::Nft { table, .. } => vec![Thing::NftTable(table.value.clone())],
        HostStep::Sshd { name, .. } => {
            vec![Thing::Sshd(format!("/etc/ssh/sshd_config.d/{}.conf", name.value))]
        }
        HostStep::Swap
        | HostStep::Package { .. }
        | HostStep::Hostname { .. }
        | HostStep::HostsEntry { .. }
        | HostStep::Image { .. }
        | HostStep::KubeadmInit { .. }
        | HostStep::KubeadmJoin { .. }
        | HostStep::ClusterNote
        | HostStep::Clock
        | HostStep::BootConfig { .. }
        | HostStep::Reboot { .. } => Vec::new(),
    }
}
