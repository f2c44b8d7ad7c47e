//! Workloads: whether their pods run as their newest manifest says, and waiting for it.

use std::fmt::Debug;
use std::time::Duration;

use garboard_playbooks::{Workload, WorkloadKind};
use garboard_protocol::Change;
use garboard_protocol::change::Field;
use k8s_openapi::api::apps::v1::{DaemonSet, Deployment};
use kube::Resource;
use kube::api::Api;
use kube::core::NamespaceResourceScope;
use serde::de::DeserializeOwned;

use super::Cluster;
use super::ask::ask;
use super::error::ClusterError;

impl Cluster {
    /// Waits until `CoreDNS` answers: all its replicas are ready.
    pub async fn coredns_ready(&self, deadline: Duration) -> Result<(), ClusterError> {
        let (namespace, name) = ("kube-system".to_owned(), "coredns".to_owned());
        let workload = Workload { kind: WorkloadKind::Deployment, namespace, name };
        self.rolled_out(&workload, deadline).await
    }

    /// Waits until all pods of a workload are ready and made from its newest template.
    pub async fn rolled_out(&self, workload: &Workload, deadline: Duration) -> Result<(), ClusterError> {
        let (name, awaited) = (&workload.name, format!("{workload} to run"));
        match workload.kind {
            WorkloadKind::DaemonSet => {
                let api = self.workloads::<DaemonSet>(workload);
                self.until(api, name, &awaited, deadline, |found| lacking(workload, found.map(State::of_set)))
                    .await
            }
            WorkloadKind::Deployment => {
                let api = self.workloads::<Deployment>(workload);
                self.until(api, name, &awaited, deadline, |found| lacking(workload, found.map(State::of)))
                    .await
            }
        }
    }

    /// What is to come of waiting for it: nothing, where it runs.
    pub async fn rollout_differs(&self, workload: &Workload) -> Result<Vec<Change>, ClusterError> {
        let asked = format!("read {workload}");
        let state = match workload.kind {
            WorkloadKind::DaemonSet => {
                let api = self.workloads::<DaemonSet>(workload);
                ask(&asked, || api.get_opt(&workload.name)).await?.as_ref().map(State::of_set)
            }
            WorkloadKind::Deployment => {
                let api = self.workloads::<Deployment>(workload);
                ask(&asked, || api.get_opt(&workload.name)).await?.as_ref().map(State::of)
            }
        };
        let lacking = lacking(workload, state);
        Ok(lacking
            .into_iter()
            .map(|what| Change::new(workload.to_string(), Field::Value, Some(what), Some("runs".to_owned())))
            .collect())
    }

    fn workloads<K>(&self, workload: &Workload) -> Api<K>
    where
        K: Resource<Scope = NamespaceResourceScope> + Clone + DeserializeOwned + Debug,
        <K as Resource>::DynamicType: Default,
    {
        Api::namespaced(self.client.clone(), &workload.namespace)
    }
}

/// What both kinds report.
struct State {
    /// Pods there should be.
    wanted: i32,
    /// Pods made from the newest template.
    updated: i32,
    /// Pods that are ready.
    ready: i32,
    /// The controller has seen the newest manifest: a status of an older one says nothing about this.
    seen: bool,
}

impl State {
    fn of(deployment: &Deployment) -> Self {
        let status = deployment.status.as_ref();
        Self {
            wanted: deployment.spec.as_ref().and_then(|spec| spec.replicas).unwrap_or(1),
            updated: status.and_then(|status| status.updated_replicas).unwrap_or(0),
            ready: status.and_then(|status| status.ready_replicas).unwrap_or(0),
            seen: status.and_then(|status| status.observed_generation) >= deployment.metadata.generation,
        }
    }

    fn of_set(set: &DaemonSet) -> Self {
        let status = set.status.as_ref();
        Self {
            // A set without a node to run on does not do what it is for.
            wanted: status.map_or(1, |status| status.desired_number_scheduled).max(1),
            updated: status.and_then(|status| status.updated_number_scheduled).unwrap_or(0),
            ready: status.map_or(0, |status| status.number_ready),
            seen: status.and_then(|status| status.observed_generation) >= set.metadata.generation,
        }
    }
}

fn lacking(workload: &Workload, state: Option<State>) -> Vec<String> {
    let Some(state) = state else { return vec![format!("{workload} is not there")] };
    if state.seen && state.ready >= state.wanted && state.updated >= state.wanted {
        return Vec::new();
    }
    let ready = state.ready.min(state.updated);
    vec![format!("{ready} of {} pods of {workload} ready", state.wanted)]
}

#[cfg(test)]
mod tests {
    use garboard_playbooks::{Workload, WorkloadKind};
    use serde_json::{Value, json};

    use super::{State, lacking};

    fn workload(kind: WorkloadKind) -> Workload {
        Workload { kind, namespace: "n".to_owned(), name: "w".to_owned() }
    }

    fn of_deployment(generation: i64, status: &Value) -> Vec<String> {
        let deployment = json!({
            "metadata": {"name": "w", "generation": generation},
            "spec": {"replicas": 2, "selector": {}, "template": {}},
            "status": status,
        });
        let deployment = serde_json::from_value(deployment).unwrap();
        lacking(&workload(WorkloadKind::Deployment), Some(State::of(&deployment)))
    }

    fn of_set(status: &Value) -> Vec<String> {
        let set = json!({
            "metadata": {"name": "w", "generation": 1},
            "spec": {"selector": {}, "template": {}},
            "status": status,
        });
        let set = serde_json::from_value(set).unwrap();
        lacking(&workload(WorkloadKind::DaemonSet), Some(State::of_set(&set)))
    }

    #[test]
    fn a_deployment_runs_when_all_its_replicas_are_new_and_ready() {
        let ready =
            |updated: i32| json!({"observedGeneration": 1, "readyReplicas": 2, "updatedReplicas": updated});
        assert_eq!(of_deployment(1, &ready(2)), [""; 0]);
        let partly = ["1 of 2 pods of Deployment n/w ready"];
        assert_eq!(
            of_deployment(1, &json!({"observedGeneration": 1, "readyReplicas": 1, "updatedReplicas": 2})),
            partly
        );
        assert_eq!(of_deployment(1, &ready(1)), partly);
        assert_eq!(of_deployment(1, &json!({})), ["0 of 2 pods of Deployment n/w ready"]);
    }

    #[test]
    fn a_status_of_an_older_generation_does_not_count() {
        let status = json!({"observedGeneration": 1, "readyReplicas": 2, "updatedReplicas": 2});
        assert_eq!(of_deployment(2, &status).len(), 1);
    }

    #[test]
    fn a_daemon_set_without_a_node_does_not_run() {
        let status = |desired: i32, ready: i32| {
            json!({
                "observedGeneration": 1, "desiredNumberScheduled": desired, "numberReady": ready,
                "updatedNumberScheduled": ready, "currentNumberScheduled": ready, "numberMisscheduled": 0,
            })
        };
        assert_eq!(of_set(&status(1, 1)), [""; 0]);
        assert_eq!(of_set(&status(0, 0)), ["0 of 1 pods of DaemonSet n/w ready"]);
        assert_eq!(of_set(&status(1, 0)).len(), 1);
    }

    #[test]
    fn a_workload_that_is_not_there_is_lacking() {
        assert_eq!(lacking(&workload(WorkloadKind::Deployment), None), ["Deployment n/w is not there"]);
    }
}
