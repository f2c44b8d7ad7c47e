//! A step of the cluster in words.

use garboard_playbooks::ClusterStep;

/// What a step of the cluster does, for a person.
pub(super) fn doing(step: &ClusterStep) -> String {
    match step {
        ClusterStep::Manifest { documents } => {
            let workload = documents.iter().filter_map(|document| {
                let kind = document.pointer("/kind")?.as_str()?;
                let name = document.pointer("/metadata/name")?.as_str()?;
                matches!(kind, "DaemonSet" | "Deployment").then(|| name.to_owned())
            });
            let names: Vec<String> = workload.collect();
            format!("apply {} objects ({})", documents.len(), names.join(", "))
        }
        ClusterStep::Wait { signal } => format!("wait for `{signal}`"),
        ClusterStep::WaitNodes { names, ready } => {
            let state = if *ready { "Ready" } else { "registered" };
            format!("wait for {} nodes to be {state}", names.len())
        }
        ClusterStep::Label { node, labels } => {
            let wanted = labels.values().flatten().count();
            format!("label {node} with {wanted} labels")
        }
        ClusterStep::WaitRollout(workload) => format!("wait for {workload} to run"),
        ClusterStep::Token => "let hosts join".to_owned(),
        ClusterStep::Taint { node, key, value: Some(value) } => format!("taint {node} with {key}={value}"),
        ClusterStep::Taint { node, key, value: None } => format!("leave {node} without the taint {key}"),
    }
}
