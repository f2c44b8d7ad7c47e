//! The chain of one host.

mod content;

use std::collections::BTreeSet;

use garboard_inventory::Host;
use garboard_protocol::Step;
use garboard_protocol::facts::Facts;
use garboard_protocol::step::{
    Archive, Artifact, BootConfig, Clock, ClusterId, ClusterNote, Directory, File, Hostname, HostsEntry,
    Image, KernelModule, KubeadmInit, KubeadmJoin, Nft, Package, Pending, Reboot, Sshd, StepId, Swap, Sysctl,
    Unit,
};
use tera::Context;

use super::Scene;
use super::withdraw::Things;
use crate::diagnostic::{Fault, Faults};
use crate::lacking::{AllLacking, Pinned};
use crate::late::Late;
use crate::plan::PlannedStep;
use crate::playbook::{HostStep, Kind, Playbook, RebootReason, SourceStep};
use crate::{CLUSTER_SIGNAL, Site};

/// How far a clock may be off before it is set, in milliseconds: more than the way over a slow connection takes, and far less
/// than the five minutes by which kubeadm dates its certificates back.
const CLOCK_TOLERANCE: u64 = 5_000;

impl Site {
    pub(crate) fn host_chain(
        &self,
        (all, taken): (&[&Playbook], &[&Playbook]),
        scene: &Scene<'_>,
        (host, facts): (&Host, &Facts),
        faults: &mut Faults,
        lacking: &mut AllLacking,
    ) -> Vec<PlannedStep> {
        let mut chain = Vec::new();
        let mut waits: Vec<String> = Vec::new();
        let mut things = Things::default();
        // Behind the last of them: what is still made stands by then.
        let last_reversible = all.iter().rposition(|playbook| playbook.reversible);
        for (index, playbook) in all.iter().enumerate() {
            // Nothing of ours is on a host that we have not changed.
            let withdraw = |things: &Things, waits: &[String]| {
                if Some(index) == last_reversible && facts.garboard.baseline {
                    things.withdrawn(waits)
                } else {
                    Vec::new()
                }
            };
            if !taken.iter().any(|taken| taken.name == playbook.name) {
                for step in playbook.host_steps() {
                    things.leave_out(playbook, step);
                }
                chain.extend(withdraw(&things, &waits));
                continue;
            }
            let context = scene.host_context(&playbook.vars, host, facts);
            for step in &playbook.steps {
                let renderer = Renderer {
                    site: self,
                    scene,
                    host,
                    facts,
                    context: &context,
                    waits: &waits,
                    chain: &chain,
                };
                match renderer.planned(playbook, step) {
                    Ok(Planned::Steps(planned)) => {
                        if let Kind::Host(step) = &step.kind {
                            things.make(step);
                        }
                        chain.extend(planned);
                    }
                    Ok(Planned::Wait(signal)) if !waits.contains(&signal) => waits.push(signal),
                    Ok(Planned::Wait(_)) => {}
                    Ok(Planned::LeftOut) => {
                        // Facts change by what a step does: they take nothing back.
                        if let Kind::Host(host_step) = &step.kind
                            && !renderer.is_of_facts(step)
                        {
                            things.leave_out(playbook, host_step);
                        }
                    }
                    Err(Unrendered::Fault(fault)) => {
                        faults.push_first(fault.remark(format!("seen on host `{}`", host.name)));
                    }
                    Err(Unrendered::Lacking(all)) => {
                        for one in all {
                            lacking.push(one, &facts.architecture, &host.name, &playbook.name);
                        }
                    }
                }
            }
            chain.extend(withdraw(&things, &waits));
        }
        chain
    }

    /// Whether the outputs of this signal come from `kubeadm init`.
    fn is_from_init(&self, signal: &str) -> bool {
        self.playbooks.iter().flat_map(|playbook| &playbook.steps).any(|step| {
            step.gives.as_ref().is_some_and(|gives| gives.value == signal)
                && matches!(step.kind, Kind::Host(HostStep::KubeadmInit { .. }))
        })
    }
}

enum Planned {
    Steps(Vec<PlannedStep>),
    Wait(String),
    LeftOut,
}

/// Why a step could not be rendered.
enum Unrendered {
    /// Something in the playbook.
    Fault(Fault),
    /// The lock has these not for the host's architecture.
    Lacking(Vec<(Pinned, String)>),
}

impl From<Fault> for Unrendered {
    fn from(fault: Fault) -> Self {
        Self::Fault(fault)
    }
}

struct Renderer<'a> {
    site: &'a Site,
    scene: &'a Scene<'a>,
    host: &'a Host,
    facts: &'a Facts,
    context: &'a Context,
    waits: &'a [String],
    /// The steps before this one.
    chain: &'a [PlannedStep],
}

impl Renderer<'_> {
    fn planned(&self, playbook: &Playbook, source: &SourceStep) -> Result<Planned, Unrendered> {
        if let Some(when) = &source.when
            && self.text(when)? != "yes"
        {
            return Ok(Planned::LeftOut);
        }
        let host_step = match &source.kind {
            Kind::Wait(signal) => return Ok(Planned::Wait(signal.value.clone())),
            Kind::Host(step) => step,
            Kind::Manifest(_)
            | Kind::WaitNodes { .. }
            | Kind::WaitRollout(_)
            | Kind::Label
            | Kind::Token
            | Kind::Taint => return Ok(Planned::LeftOut),
        };
        if let HostStep::Reboot { reasons } = host_step
            && self.pending(reasons).is_empty()
        {
            return Ok(Planned::LeftOut);
        }
        let id = StepId(format!("{}/{}", playbook.name, source.number));
        let gives = source.gives.as_ref().map(|gives| gives.value.clone());
        if let HostStep::Files { path, content, mode } = host_step {
            let files = self.files(&path.value, content, *mode)?;
            let last = files.len().saturating_sub(1);
            let files = files.into_iter().enumerate().map(|(index, (name, file))| PlannedStep {
                id: StepId(format!("{id}/{name}")),
                playbook: playbook.name.clone(),
                step: Step::File(file),
                waits: self.waits.to_vec(),
                gives: gives.clone().filter(|_| index == last),
                late: None,
                of_facts: self.is_of_facts(source),
            });
            return Ok(Planned::Steps(files.collect()));
        }
        let step = self.step(host_step, source)?;
        let late = self.late(&id, host_step, &step);
        Ok(Planned::Steps(vec![PlannedStep {
            id,
            playbook: playbook.name.clone(),
            step,
            waits: self.waits.to_vec(),
            gives,
            late,
            of_facts: self.is_of_facts(source),
        }]))
    }

    /// Whether the step, or that it is there at all, follows from facts.
    fn is_of_facts(&self, source: &SourceStep) -> bool {
        source.texts().iter().any(|(text, _)| self.site.templates.uses(text, "facts"))
    }

    /// What a reboot for these reasons looks for.
    fn pending(&self, reasons: &[RebootReason]) -> Vec<Pending> {
        let parameters = || {
            let configs = self.chain.iter().filter_map(|planned| match &planned.step {
                Step::BootConfig(config) => Some(&config.kernel_parameters),
                _ => None,
            });
            configs.flatten().cloned().map(Pending::KernelParameter)
        };
        let mut pending = Vec::new();
        for reason in reasons {
            match reason {
                RebootReason::BootConfig => pending.extend(parameters()),
                RebootReason::Required => pending.push(Pending::Required),
            }
        }
        pending
    }

    fn step(&self, step: &HostStep, source: &SourceStep) -> Result<Step, Unrendered> {
        Ok(match step {
            HostStep::Directory { path, mode } => {
                Step::Directory(Directory { path: path.value.clone(), mode: *mode })
            }
            HostStep::File { path, content, mode, secret } => Step::File(File {
                path: path.value.clone(),
                content: self.content(content)?,
                mode: *mode,
                secret: *secret,
            }),
            // One step becomes several: `Renderer::planned` takes them apart before.
            HostStep::Files { path, content, mode } => Step::File(File {
                path: path.value.clone(),
                content: self.content(content)?,
                mode: *mode,
                secret: false,
            }),
            HostStep::Artifact { name, path, mode } => {
                Step::Artifact(Artifact { path: path.value.clone(), blob: self.file(name)?, mode: *mode })
            }
            HostStep::Archive { name, destination, members, mode } => Step::Archive(Archive {
                destination: destination.value.clone(),
                blob: self.file(name)?,
                members: members.iter().map(|member| member.value.clone()).collect(),
                mode: *mode,
            }),
            HostStep::Sysctl { key, value } => {
                Step::Sysctl(Sysctl { key: key.value.clone(), value: self.text(value)?.trim().to_owned() })
            }
            HostStep::KernelModule { name, optional } => {
                Step::KernelModule(KernelModule { name: name.clone(), optional: *optional })
            }
            HostStep::Swap => Step::Swap(Swap {}),
            HostStep::Unit { name, content, enabled, active, restart_on } => Step::Unit(Unit {
                name: name.value.clone(),
                content: content.as_ref().map(|content| self.content(content)).transpose()?,
                enabled: *enabled,
                active: *active,
                restart_on: restart_on.clone(),
            }),
            HostStep::Package { names, wait_seconds } => {
                Step::Package(Package { names: names.clone(), wait_seconds: *wait_seconds })
            }
            HostStep::Hostname { name } => Step::Hostname(Hostname { name: self.text(name)? }),
            HostStep::HostsEntry { address, names } => {
                let text = self.text(address)?;
                if text.parse::<std::net::IpAddr>().is_err() {
                    return Err(Fault::new(
                        address.span,
                        format!("this gives `{text}`, which is no IP address"),
                    )
                    .into());
                }
                let names = names.iter().map(|name| self.text(name)).collect::<Result<_, _>>()?;
                Step::HostsEntry(HostsEntry { address: text, names })
            }
            HostStep::Image { names } => Step::Image(Image { images: self.images(names)? }),
            HostStep::KubeadmInit { timeout_seconds, .. } => Step::KubeadmInit(KubeadmInit {
                node_name: self.host.name.clone(),
                config: None,
                timeout_seconds: timeout_seconds * u64::from(self.scene.patience()),
            }),
            HostStep::KubeadmJoin { timeout_seconds, .. } => {
                if self.ca_signal().is_none() {
                    let fault = Fault::new(source.span, "`kubeadm_join` must know which cluster it joins");
                    return Err(fault
                        .help("before it, wait for the signal that `kubeadm_init` gives")
                        .into());
                }
                Step::KubeadmJoin(KubeadmJoin {
                    node_name: self.host.name.clone(),
                    ca_hash: self.live_ca_hash().cloned(),
                    config: None,
                    timeout_seconds: timeout_seconds * u64::from(self.scene.patience()),
                })
            }
            HostStep::BootConfig { kernel_parameters } => {
                Step::BootConfig(BootConfig { kernel_parameters: kernel_parameters.clone() })
            }
            HostStep::Reboot { reasons } => Step::Reboot(Reboot { pending: self.pending(reasons) }),
            HostStep::Nft { table, rules, keep_sets } => Step::Nft(Nft {
                table: table.value.clone(),
                rules: self.table(&table.value, rules)?,
                keep_sets: *keep_sets,
            }),
            HostStep::Sshd { name, content } => {
                Step::Sshd(Sshd { name: name.value.clone(), content: self.content(content)? })
            }
            HostStep::ClusterNote => {
                if !self.waits.iter().any(|signal| signal == CLUSTER_SIGNAL) {
                    let fault = Fault::new(source.span, "`cluster_note` must know the cluster");
                    return Err(fault
                        .help(format!("before it, `- wait: {{ signal: {CLUSTER_SIGNAL} }}`"))
                        .into());
                }
                Step::ClusterNote(ClusterNote { cluster: self.noted_cluster() })
            }
            HostStep::Clock => Step::Clock(Clock {
                reference: self.scene.inputs.clocks.get(&self.host.name).cloned(),
                tolerance_milliseconds: CLOCK_TOLERANCE,
            }),
        })
    }

    fn late(&self, id: &StepId, source: &HostStep, step: &Step) -> Option<Late> {
        let config = match source {
            HostStep::KubeadmInit { config, .. } | HostStep::KubeadmJoin { config, .. } => {
                Some(config.clone())
            }
            HostStep::ClusterNote => None,
            _ => return None,
        };
        let ca_signal = self.ca_signal().filter(|_| matches!(source, HostStep::KubeadmJoin { .. }));
        let templates = &self.site.templates;
        let mut signals: BTreeSet<String> = ca_signal.clone().into_iter().collect();
        if config.as_ref().is_some_and(|config| templates.uses(config, "signals")) {
            signals.extend(self.waits.iter().cloned());
        }
        if config.is_none() {
            signals.insert(CLUSTER_SIGNAL.to_owned());
        }
        Some(Late {
            id: id.clone(),
            step: step.clone(),
            signals,
            ca_signal,
            needs_token: config.as_ref().is_some_and(|config| templates.uses(config, "ephemeral")),
            config,
            templates: templates.clone(),
            context: self.context.clone(),
        })
    }

    /// Which of the signals waited for tells the CA's hash.
    fn ca_signal(&self) -> Option<String> {
        self.waits.iter().find(|signal| self.site.is_from_init(signal)).cloned()
    }

    /// The hash of the CA of a leader that is a member already.
    fn live_ca_hash(&self) -> Option<&String> {
        let kubernetes = &self.scene.inputs.facts.get(self.scene.inputs.leader)?.kubernetes;
        kubernetes.ca_hash.as_ref().filter(|_| kubernetes.kubelet_conf && kubernetes.admin_conf)
    }

    /// The cluster that the leader's note, else this host's own, tells of, if the live CA agrees with it. What nobody
    /// knows yet is empty, so that no note equals it.
    fn noted_cluster(&self) -> ClusterId {
        let name = &self.scene.inputs.inventory.cluster.name;
        let leader = self.scene.inputs.facts.get(self.scene.inputs.leader);
        let live =
            leader.map_or(self.facts.kubernetes.ca_hash.as_ref(), |facts| facts.kubernetes.ca_hash.as_ref());
        let note = leader.unwrap_or(self.facts).garboard.cluster.as_ref();
        note.filter(|note| note.name == *name && live == Some(&note.ca_hash))
            .cloned()
            .unwrap_or_else(|| ClusterId { name: name.clone(), ca_hash: String::new(), uid: String::new() })
    }
}
