//! The inventory against the live cluster: what cannot change any more, and what the cluster's own steps would change.

use std::collections::BTreeSet;
use std::sync::Arc;

use garboard_inventory::Inventory;
use garboard_playbooks::ClusterStep;
use garboard_protocol::Change;
use garboard_protocol::change::Field;
use garboard_protocol::step::StepId;

use super::cluster_client::failed;
use super::cluster_step::doing;
use super::difference::ClusterDifference;
use super::{Plan, Reached, Run};
use crate::cluster::{Cluster, ClusterConfiguration, ClusterError};
use crate::membership::Membership;
use crate::problem::{Ended, Exit, Problem, none_of};

impl Run {
    /// Compares with the live cluster, if there is one; a difference that only a person can settle ends the run.
    pub async fn compare_with_cluster(
        &self,
        reached: &Reached,
        membership: &Membership,
        plan: &mut Plan,
    ) -> Result<(), Ended> {
        let unknown = |step: &garboard_playbooks::PlannedClusterStep| ClusterDifference {
            id: step.id.clone(),
            doing: doing(&step.step),
            changes: None,
        };
        let steps =
            plan.rendered.cluster.iter().filter(|step| !matches!(step.step, ClusterStep::Wait { .. }));
        let Some(ca_hash) = &membership.cluster else {
            plan.difference.cluster = steps.map(unknown).collect();
            return Ok(());
        };
        if !plan.is_initialised(&membership.leader) {
            plan.difference.cluster = steps.map(unknown).collect();
            return Ok(());
        }
        let joining = plan.joining();
        self.compare_with_live(reached, &membership.leader, ca_hash, &joining, plan).await
    }

    /// The same for a playbook alone, which is none where there is no cluster: nothing of it is the cluster's then.
    pub async fn compare_alone(
        &self,
        reached: &Reached,
        membership: &Membership,
        plan: &mut Plan,
    ) -> Result<(), Ended> {
        match &membership.cluster {
            Some(ca_hash) => self.compare_with_live(reached, &membership.leader, ca_hash, &[], plan).await,
            None => Ok(()),
        }
    }

    async fn compare_with_live(
        &self,
        reached: &Reached,
        leader: &str,
        ca_hash: &str,
        joining: &[String],
        plan: &mut Plan,
    ) -> Result<(), Ended> {
        let session = reached.hosts.get(leader).map(|host| &host.session);
        let cluster = Arc::new(self.connect_cluster(leader, session, Some(ca_hash)).await?);
        let configuration = cluster.configuration().await.map_err(|error| failed(&error).host(leader))?;
        none_of(fixed(self.inventory(), &configuration))?;
        let mut differences = Vec::new();
        let left = cluster.left_cordoned().await.map_err(|error| failed(&error).host(leader))?;
        plan.cordoned = left.into_iter().filter(|node| !plan.difference.reboots(node)).collect();
        differences.extend(plan.cordoned.iter().map(|node| ClusterDifference {
            id: StepId(format!("reboot/uncordon/{node}")),
            doing: format!("uncordon {node}"),
            changes: Some(vec![uncordoned(node)]),
        }));
        for step in plan.rendered.cluster.iter().filter(|step| !matches!(step.step, ClusterStep::Wait { .. }))
        {
            let changes = self
                .cluster_changes(&cluster, &step.step, joining)
                .await
                .map_err(|error| failed(&error).step(step.id.to_string()))?;
            differences.push(ClusterDifference {
                id: step.id.clone(),
                doing: doing(&step.step),
                changes: Some(changes),
            });
        }
        plan.difference.cluster = differences;
        plan.cluster = Some(cluster);
        Ok(())
    }

    async fn cluster_changes(
        &self,
        cluster: &Cluster,
        step: &ClusterStep,
        joining: &[String],
    ) -> Result<Vec<Change>, ClusterError> {
        Ok(match step {
            ClusterStep::Manifest { documents } => cluster.differs(documents).await?,
            ClusterStep::Label { node, labels } => cluster.label_differs(node, labels).await?,
            ClusterStep::Taint { node, key, value } => {
                cluster.taint_differs(node, key, value.as_deref()).await?
            }
            ClusterStep::WaitNodes { names, ready } => {
                let nodes = cluster.nodes().await?;
                let fine: BTreeSet<&str> =
                    nodes.iter().filter(|node| node.ready || !ready).map(|node| node.name.as_str()).collect();
                let wanted = if *ready { "Ready" } else { "registered" };
                names
                    .iter()
                    .filter(|name| !fine.contains(name.as_str()))
                    .map(|name| {
                        let before =
                            nodes.iter().any(|node| &node.name == name).then(|| "not Ready".to_owned());
                        Change::new(
                            format!("Node {name}"),
                            Field::Membership,
                            before,
                            Some(wanted.to_owned()),
                        )
                    })
                    .collect()
            }
            ClusterStep::WaitRollout(workload) => cluster.rollout_differs(workload).await?,
            ClusterStep::Token => joining
                .iter()
                .map(|host| Change::new(host, Field::Membership, None, Some("may join".to_owned())))
                .collect(),
            ClusterStep::Wait { .. } => Vec::new(),
        })
    }
}

/// A node that pods may come to again.
pub(super) fn uncordoned(node: &str) -> Change {
    let (before, after) = (Some("cordoned by an earlier run, for a reboot".to_owned()), None);
    Change::new(format!("Node {node}"), Field::Value, before, after)
}

/// What an existing cluster was made with and cannot change, or only by an upgrade.
fn fixed(inventory: &Inventory, live: &ClusterConfiguration) -> Vec<Problem> {
    let wanted = &inventory.cluster;
    let way_out = |key: &str, value: &str| {
        format!(
            "set `cluster.{key}: {value}` again; to have it otherwise, give the hosts back (`garboard reset`) and build anew"
        )
    };
    let kubernetes = format!("v{}", wanted.kubernetes);
    let rows = [
        ("pod_cidr", live.pod_subnet.as_str(), wanted.pod_cidr.to_string()),
        ("service_cidr", live.service_subnet.as_str(), wanted.service_cidr.to_string()),
        ("name", live.cluster_name.as_str(), wanted.name.clone()),
        ("kubernetes", live.kubernetes_version.as_str(), kubernetes),
        ("endpoint", live.control_plane_endpoint.as_str(), wanted.endpoint.to_string()),
        ("swap", live.swap.word(), wanted.swap.word().to_owned()),
    ];
    rows.into_iter()
        .filter(|(_, live, wanted)| live != wanted)
        .map(|(key, live, wanted)| {
            let help = if key == "kubernetes" {
                format!(
                    "set `cluster.kubernetes: {live}`; an upgrade of a live cluster is not in this version"
                )
            } else {
                way_out(key, live)
            };
            Problem::new(
                Exit::NeedsPerson,
                format!("`cluster.{key}` is {wanted} in the inventory, the cluster was made with {live}"),
            )
            .help(help)
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::fixed;
    use crate::cluster::ClusterConfiguration;

    fn live() -> ClusterConfiguration {
        ClusterConfiguration {
            cluster_name: "home".into(),
            kubernetes_version: "v1.36.3".into(),
            control_plane_endpoint: "home.garboard.internal:6443".into(),
            pod_subnet: "10.244.0.0/16".into(),
            service_subnet: "10.96.0.0/12".into(),
            swap: garboard_inventory::Swap::Off,
        }
    }

    fn problems(cluster: &str) -> Vec<String> {
        let text = format!(
            "cluster: {{ name: home, kubernetes: v1.36.3{cluster} }}\nhosts:\n  cp1: {{ address: 192.168.1.11, role: control_plane }}\n"
        );
        let inventory = garboard_inventory::parse("garboard.yaml", &text).unwrap();
        fixed(&inventory, &live()).into_iter().map(|problem| problem.message).collect()
    }

    #[test]
    fn the_inventory_a_cluster_was_made_with_is_fine() {
        assert_eq!(problems(""), Vec::<String>::new());
    }

    #[test]
    fn every_edit_of_what_cannot_change_is_named() {
        assert_eq!(
            problems(", pod_cidr: 10.200.0.0/16, service_cidr: 10.112.0.0/12, swap: kubelet"),
            [
                "`cluster.pod_cidr` is 10.200.0.0/16 in the inventory, the cluster was made with 10.244.0.0/16",
                "`cluster.service_cidr` is 10.112.0.0/12 in the inventory, the cluster was made with 10.96.0.0/12",
                "`cluster.swap` is kubelet in the inventory, the cluster was made with off",
            ]
        );
    }
}
