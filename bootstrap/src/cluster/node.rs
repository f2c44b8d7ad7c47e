//! Nodes: what they report, waiting for them, their labels, their end.

use std::collections::BTreeMap;
use std::time::Duration;

use garboard_protocol::Change;
use garboard_protocol::change::Field;
use k8s_openapi::api::core::v1::Node;
use kube::ResourceExt;
use kube::api::{Api, DeleteParams, ListParams, Patch, PatchParams};
use kube::runtime::watcher;
use serde_json::json;

use super::ask::ask;
use super::error::ClusterError;
use super::{Cluster, FIELD_MANAGER};

const CONTROL_PLANE: &str = "node-role.kubernetes.io/control-plane";

/// A node as the cluster sees it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NodeState {
    /// Its name.
    pub name: String,
    /// Whether it is Ready.
    pub ready: bool,
    /// Why it is not, in the kubelet's words.
    pub reason: Option<String>,
    /// Of its kubelet, with a `v`.
    pub kubelet: String,
    /// Whether it is a control plane.
    pub control_plane: bool,
    /// Whether it was cordoned.
    pub unschedulable: bool,
    /// Its addresses inside the cluster.
    pub addresses: Vec<String>,
    /// All of them.
    pub labels: BTreeMap<String, String>,
}

impl Cluster {
    fn node_api(&self) -> Api<Node> {
        Api::all(self.client.clone())
    }

    /// All nodes, by name.
    pub async fn nodes(&self) -> Result<Vec<NodeState>, ClusterError> {
        let api = self.node_api();
        let parameters = ListParams::default();
        let nodes = ask("list the nodes", || api.list(&parameters)).await?;
        let mut nodes: Vec<NodeState> = nodes.items.iter().map(state).collect();
        nodes.sort_by(|left, right| left.name.cmp(&right.name));
        Ok(nodes)
    }

    /// Waits until all these nodes are registered and, with `ready`, Ready. `on_progress` gets what is still lacking,
    /// one entry a node, each time that changes.
    pub async fn wait_nodes(
        &self,
        names: &[String],
        ready: bool,
        deadline: Duration,
        on_progress: impl Fn(&[String]),
    ) -> Result<(), ClusterError> {
        let awaited = format!(
            "{} to be {}",
            if names.len() == 1 { format!("node {}", names[0]) } else { format!("{} nodes", names.len()) },
            if ready { "Ready" } else { "registered" },
        );
        let lacking = |nodes: &BTreeMap<String, Node>| {
            let states = nodes.iter().map(|(name, node)| (name.clone(), state(node))).collect();
            lacking(&states, names, ready)
        };
        let config = watcher::Config::default();
        self.until_all(self.node_api(), config, &awaited, deadline, lacking, on_progress).await
    }

    /// What [`Cluster::label`] would change; writes nothing.
    pub async fn label_differs(
        &self,
        node: &str,
        labels: &BTreeMap<String, Option<String>>,
    ) -> Result<Vec<Change>, ClusterError> {
        let api = self.node_api();
        let asked = format!("read the node {node}");
        let found = ask(&asked, || api.get_opt(node)).await?;
        Ok(label_changes(node, found.as_ref().map(ResourceExt::labels), labels))
    }

    /// Gives a node these labels, and takes those without a value; others of it stay. What is right already is not written.
    pub async fn label(
        &self,
        node: &str,
        labels: &BTreeMap<String, Option<String>>,
    ) -> Result<Vec<Change>, ClusterError> {
        let changes = self.label_differs(node, labels).await?;
        if changes.is_empty() {
            return Ok(changes);
        }
        let api = self.node_api();
        // RFC 7396: a key with `null` goes away.
        let patch = Patch::Merge(json!({ "metadata": { "labels": labels } }));
        let parameters =
            PatchParams { field_manager: Some(FIELD_MANAGER.to_owned()), ..PatchParams::default() };
        let asked = format!("label the node {node}");
        ask(&asked, || api.patch(node, &parameters, &patch)).await?;
        Ok(changes)
    }

    /// Removes a node's object; whether there was one. What runs on the host is not touched.
    pub async fn delete_node(&self, name: &str) -> Result<bool, ClusterError> {
        let api = self.node_api();
        let parameters = DeleteParams::default();
        let asked = format!("delete the node {name}");
        match ask(&asked, || api.delete(name, &parameters)).await {
            Ok(_) => Ok(true),
            Err(ClusterError::Refused { code: 404, .. }) => Ok(false),
            Err(error) => Err(error),
        }
    }
}

fn state(node: &Node) -> NodeState {
    let status = node.status.as_ref();
    let conditions = status.and_then(|status| status.conditions.as_deref()).unwrap_or_default();
    let condition = conditions.iter().find(|condition| condition.type_ == "Ready");
    let ready = condition.is_some_and(|condition| condition.status == "True");
    let reason = condition.map_or_else(
        || Some("its kubelet has not reported yet".to_owned()),
        |condition| condition.message.clone().or_else(|| condition.reason.clone()),
    );
    let addresses = status.and_then(|status| status.addresses.as_deref()).unwrap_or_default();
    let info = status.and_then(|status| status.node_info.as_ref());
    NodeState {
        name: node.name_any(),
        ready,
        reason: reason.filter(|_| !ready),
        kubelet: info.map(|info| info.kubelet_version.clone()).unwrap_or_default(),
        control_plane: node.labels().contains_key(CONTROL_PLANE),
        unschedulable: node.spec.as_ref().and_then(|spec| spec.unschedulable).unwrap_or_default(),
        addresses: addresses
            .iter()
            .filter(|address| address.type_ == "InternalIP")
            .map(|address| address.address.clone())
            .collect(),
        labels: node.labels().clone(),
    }
}

/// What keeps these nodes from being as wanted, one entry each.
fn lacking(nodes: &BTreeMap<String, NodeState>, names: &[String], ready: bool) -> Vec<String> {
    let of_one = |name: &String| match nodes.get(name) {
        None => Some(format!("{name}: not registered")),
        Some(node) if ready && !node.ready => {
            let reason = node.reason.as_deref().unwrap_or("no reason given");
            Some(format!("{name}: not Ready ({reason})"))
        }
        Some(_) => None,
    };
    names.iter().filter_map(of_one).collect()
}

fn label_changes(
    node: &str,
    present: Option<&BTreeMap<String, String>>,
    wanted: &BTreeMap<String, Option<String>>,
) -> Vec<Change> {
    let before = |key: &String| present.and_then(|present| present.get(key)).cloned();
    wanted
        .iter()
        .filter(|(key, value)| before(key) != **value)
        .map(|(key, value)| {
            Change::new(format!("Node {node} label {key}"), Field::Value, before(key), value.clone())
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use k8s_openapi::api::core::v1::Node;
    use serde_json::json;

    use super::{label_changes, lacking, state};

    fn node(ready: &str, message: &str) -> Node {
        serde_json::from_value(json!({
            "metadata": {"name": "w1", "labels": {"node-role.kubernetes.io/control-plane": "", "disk": "hdd"}},
            "status": {
                "conditions": [
                    {"type": "MemoryPressure", "status": "False"},
                    {"type": "Ready", "status": ready, "reason": "KubeletNotReady", "message": message},
                ],
                "addresses": [{"type": "Hostname", "address": "w1"}, {"type": "InternalIP", "address": "10.0.0.2"}],
            },
        }))
        .unwrap()
    }

    #[test]
    fn a_node_is_ready_by_its_condition_and_tells_why_not() {
        let ready = state(&node("True", "kubelet is posting ready status"));
        assert!(ready.ready && ready.reason.is_none() && ready.control_plane);
        assert_eq!(ready.addresses, ["10.0.0.2"]);
        let waiting = state(&node("False", "cni plugin not initialized"));
        assert_eq!(waiting.reason.as_deref(), Some("cni plugin not initialized"));
        assert!(!state(&node("Unknown", "")).ready);
    }

    #[test]
    fn what_is_lacking_is_told_for_each_node() {
        let nodes = BTreeMap::from([("w1".to_owned(), state(&node("False", "cni plugin not initialized")))]);
        let names = ["w1".to_owned(), "w2".to_owned()];
        let told = lacking(&nodes, &names, true);
        assert_eq!(told, ["w1: not Ready (cni plugin not initialized)", "w2: not registered"]);
        assert_eq!(lacking(&nodes, &names[..1], false), [""; 0]);
    }

    #[test]
    fn only_labels_that_differ_are_changes() {
        let labels = |pairs: &[(&str, &str)]| -> BTreeMap<String, String> {
            pairs.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect()
        };
        let present = labels(&[("disk", "hdd"), ("edge", "true"), ("zone", "a")]);
        let wanted = labels(&[("disk", "ssd"), ("zone", "a"), ("new", "1")]);
        let mut wanted: BTreeMap<String, Option<String>> =
            wanted.into_iter().map(|(key, value)| (key, Some(value))).collect();
        wanted.extend([("edge".to_owned(), None), ("never".to_owned(), None)]);
        let changes = label_changes("w1", Some(&present), &wanted);
        let told: Vec<_> =
            changes.iter().map(|change| (change.subject.as_str(), change.before.as_deref())).collect();
        assert_eq!(
            told,
            [
                ("Node w1 label disk", Some("hdd")),
                ("Node w1 label edge", Some("true")),
                ("Node w1 label new", None)
            ]
        );
    }
}
