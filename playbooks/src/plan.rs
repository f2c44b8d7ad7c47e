//! What rendering gives: chains of steps, ready to be probed and sent.

use std::collections::BTreeMap;

use garboard_protocol::step::StepId;
use garboard_protocol::{Owned, Step};

use crate::late::Late;

/// A site, rendered for one inventory, its facts and its lock.
#[derive(Debug, Clone, Default)]
pub struct Rendered {
    /// The chain of every host whose facts are known, by its name.
    pub hosts: BTreeMap<String, Vec<PlannedStep>>,
    /// The chain of the cluster itself.
    pub cluster: Vec<PlannedClusterStep>,
    /// What software will make by itself on each of these hosts.
    pub owns: BTreeMap<String, Vec<Owned>>,
    /// A factor for every deadline of the control plane; see [`crate::patience`].
    pub patience: u32,
}

/// A step of a host.
#[derive(Debug, Clone)]
pub struct PlannedStep {
    /// `PLAYBOOK/NUMBER`; numbers count all steps of the playbook, also those left out here by their `when`.
    pub id: StepId,
    /// The playbook's name.
    pub playbook: String,
    /// Ready to be probed. Where `late` is there: without what is known only later.
    pub step: Step,
    /// Signals that must have been given before it may be sent; those of earlier waits of the chain included.
    pub waits: Vec<String>,
    /// The signal it gives when done or found done.
    pub gives: Option<String>,
    /// How to complete it when it is sent.
    pub late: Option<Late>,
    /// Whether it follows from what the agent observed on the host: after a reboot it may be another one.
    pub of_facts: bool,
}

/// A step of the cluster.
#[derive(Debug, Clone, PartialEq)]
pub struct PlannedClusterStep {
    /// `PLAYBOOK/NUMBER`, or `PLAYBOOK/NUMBER/NODE` where one written step became one for each node.
    pub id: StepId,
    /// The playbook's name.
    pub playbook: String,
    /// What it does.
    pub step: ClusterStep,
    /// Signals that must have been given before it may start; its own, where it is a wait, included.
    pub waits: Vec<String>,
    /// The signal it gives when done or found done.
    pub gives: Option<String>,
}

/// The kinds of the cluster.
#[derive(Debug, Clone, PartialEq)]
pub enum ClusterStep {
    /// Objects to apply, in their order.
    Manifest {
        /// Complete objects.
        documents: Vec<serde_json::Value>,
    },
    /// Wait for a signal.
    Wait {
        /// Its name.
        signal: String,
    },
    /// Wait for nodes.
    WaitNodes {
        /// Their names.
        names: Vec<String>,
        /// Until they are Ready; else until they are registered.
        ready: bool,
    },
    /// Labels of one node.
    Label {
        /// Its name.
        node: String,
        /// Keys and values that it has to have, and keys of ours that it must not have; others stay.
        labels: BTreeMap<String, Option<String>>,
    },
    /// The bootstrap token of this run, where some host has yet to join.
    Token,
    /// Wait until all pods of a workload run as its newest manifest says.
    WaitRollout(Workload),
    /// A taint of one node: pods that do not tolerate it are not scheduled there.
    Taint {
        /// Its name.
        node: String,
        /// The taint's key.
        key: String,
        /// Its value; `None`: it must not be there.
        value: Option<String>,
    },
}

/// Pods that are made from one template.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Workload {
    /// Which kind of them.
    pub kind: WorkloadKind,
    /// Its namespace.
    pub namespace: String,
    /// Its name.
    pub name: String,
}

/// The kinds of workloads that can be waited for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum WorkloadKind {
    /// One pod on each node that is meant.
    DaemonSet,
    /// A number of pods.
    Deployment,
}

impl std::fmt::Display for Workload {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let kind = match self.kind {
            WorkloadKind::DaemonSet => "DaemonSet",
            WorkloadKind::Deployment => "Deployment",
        };
        write!(formatter, "{kind} {}/{}", self.namespace, self.name)
    }
}

impl ClusterStep {
    /// The kind's name in YAML.
    pub fn kind(&self) -> &'static str {
        match self {
            Self::Manifest { .. } => "manifest",
            Self::Wait { .. } => "wait",
            Self::WaitNodes { .. } => "wait_nodes",
            Self::WaitRollout(_) => "wait_rollout",
            Self::Label { .. } => "label",
            Self::Token => "token",
            Self::Taint { .. } => "taint",
        }
    }
}
