//! A node out of service for a while: cordoned, its pods moved elsewhere, and taken back once it is Ready again.

use std::collections::BTreeMap;
use std::time::Duration;

use futures::future::try_join_all;
use k8s_openapi::api::core::v1::{Node, Pod};
use kube::ResourceExt;
use kube::api::{Api, EvictParams, ListParams, Patch, PatchParams};
use kube::runtime::watcher;
use serde_json::json;
use tokio::time::{Instant, sleep};

use super::ask::ask;
use super::error::ClusterError;
use super::{Cluster, FIELD_MANAGER};

/// On a node that we cordoned: who comes next knows that it is ours to take back.
const CORDONED: &str = "garboard/cordoned";
/// What the kubelet puts on the mirror of a pod that it runs from a file.
const MIRROR: &str = "kubernetes.io/config.mirror";
/// Between two attempts that the API server refuses for now: to evict a pod whose budget allows none, to look at a node.
const PAUSE: Duration = Duration::from_secs(2);

/// Pods of a node, as a drain sees them.
#[derive(Debug, Default, PartialEq, Eq)]
struct Pods {
    /// Namespace and name of those that are evicted: others are made elsewhere in their place.
    movable: Vec<(String, String)>,
    /// Those that nobody would make again.
    alone: Vec<String>,
}

impl Cluster {
    /// Nodes that an earlier run cordoned and did not take back.
    pub async fn left_cordoned(&self) -> Result<Vec<String>, ClusterError> {
        let api: Api<Node> = Api::all(self.client.clone());
        let parameters = ListParams::default();
        let nodes = ask("list the nodes", || api.list(&parameters)).await?;
        let ours = nodes.items.iter().filter(|node| node.annotations().contains_key(CORDONED));
        Ok(ours.map(ResourceExt::name_any).collect())
    }

    /// No further pods come to the node. One that somebody else has cordoned stays theirs.
    pub async fn cordon(&self, name: &str) -> Result<(), ClusterError> {
        let api: Api<Node> = Api::all(self.client.clone());
        let asked = format!("cordon the node {name}");
        let node = ask(&asked, || api.get(name)).await?;
        if node.spec.and_then(|spec| spec.unschedulable).unwrap_or_default() {
            return Ok(());
        }
        let patch = json!({
            "metadata": { "annotations": { CORDONED: "for a reboot" } },
            "spec": { "unschedulable": true },
        });
        self.patch_node(&asked, name, &patch).await
    }

    /// Pods may come to the node again, if it was us who kept them away.
    pub async fn uncordon(&self, name: &str) -> Result<(), ClusterError> {
        let api: Api<Node> = Api::all(self.client.clone());
        let asked = format!("uncordon the node {name}");
        let node = ask(&asked, || api.get(name)).await?;
        if !node.annotations().contains_key(CORDONED) {
            return Ok(());
        }
        let patch = json!({
            "metadata": { "annotations": { CORDONED: null } },
            "spec": { "unschedulable": null },
        });
        self.patch_node(&asked, name, &patch).await
    }

    async fn patch_node(
        &self,
        asked: &str,
        name: &str,
        patch: &serde_json::Value,
    ) -> Result<(), ClusterError> {
        let api: Api<Node> = Api::all(self.client.clone());
        let parameters =
            PatchParams { field_manager: Some(FIELD_MANAGER.to_owned()), ..PatchParams::default() };
        let patch = Patch::Merge(patch);
        ask(asked, || api.patch(name, &parameters, &patch)).await.map(drop)
    }

    /// Evicts the node's pods and waits until they are gone. Disruption budgets are honoured; pods of `DaemonSets` and of the kubelet
    /// itself stay. Nothing is evicted where a pod is there that nobody would make again.
    pub async fn evict(
        &self,
        node: &str,
        deadline: Duration,
        on_progress: impl Fn(&[String]),
    ) -> Result<(), ClusterError> {
        let end = Instant::now() + deadline;
        let everywhere: Api<Pod> = Api::all(self.client.clone());
        let on_node = format!("spec.nodeName={node}");
        let parameters = ListParams::default().fields(&on_node);
        let asked = format!("list the pods of {node}");
        let pods = pods(&ask(&asked, || everywhere.list(&parameters)).await?.items);
        if !pods.alone.is_empty() {
            return Err(ClusterError::Alone { node: node.to_owned(), pods: pods.alone });
        }
        try_join_all(pods.movable.iter().map(|(namespace, name)| self.evict_one(namespace, name, end)))
            .await?;
        let config = watcher::Config::default().fields(&on_node);
        let lacking = |all: &BTreeMap<String, Pod>| {
            let left = all.values().filter(|pod| movable(pod).is_some());
            left.map(|pod| format!("{} is still there", title(pod))).collect::<Vec<_>>()
        };
        let awaited = format!("the pods of {node} to go");
        let left = end.saturating_duration_since(Instant::now());
        self.until_all(everywhere, config, &awaited, left, lacking, on_progress).await
    }

    async fn evict_one(&self, namespace: &str, name: &str, end: Instant) -> Result<(), ClusterError> {
        let api: Api<Pod> = Api::namespaced(self.client.clone(), namespace);
        let (asked, parameters) = (format!("evict the pod {namespace}/{name}"), EvictParams::default());
        loop {
            match ask(&asked, || api.evict(name, &parameters)).await {
                Ok(_) | Err(ClusterError::Refused { code: 404, .. }) => return Ok(()),
                // Its disruption budget allows none now.
                Err(ClusterError::Refused { code: 429, .. }) if Instant::now() + PAUSE < end => {
                    sleep(PAUSE).await;
                }
                Err(error) => return Err(error),
            }
        }
    }

    /// Waits until the node is Ready in this boot: what it said before the reboot stands there for a while after it.
    pub async fn ready_in_boot(
        &self,
        name: &str,
        boot_id: &str,
        deadline: Duration,
    ) -> Result<(), ClusterError> {
        let awaited = format!("node {name} to be Ready after its reboot");
        let end = Instant::now() + deadline;
        loop {
            let api: Api<Node> = Api::all(self.client.clone());
            let left = end.saturating_duration_since(Instant::now());
            match self.until(api, name, &awaited, left, |node| not_ready_in(node, boot_id)).await {
                // An API server that has just started forbids everything until it has read the roles; nothing tells when that is.
                Err(ClusterError::Refused { code: 403, .. }) if Instant::now() + PAUSE < end => {
                    sleep(PAUSE).await;
                }
                ended => return ended,
            }
        }
    }
}

fn not_ready_in(node: Option<&Node>, boot_id: &str) -> Vec<String> {
    let status = node.and_then(|node| node.status.as_ref());
    let Some(status) = status else { return vec!["it is not registered".to_owned()] };
    if status.node_info.as_ref().is_none_or(|info| info.boot_id != boot_id) {
        return vec!["its kubelet has not reported since the reboot".to_owned()];
    }
    let conditions = status.conditions.as_deref().unwrap_or_default();
    match conditions.iter().find(|condition| condition.type_ == "Ready") {
        Some(condition) if condition.status == "True" => Vec::new(),
        Some(condition) => vec![condition.message.clone().unwrap_or_else(|| "it is not Ready".to_owned())],
        None => vec!["it has no condition Ready".to_owned()],
    }
}

fn pods(all: &[Pod]) -> Pods {
    let mut pods = Pods::default();
    for pod in all {
        match movable(pod) {
            None => {}
            Some(true) => {
                pods.movable.push((pod.namespace().unwrap_or_default(), pod.name_any()));
            }
            Some(false) => pods.alone.push(title(pod)),
        }
    }
    pods
}

/// Whether a pod has to go: `None`, it stays or is over; `Some(false)`, nobody would make it again.
fn movable(pod: &Pod) -> Option<bool> {
    let phase = pod.status.as_ref().and_then(|status| status.phase.as_deref());
    if pod.annotations().contains_key(MIRROR) || matches!(phase, Some("Succeeded" | "Failed")) {
        return None;
    }
    let controller = pod.owner_references().iter().find(|owner| owner.controller == Some(true));
    match controller {
        Some(owner) if owner.kind == "DaemonSet" => None,
        owner => Some(owner.is_some()),
    }
}

fn title(pod: &Pod) -> String {
    format!("{}/{}", pod.namespace().unwrap_or_default(), pod.name_any())
}

#[cfg(test)]
mod tests {
    use k8s_openapi::api::core::v1::{Node, Pod};
    use serde_json::{Value, json};

    use super::{Pods, not_ready_in, pods};

    fn pod(name: &str, annotations: &Value, owner: Option<&str>, phase: &str) -> Pod {
        let owners: Vec<Value> = owner
            .map(|kind| json!({"apiVersion": "apps/v1", "kind": kind, "name": "x", "uid": "1", "controller": true}))
            .into_iter()
            .collect();
        serde_json::from_value(json!({
            "metadata": {"namespace": "a", "name": name, "annotations": annotations, "ownerReferences": owners},
            "status": {"phase": phase},
        }))
        .unwrap()
    }

    #[test]
    fn pods_of_controllers_move_and_what_nobody_would_make_again_is_named() {
        let none = json!({});
        let all = [
            pod("web", &none, Some("ReplicaSet"), "Running"),
            pod("net", &none, Some("DaemonSet"), "Running"),
            pod("etcd", &json!({"kubernetes.io/config.mirror": "x"}), Some("Node"), "Running"),
            pod("job", &none, Some("Job"), "Succeeded"),
            pod("mine", &none, None, "Running"),
            pod("over", &none, None, "Failed"),
        ];
        let expected =
            Pods { movable: vec![("a".to_owned(), "web".to_owned())], alone: vec!["a/mine".to_owned()] };
        assert_eq!(pods(&all), expected);
    }

    #[test]
    fn what_a_node_said_before_its_reboot_does_not_count() {
        let node = |boot: &str, ready: &str| -> Node {
            serde_json::from_value(json!({
                "metadata": {"name": "w1"},
                "status": {
                    "conditions": [{"type": "Ready", "status": ready, "message": "cni plugin not initialized"}],
                    "nodeInfo": {
                        "architecture": "", "bootID": boot, "containerRuntimeVersion": "", "kernelVersion": "",
                        "kubeProxyVersion": "", "kubeletVersion": "", "machineID": "", "operatingSystem": "",
                        "osImage": "", "systemUUID": "",
                    },
                },
            }))
            .unwrap()
        };
        assert_eq!(not_ready_in(Some(&node("old", "True")), "new").len(), 1);
        assert_eq!(not_ready_in(Some(&node("new", "False")), "new"), ["cni plugin not initialized"]);
        assert_eq!(not_ready_in(Some(&node("new", "True")), "new"), [""; 0]);
        assert_eq!(not_ready_in(None, "new").len(), 1);
    }
}
