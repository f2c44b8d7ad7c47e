//! Traffic between the pods of a lab's cluster: what a client on one worker reaches, by every way a service can be
//! reached, from the first two workers to each other and to themselves.
//!
//! Servers and clients run from images that every node of the cluster holds already (CoreDNS and flannel), so that
//! nothing is fetched.

mod client;
mod images;
mod kubectl;
mod objects;

use std::net::Ipv4Addr;

use serde::Serialize;

use crate::record::Role;
use crate::{Error, Lab, Result};
use client::Client;
use kubectl::Kubectl;

/// What reached what.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Traffic {
    /// Whether every attempt arrived.
    pub reached: bool,
    /// Every attempt, in the order of the workers.
    pub attempts: Vec<Attempt>,
}

/// One attempt.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Attempt {
    /// The worker the client's pod runs on.
    pub from: String,
    /// The worker the server's pod runs on.
    pub to: String,
    /// By which way.
    pub by: Way,
    /// `HOST:PORT` as the client asked for it.
    pub address: String,
    /// Whether the server's own answer came back.
    pub reached: bool,
    /// What happened instead, in one line; empty when it was reached.
    pub detail: String,
}

/// A way to reach a server.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Way {
    /// The pod's own address.
    PodAddress,
    /// The service's name alone, by the search list of the pod's resolver.
    ShortName,
    /// The service's whole name.
    FullName,
    /// The service's port on the address of the node that runs the server.
    NodePort,
    /// The service's address.
    ServiceAddress,
}

impl Way {
    /// For a person.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::PodAddress => "pod address",
            Self::ShortName => "service name",
            Self::FullName => "full service name",
            Self::NodePort => "NodePort",
            Self::ServiceAddress => "service address",
        }
    }
}

/// A server: its pod and its service, as the cluster says.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Server {
    worker: String,
    node_address: Ipv4Addr,
    pod_address: String,
    service_address: String,
    node_port: u16,
}

/// Starts servers and clients on the lab's first two workers (of one worker and a control plane where there is no second), tries every way in both directions, and removes them.
///
/// # Errors
/// When the lab has fewer than two hosts, its cluster does not answer, or the pods do not start. An attempt that does
/// not arrive is no error but a result.
pub async fn send(lab: &Lab, progress: &(dyn Fn(&str) + Sync)) -> Result<Traffic> {
    // Pods are put on their node by name, past any taint.
    let of = |role| lab.hosts().iter().filter(move |host| host.role == role);
    let mut hosts = of(Role::Worker).chain(of(Role::ControlPlane));
    let (Some(first), Some(second)) = (hosts.next(), hosts.next()) else {
        return Err(Error::Refused {
            message: format!(
                "traffic needs two hosts and lab `{}` has fewer; add some: `garboard lab up {} --workers 2`",
                lab.name(),
                lab.name()
            ),
        });
    };
    let images = images::of_lab(lab)?;
    let kubectl = Kubectl::new(lab);
    let names = [first.name.as_str(), second.name.as_str()];
    let made = objects::make(&kubectl, names, &images, progress).await;
    let tried = match made {
        Ok(()) => attempt_all(&kubectl, [first, second], progress).await,
        Err(error) => Err(error),
    };
    // Whatever happened before, nothing of this stays in the cluster.
    progress("traffic: the pods are removed");
    let removed = objects::remove(&kubectl).await;
    let attempts = tried?;
    removed?;
    Ok(Traffic { reached: attempts.iter().all(|attempt| attempt.reached), attempts })
}

async fn attempt_all(
    kubectl: &Kubectl<'_>,
    workers: [&crate::HostRecord; 2],
    progress: &(dyn Fn(&str) + Sync),
) -> Result<Vec<Attempt>> {
    let servers = [objects::server(kubectl, workers[0]).await?, objects::server(kubectl, workers[1]).await?];
    progress("traffic: clients ask servers");
    // Side by side: the clients are different pods.
    let (first, second) = tokio::join!(
        attempts(kubectl, &servers[0], &servers[1]),
        attempts(kubectl, &servers[1], &servers[0])
    );
    Ok(first.into_iter().chain(second).collect())
}

/// What the client on `own`'s worker reaches.
async fn attempts(kubectl: &Kubectl<'_>, own: &Server, other: &Server) -> Vec<Attempt> {
    let client = Client::new(kubectl, &own.worker);
    let mut attempts = Vec::new();
    for (way, server, host, port) in ways(own, other) {
        let answer = client.ask(&host, port).await;
        attempts.push(Attempt {
            from: own.worker.clone(),
            to: server.worker.clone(),
            by: way,
            address: format!("{host}:{port}"),
            reached: answer.is_ok(),
            detail: answer.err().unwrap_or_default(),
        });
    }
    attempts
}

/// The ways to try from the worker of `own`.
fn ways<'a>(own: &'a Server, other: &'a Server) -> Vec<(Way, &'a Server, String, u16)> {
    let service = objects::server_name(&other.worker);
    let full = format!("{service}.{}.svc.cluster.local", objects::NAMESPACE);
    vec![
        (Way::PodAddress, other, other.pod_address.clone(), objects::SERVER_PORT),
        (Way::ShortName, other, service, objects::SERVICE_PORT),
        (Way::FullName, other, full, objects::SERVICE_PORT),
        (Way::NodePort, other, other.node_address.to_string(), other.node_port),
        (Way::ServiceAddress, own, own.service_address.clone(), objects::SERVICE_PORT),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_way_leads_to_the_other_worker_but_the_service_of_the_own_one() {
        let server = |worker: &str, last| Server {
            worker: worker.into(),
            node_address: Ipv4Addr::new(10, 66, 0, last),
            pod_address: format!("10.244.{last}.5"),
            service_address: format!("10.96.0.{last}"),
            node_port: 30_000 + u16::from(last),
        };
        let (own, other) = (server("w1", 12), server("w2", 13));
        let tried: Vec<String> = ways(&own, &other)
            .into_iter()
            .map(|(way, server, host, port)| format!("{} {} {host}:{port}", way.as_str(), server.worker))
            .collect();
        assert_eq!(
            tried,
            [
                "pod address w2 10.244.13.5:8080",
                "service name w2 server-w2:80",
                "full service name w2 server-w2.garboard-traffic.svc.cluster.local:80",
                "NodePort w2 10.66.0.13:30013",
                "service address w1 10.96.0.12:80",
            ]
        );
    }
}
