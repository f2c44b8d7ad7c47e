//! What is: hosts, nodes, and how far each is from the inventory.

mod edge;

use jiff::Timestamp;
use serde::Serialize;

use edge::EdgeStatus;

use super::difference::pending;
use super::{Plan, Reached, Run};
use crate::ddns::{Command, Report};
use crate::membership::Membership;
use crate::outside::OutsideView;
use crate::problem::Ended;

/// The whole cluster.
#[derive(Debug, Serialize)]
pub struct Status {
    cluster: String,
    kubernetes: String,
    /// `none`, or how many of its own steps differ.
    initialised: bool,
    pending_cluster_steps: usize,
    hosts: Vec<HostStatus>,
    /// Names that follow the address, where the inventory has any.
    #[serde(skip_serializing_if = "Option::is_none")]
    ddns: Option<DdnsStatus>,
    /// What faces the internet, where something does.
    edge: Option<EdgeStatus>,
    /// How its names look from outside, where it has any.
    #[serde(skip_serializing_if = "Option::is_none")]
    outside: Option<OutsideView>,
}

/// What the service on the edge host says.
#[derive(Debug, Serialize)]
#[serde(untagged)]
enum DdnsStatus {
    Known(Report),
    Unknown {
        /// Why nothing is known.
        problem: String,
    },
}

#[derive(Debug, Serialize)]
struct HostStatus {
    name: String,
    address: String,
    role: &'static str,
    zone: &'static str,
    edge: bool,
    reached: bool,
    pending_steps: Option<usize>,
    node: Option<NodeStatus>,
}

#[derive(Debug, Serialize)]
struct NodeStatus {
    ready: bool,
    kubelet: String,
    reason: Option<String>,
}

impl Status {
    /// From what the run has seen, and the API where there is one.
    pub async fn of(
        run: &Run,
        reached: &Reached,
        membership: &Membership,
        plan: &Plan,
    ) -> Result<Self, Ended> {
        let nodes = match &plan.cluster {
            Some(cluster) => cluster.nodes().await.map_err(|error| super::cluster_client::failed(&error))?,
            None => Vec::new(),
        };
        let hosts = run.inventory().hosts.iter().map(|host| {
            let node = nodes.iter().find(|node| node.name == host.name).map(|node| NodeStatus {
                ready: node.ready,
                kubelet: node.kubelet.clone(),
                reason: node.reason.clone(),
            });
            HostStatus {
                name: host.name.clone(),
                address: host.address.clone(),
                role: host.role.word(),
                zone: host.tier().word(),
                edge: host.edge,
                reached: reached.hosts.contains_key(&host.name),
                pending_steps: plan.difference.hosts.get(&host.name).map(|chain| pending(chain)),
                node,
            }
        });
        let ddns = DdnsStatus::of(run, reached).await;
        let report = match &ddns {
            Some(DdnsStatus::Known(report)) => Some(report),
            _ => None,
        };
        let outside = run.outside(reached, report).await;
        Ok(Self {
            cluster: run.inventory().cluster.name.clone(),
            kubernetes: run.inventory().cluster.kubernetes_tag(),
            initialised: plan.is_initialised(&membership.leader),
            pending_cluster_steps: plan.difference.cluster.iter().filter(|step| step.is_pending()).count(),
            hosts: hosts.collect(),
            ddns,
            outside,
            edge: EdgeStatus::of(run, reached, &plan.difference.hosts).await?,
        })
    }

    /// For a person.
    pub fn human(&self) -> String {
        let mut rows =
            vec![["HOST", "ADDRESS", "ROLE", "ZONE", "NODE", "KUBELET", "DIFFERS"].map(str::to_owned)];
        for host in &self.hosts {
            let (node, kubelet) = match &host.node {
                Some(node) if node.ready => ("Ready".to_owned(), node.kubelet.clone()),
                Some(node) => {
                    let reason = node.reason.as_deref().unwrap_or("no reason given");
                    (format!("not Ready ({reason})"), node.kubelet.clone())
                }
                None => ("none".to_owned(), "-".to_owned()),
            };
            let differs = match host.pending_steps {
                Some(0) => "nothing".to_owned(),
                Some(1) => "1 step".to_owned(),
                Some(count) => format!("{count} steps"),
                None => "not reached".to_owned(),
            };
            rows.push([
                host.name.clone(),
                host.address.clone(),
                host.role.to_owned(),
                if host.edge { format!("{} (edge)", host.zone) } else { host.zone.to_owned() },
                crate::output::text::one_line(&node),
                kubelet,
                differs,
            ]);
        }
        let state = match (self.initialised, self.pending_cluster_steps) {
            (false, _) => "not made yet".to_owned(),
            (true, 0) => "as the inventory says".to_owned(),
            (true, count) => format!("{count} of its own steps differ"),
        };
        let edge = self.edge.as_ref().map(|edge| edge.human(Timestamp::now())).unwrap_or_default();
        let outside = self.outside.as_ref().map(|view| format!("\n{}\n", view.human())).unwrap_or_default();
        format!(
            "cluster {} ({}): {state}\n{}{edge}{}{outside}",
            self.cluster,
            self.kubernetes,
            crate::output::text::table(&rows),
            self.ddns.as_ref().map(DdnsStatus::human).unwrap_or_default()
        )
    }
}

impl DdnsStatus {
    async fn of(run: &Run, reached: &Reached) -> Option<Self> {
        run.inventory().ddns()?;
        Some(match run.ask_ddns(reached, &Command::Status).await {
            Ok(report) => Self::Known(report),
            Err(problem) => {
                Self::Unknown { problem: problem.causes.into_iter().next().unwrap_or(problem.message) }
            }
        })
    }

    fn human(&self) -> String {
        match self {
            Self::Known(report) => format!("\n{}", report.human(jiff::Timestamp::now())),
            Self::Unknown { problem } => {
                format!("\nnames that follow the address: nothing is known ({problem})\n")
            }
        }
    }
}
