//! Taints of nodes: which pods keep away.

use garboard_protocol::Change;
use garboard_protocol::change::Field;
use k8s_openapi::api::core::v1::{Node, Taint};
use kube::ResourceExt;
use kube::api::{Api, Patch, PatchParams};
use serde_json::json;

use super::ask::ask;
use super::error::ClusterError;
use super::{Cluster, FIELD_MANAGER};

/// Pods that do not tolerate it are not scheduled; those that run stay.
const EFFECT: &str = "NoSchedule";
/// A node's taints are one list, which others change too: how often one is written anew that was changed in between.
const ATTEMPTS: u32 = 5;

impl Cluster {
    /// What [`Cluster::taint`] would change; writes nothing.
    pub async fn taint_differs(
        &self,
        node: &str,
        key: &str,
        value: Option<&str>,
    ) -> Result<Vec<Change>, ClusterError> {
        let api: Api<Node> = Api::all(self.client.clone());
        let asked = format!("read the node {node}");
        let found = ask(&asked, || api.get_opt(node)).await?;
        Ok(changes(node, &taints(found.as_ref()), key, value))
    }

    /// Gives a node this taint with the effect `NoSchedule`, or takes it without a value; others of it stay. What is right already is not
    /// written.
    pub async fn taint(
        &self,
        node: &str,
        key: &str,
        value: Option<&str>,
    ) -> Result<Vec<Change>, ClusterError> {
        let api: Api<Node> = Api::all(self.client.clone());
        let asked = format!("read the node {node}");
        let parameters =
            PatchParams { field_manager: Some(FIELD_MANAGER.to_owned()), ..PatchParams::default() };
        let mut attempt = 1;
        loop {
            let found = ask(&asked, || api.get(node)).await?;
            let present = taints(Some(&found));
            let changes = changes(node, &present, key, value);
            if changes.is_empty() {
                return Ok(changes);
            }
            let patch = Patch::Merge(json!({
                // Refused where somebody has changed the node since it was read.
                "metadata": { "resourceVersion": found.resource_version() },
                "spec": { "taints": with(present, key, value) },
            }));
            let asked = format!("taint the node {node}");
            match ask(&asked, || api.patch(node, &parameters, &patch)).await {
                Ok(_) => return Ok(changes),
                Err(ClusterError::Refused { code: 409, .. }) if attempt < ATTEMPTS => attempt += 1,
                Err(error) => return Err(error),
            }
        }
    }
}

fn taints(node: Option<&Node>) -> Vec<Taint> {
    node.and_then(|node| node.spec.as_ref()?.taints.clone()).unwrap_or_default()
}

fn is_it(taint: &Taint, key: &str) -> bool {
    taint.key == key && taint.effect == EFFECT
}

fn changes(node: &str, present: &[Taint], key: &str, value: Option<&str>) -> Vec<Change> {
    let before =
        present.iter().find(|taint| is_it(taint, key)).map(|taint| taint.value.clone().unwrap_or_default());
    if before.as_deref() == value {
        return Vec::new();
    }
    let subject = format!("Node {node} taint {key}:{EFFECT}");
    vec![Change::new(subject, Field::Value, before, value.map(str::to_owned))]
}

fn with(present: Vec<Taint>, key: &str, value: Option<&str>) -> Vec<Taint> {
    let mut taints: Vec<Taint> = present.into_iter().filter(|taint| !is_it(taint, key)).collect();
    if let Some(value) = value {
        let (key, value) = (key.to_owned(), Some(value.to_owned()));
        taints.push(Taint { key, value, effect: EFFECT.to_owned(), ..Taint::default() });
    }
    taints
}

#[cfg(test)]
mod tests {
    use k8s_openapi::api::core::v1::Taint;

    use super::{changes, with};

    fn taint(key: &str, value: &str, effect: &str) -> Taint {
        let (key, value) = (key.to_owned(), Some(value.to_owned()));
        Taint { key, value, effect: effect.to_owned(), ..Taint::default() }
    }

    #[test]
    fn only_the_taint_that_is_meant_changes() {
        let present = vec![
            taint("node.kubernetes.io/unreachable", "", "NoExecute"),
            taint("garboard/edge", "false", "NoSchedule"),
            taint("garboard/edge", "mine", "NoExecute"),
        ];
        let change = &changes("dmz1", &present, "garboard/edge", Some("true"))[0];
        assert_eq!(change.subject, "Node dmz1 taint garboard/edge:NoSchedule");
        assert_eq!(change.before.as_deref(), Some("false"));
        let after = with(present.clone(), "garboard/edge", Some("true"));
        assert_eq!(
            after,
            [present[0].clone(), present[2].clone(), taint("garboard/edge", "true", "NoSchedule")]
        );
        assert!(changes("dmz1", &after, "garboard/edge", Some("true")).is_empty());
        // A host that is no edge any more.
        let change = &changes("dmz1", &after, "garboard/edge", None)[0];
        assert_eq!((change.before.as_deref(), change.after.as_deref()), (Some("true"), None));
        let without = with(after, "garboard/edge", None);
        assert_eq!(without, [present[0].clone(), present[2].clone()]);
        assert!(changes("dmz1", &without, "garboard/edge", None).is_empty());
    }
}
