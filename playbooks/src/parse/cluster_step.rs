//! The kinds that run on the cluster.

use super::Reader;
use crate::plan::{Workload, WorkloadKind};
use crate::playbook::Kind;
use crate::yaml::{Fields, Node};

impl Reader<'_> {
    pub(crate) fn cluster_step(&mut self, kind: &str, node: &Node) -> Option<Kind> {
        match kind {
            "manifest" => {
                let mut fields = Fields::of(node, "`manifest`", self.faults)?;
                let template = fields.required("template", self.faults);
                fields.finish(self.faults);
                Some(Kind::Manifest(self.template(template?)?))
            }
            "wait_nodes" => match self.word(node, &["registered", "ready"])? {
                "ready" => Some(Kind::WaitNodes { ready: true }),
                _ => Some(Kind::WaitNodes { ready: false }),
            },
            "wait_rollout" => self.wait_rollout(node),
            "label" => self.word(node, &["inventory"]).map(|_| Kind::Label),
            "taint" => self.word(node, &["inventory"]).map(|_| Kind::Taint),
            _ => {
                Fields::of(node, "`token`", self.faults)?.finish(self.faults);
                Some(Kind::Token)
            }
        }
    }

    fn wait_rollout(&mut self, node: &Node) -> Option<Kind> {
        let mut fields = Fields::of(node, "`wait_rollout`", self.faults)?;
        let kind = fields.required("kind", self.faults);
        let namespace = fields.required("namespace", self.faults);
        let name = fields.required("name", self.faults);
        fields.finish(self.faults);
        let kind = match self.word(kind?, &["DaemonSet", "Deployment"])? {
            "DaemonSet" => WorkloadKind::DaemonSet,
            _ => WorkloadKind::Deployment,
        };
        let namespace = self.literal(namespace?, "the name of a namespace")?.value;
        let name = self.literal(name?, "the name of a workload")?.value;
        Some(Kind::WaitRollout(Workload { kind, namespace, name }))
    }
}
