//! Addresses and ports of one host.

use garboard_inventory::Role;
use garboard_protocol::Facts;
use garboard_protocol::facts::InterfaceAddress;

use super::{Row, Subject};

/// A port Kubernetes will serve, and the programs that rightly hold it on a member.
pub(super) struct Port {
    pub(super) number: u16,
    purpose: &'static str,
    holders: &'static [&'static str],
}

const KUBELET: Port = Port { number: 10250, purpose: "kubelet", holders: &["kubelet"] };
const WORKER_PORTS: [Port; 4] = [
    KUBELET,
    Port { number: 10248, purpose: "kubelet's health", holders: &["kubelet"] },
    Port { number: 10249, purpose: "kube-proxy's metrics", holders: &["kube-proxy"] },
    Port { number: 10256, purpose: "kube-proxy's health", holders: &["kube-proxy"] },
];
const CONTROL_PLANE_PORTS: [Port; 9] = [
    Port { number: 6443, purpose: "the Kubernetes API", holders: &["kube-apiserver"] },
    Port { number: 2379, purpose: "etcd", holders: &["etcd"] },
    Port { number: 2380, purpose: "etcd", holders: &["etcd"] },
    Port { number: 10257, purpose: "the controller manager", holders: &["kube-controller"] },
    Port { number: 10259, purpose: "the scheduler", holders: &["kube-scheduler"] },
    KUBELET,
    Port { number: 10248, purpose: "kubelet's health", holders: &["kubelet"] },
    Port { number: 10249, purpose: "kube-proxy's metrics", holders: &["kube-proxy"] },
    Port { number: 10256, purpose: "kube-proxy's health", holders: &["kube-proxy"] },
];
/// Flannel's VXLAN; the kernel holds it itself, so a process there is always a stranger.
pub(super) const UDP_PORTS: [Port; 1] =
    [Port { number: 8472, purpose: "the pod network (VXLAN)", holders: &[""] }];

pub(super) fn tcp_ports(role: Role) -> &'static [Port] {
    match role {
        Role::ControlPlane => &CONTROL_PLANE_PORTS,
        Role::Worker => &WORKER_PORTS,
    }
}

pub(super) fn rows(subject: &Subject<'_>, rows: &mut Vec<Row>) {
    address(subject, rows);
    overlap(subject, rows);
    ports(subject, rows);
}

fn ports(subject: &Subject<'_>, rows: &mut Vec<Row>) {
    let before = rows.len();
    let wanted = tcp_ports(subject.host.role)
        .iter()
        .map(|port| ("tcp", port))
        .chain(UDP_PORTS.iter().map(|port| ("udp", port)));
    for (protocol, port) in wanted {
        let holder = subject
            .facts
            .ports
            .iter()
            .find(|holder| holder.port == port.number && holder.protocol == protocol);
        let Some(holder) = holder else { continue };
        // `comm` holds 15 bytes: `kube-controller-manager` shows as `kube-controller`.
        let rightly = subject.is_ours() && port.holders.contains(&holder.process.as_str());
        if rightly {
            continue;
        }
        let who = if holder.process.is_empty() {
            "a process that cannot be told".to_owned()
        } else {
            format!("`{}` (process {})", holder.process, holder.pid)
        };
        rows.push(subject.blocking(
            "port",
            format!("{protocol} {} for {} is held by {who}", port.number, port.purpose),
            "stop that program, or let it listen elsewhere",
        ));
    }
    if rows.len() == before {
        rows.push(subject.fine("ports", "free, or held by this cluster"));
    }
}

fn address(subject: &Subject<'_>, rows: &mut Vec<Row>) {
    let Some(wanted) = node_address(subject) else { return };
    let carries = subject.facts.addresses.iter().find(|address| address.address == wanted);
    rows.push(match carries {
        Some(address) => subject.fine("node address", format!("{wanted} on {}", address.interface)),
        None => subject.blocking(
            "node address",
            format!("{wanted} is on none of the host's interfaces"),
            "set `node_ip` to one of the host's own addresses",
        ),
    });
}

/// What the cluster will know the host by, when the inventory tells: `node_ip`, or an `address` that is no name.
fn node_address(subject: &Subject<'_>) -> Option<String> {
    let host = subject.host;
    host.node_ip
        .map(|address| address.to_string())
        .or_else(|| host.address.parse::<std::net::IpAddr>().ok().map(|address| address.to_string()))
}

fn overlap(subject: &Subject<'_>, rows: &mut Vec<Row>) {
    let cluster = &subject.inventory.cluster;
    for (key, range) in [("pod_cidr", cluster.pod_cidr), ("service_cidr", cluster.service_cidr)] {
        for address in &subject.facts.addresses {
            let Ok(parsed) = address.address.parse::<std::net::IpAddr>() else { continue };
            if !is_of_the_cluster(subject.facts, address) && range.contains(&parsed) {
                rows.push(subject.blocking(
                    "network",
                    format!("{} on {} lies in `cluster.{key}` {range}", address.address, address.interface),
                    format!("choose a `{key}` that no network of yours uses"),
                ));
            }
        }
    }
}

/// On a member some links are the cluster's own.
pub(crate) fn is_of_the_cluster(facts: &Facts, address: &InterfaceAddress) -> bool {
    facts.garboard.baseline
        && ["cni", "flannel", "veth", "kube-"].iter().any(|start| address.interface.starts_with(start))
}
