//! The kinds that run on the cluster.

use super::Reader;
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
            "label" => self.word(node, &["inventory"]).map(|_| Kind::Label),
            "taint" => self.word(node, &["inventory"]).map(|_| Kind::Taint),
            _ => {
                Fields::of(node, "`token`", self.faults)?.finish(self.faults);
                Some(Kind::Token)
            }
        }
    }
}
