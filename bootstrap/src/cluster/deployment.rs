//! Waiting for the cluster's own workloads.

use std::time::Duration;

use k8s_openapi::api::apps::v1::Deployment;
use kube::api::Api;

use super::Cluster;
use super::error::ClusterError;

impl Cluster {
    /// Waits until `CoreDNS` answers: all its replicas are ready.
    pub async fn coredns_ready(&self, deadline: Duration) -> Result<(), ClusterError> {
        let api: Api<Deployment> = Api::namespaced(self.client.clone(), "kube-system");
        self.until(api, "coredns", "CoreDNS to run", deadline, lacking).await
    }
}

fn lacking(deployment: Option<&Deployment>) -> Vec<String> {
    let Some(deployment) = deployment else {
        return vec!["the Deployment `kube-system/coredns` is not there".to_owned()];
    };
    let wanted = deployment.spec.as_ref().and_then(|spec| spec.replicas).unwrap_or(1);
    let status = deployment.status.as_ref();
    let ready = status.and_then(|status| status.ready_replicas).unwrap_or(0);
    // A status of an older generation says nothing about this one.
    let seen = status.and_then(|status| status.observed_generation) >= deployment.metadata.generation;
    if seen && ready >= wanted { Vec::new() } else { vec![format!("{ready} of {wanted} CoreDNS pods ready")] }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::lacking;

    fn told(generation: i64, status: &Value) -> Vec<String> {
        let deployment = json!({
            "metadata": {"name": "coredns", "generation": generation},
            "spec": {"replicas": 2, "selector": {}, "template": {}},
            "status": status,
        });
        lacking(Some(&serde_json::from_value(deployment).unwrap()))
    }

    #[test]
    fn coredns_runs_when_all_its_replicas_are_ready() {
        assert_eq!(told(1, &json!({"observedGeneration": 1, "readyReplicas": 2})), [""; 0]);
        assert_eq!(told(1, &json!({"observedGeneration": 1})), ["0 of 2 CoreDNS pods ready"]);
        assert_eq!(told(2, &json!({"observedGeneration": 1, "readyReplicas": 2})).len(), 1);
        assert_eq!(lacking(None).len(), 1);
    }
}
