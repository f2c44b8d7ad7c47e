//! The chain of the cluster itself.

use std::collections::BTreeMap;

use garboard_inventory::Host;
use garboard_protocol::step::StepId;
use serde_json::Value;
use tera::Context;

use super::Scene;
use crate::Site;
use crate::diagnostic::{Fault, Faults};
use crate::late::first_line;
use crate::plan::{ClusterStep, PlannedClusterStep};
use crate::playbook::{Kind, Playbook, Selector, SourceStep};
use crate::template::Text;

/// The taint of a node that faces the internet.
const EDGE_TAINT: &str = "garboard/edge";
/// A kubelet cannot give its own node labels with this prefix (the admission plugin `NodeRestriction`): a host that was taken does not
/// call itself one of another tier.
const RESTRICTED: &str = "garboard.node-restriction.kubernetes.io";

/// The labels of a host's node: the user's, and those of its tier where the inventory speaks of tiers.
/// With those that another inventory may have given it.
fn labels(host: &Host) -> BTreeMap<String, Option<String>> {
    let own = host.labels.iter().map(|(key, value)| (key.clone(), Some(value.clone())));
    let mut labels: BTreeMap<String, Option<String>> = own.collect();
    let zone = (host.zone.is_some() || host.edge).then(|| host.tier().word().to_owned());
    labels.insert(format!("{RESTRICTED}/zone"), zone);
    labels.insert(format!("{RESTRICTED}/edge"), host.edge.then(|| "true".to_owned()));
    labels
}

impl Site {
    pub(crate) fn cluster_chain(
        &self,
        playbooks: &[&Playbook],
        scene: &Scene<'_>,
        faults: &mut Faults,
    ) -> Vec<PlannedClusterStep> {
        let mut chain: Vec<PlannedClusterStep> = Vec::new();
        let mut waits: Vec<String> = Vec::new();
        for playbook in playbooks.iter().filter(|playbook| playbook.hosts == Selector::Cluster) {
            let context = scene.cluster_context(&playbook.vars);
            for source in &playbook.steps {
                if let Kind::Wait(signal) = &source.kind
                    && !waits.contains(&signal.value)
                {
                    waits.push(signal.value.clone());
                }
                let id = format!("{}/{}", playbook.name, source.number);
                match self.cluster_steps(source, &id, scene, &context) {
                    Ok(steps) => {
                        let last = steps.len().saturating_sub(1);
                        chain.extend(steps.into_iter().enumerate().map(|(index, (id, step))| {
                            PlannedClusterStep {
                                id: StepId(id),
                                playbook: playbook.name.clone(),
                                step,
                                waits: waits.clone(),
                                gives: source
                                    .gives
                                    .as_ref()
                                    .filter(|_| index == last)
                                    .map(|gives| gives.value.clone()),
                            }
                        }));
                    }
                    Err(fault) => faults.push_first(fault),
                }
            }
        }
        chain
    }

    fn cluster_steps(
        &self,
        source: &SourceStep,
        id: &str,
        scene: &Scene<'_>,
        context: &Context,
    ) -> Result<Vec<(String, ClusterStep)>, Fault> {
        if let Some(when) = &source.when
            && self.templates.render(when, context)? != "yes"
        {
            return Ok(Vec::new());
        }
        let one = |step| vec![(id.to_owned(), step)];
        Ok(match &source.kind {
            Kind::Wait(signal) => one(ClusterStep::Wait { signal: signal.value.clone() }),
            Kind::Manifest(template) => {
                one(ClusterStep::Manifest { documents: self.documents(template, context)? })
            }
            Kind::WaitNodes { ready } => {
                let names = scene.reached().map(|(host, _)| host.name.clone()).collect();
                one(ClusterStep::WaitNodes { names, ready: *ready })
            }
            Kind::WaitRollout(workload) => one(ClusterStep::WaitRollout(workload.clone())),
            Kind::Label => scene
                .reached()
                .map(|(host, _)| {
                    let step = ClusterStep::Label { node: host.name.clone(), labels: labels(host) };
                    (format!("{id}/{}", host.name), step)
                })
                .collect(),
            Kind::Token => one(ClusterStep::Token),
            Kind::Taint => scene
                .reached()
                .map(|(host, _)| {
                    let (node, key) = (host.name.clone(), EDGE_TAINT.to_owned());
                    let value = host.edge.then(|| "true".to_owned());
                    let step = ClusterStep::Taint { node, key, value };
                    (format!("{id}/{}", host.name), step)
                })
                .collect(),
            Kind::Host(_) => Vec::new(),
        })
    }

    /// The objects of a manifest; each must say what it is.
    fn documents(&self, template: &Text, context: &Context) -> Result<Vec<Value>, Fault> {
        let text = self.templates.render(template, context)?;
        let documents: Vec<Value> = serde_saphyr::from_multiple(&text).map_err(|error| {
            Fault::new(template.span, format!("this template does not give YAML: {}", first_line(&error)))
        })?;
        let documents: Vec<Value> = documents.into_iter().filter(|document| !document.is_null()).collect();
        for (index, document) in documents.iter().enumerate() {
            let has = |pointer| {
                document.pointer(pointer).and_then(Value::as_str).is_some_and(|text| !text.is_empty())
            };
            if let Some(missing) =
                ["/apiVersion", "/kind", "/metadata/name"].into_iter().find(|path| !has(path))
            {
                let key = missing.trim_start_matches('/').replace('/', ".");
                let message = format!("document {} of this template has no `{key}`", index + 1);
                return Err(Fault::new(template.span, message));
            }
        }
        if documents.is_empty() {
            return Err(Fault::new(template.span, "this template gives no object"));
        }
        Ok(documents)
    }
}
