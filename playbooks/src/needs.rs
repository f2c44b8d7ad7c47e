//! What one playbook needs of others, so that it can be run alone.

use std::collections::BTreeSet;

use garboard_inventory::{Host, Inventory};

use crate::Site;
use crate::playbook::{HostStep, Kind, Playbook, Selector};
use crate::render::is_asked_for;

/// Fields of `cluster` that follow from all hosts; the others are the inventory's own.
const OF_ALL: [&str; 2] = ["certificate_names", "conntrack_writable"];

/// What a playbook needs besides its own hosts.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Needs {
    /// Signals it waits for and does not give itself.
    pub signals: BTreeSet<String>,
    /// The cluster's API: some step of it is the cluster's.
    pub api: bool,
    /// Facts of all hosts: its templates speak of other hosts, or of what follows from all of them.
    pub all_hosts: bool,
    /// The lock: a step or a template of it names something there.
    pub artifacts: bool,
    /// The secrets of dynamic DNS: a template speaks of them.
    pub ddns: bool,
}

impl Playbook {
    /// Whether it runs on this host, when `leader` leads.
    pub fn takes(&self, host: &Host, leader: &str) -> bool {
        self.hosts.takes(host, host.name == leader)
    }
}

impl Site {
    /// The playbook of this name.
    pub fn playbook(&self, name: &str) -> Option<&Playbook> {
        self.playbooks.iter().find(|playbook| playbook.name == name)
    }

    /// The site with this one of its playbooks alone; its waits are then its own, not those of others before it.
    #[must_use]
    pub fn only(&self, name: &str) -> Self {
        let playbooks = self.playbooks.iter().filter(|playbook| playbook.name == name).cloned().collect();
        Self { playbooks, files: self.files.clone(), templates: self.templates.clone() }
    }

    /// Names of the lock's images that the playbooks bring to hosts, as far as the inventory asks for them.
    pub fn images(&self, inventory: &Inventory) -> BTreeSet<String> {
        let playbooks = self.playbooks.iter().filter(|playbook| is_asked_for(playbook, inventory));
        let names = playbooks.flat_map(|playbook| &playbook.steps).filter_map(|step| match &step.kind {
            Kind::Host(HostStep::Image { names }) => Some(names),
            _ => None,
        });
        names.flatten().map(|name| name.value.clone()).collect()
    }

    /// What the playbooks of this site need besides their own hosts.
    pub fn needs(&self) -> Needs {
        let steps = || self.playbooks.iter().flat_map(|playbook| &playbook.steps);
        let given: BTreeSet<&String> = steps().filter_map(|step| Some(&step.gives.as_ref()?.value)).collect();
        let uses = |variables: &[&str]| {
            steps()
                .flat_map(|step| step.texts())
                .any(|(text, _)| variables.iter().any(|variable| self.templates.uses(text, variable)))
        };
        let holds =
            |word| steps().flat_map(|step| step.texts()).any(|(text, _)| self.templates.holds(text, word));
        let api = self.playbooks.iter().any(|playbook| playbook.hosts == Selector::Cluster);
        Needs {
            signals: steps()
                .filter_map(|step| match &step.kind {
                    Kind::Wait(signal) if !given.contains(&signal.value) => Some(signal.value.clone()),
                    _ => None,
                })
                .collect(),
            api,
            all_hosts: api || uses(&["hosts", "leader"]) || OF_ALL.into_iter().any(holds),
            ddns: uses(&["ddns"]),
            artifacts: uses(&["lock"])
                || steps().any(|step| {
                    matches!(
                        step.kind,
                        Kind::Host(
                            HostStep::Artifact { .. } | HostStep::Archive { .. } | HostStep::Image { .. }
                        )
                    )
                }),
        }
    }
}
