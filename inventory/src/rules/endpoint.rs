//! Somebody serves the endpoint.

use std::net::IpAddr;

use super::hosts::node_ip;
use crate::fault::{Fault, Faults, quote};
use crate::host::Role;
use crate::source::{Host, Inventory};
use crate::span::Given;
use crate::syntax::{API_PORT, same_host};

/// An endpoint that is an IP must be a control plane's; one that is a host of the inventory must be a control plane and
/// use the port its API server listens on. Any other name is for DNS, or a load balancer behind it, to answer.
pub(super) fn check(inventory: &Inventory, faults: &mut Faults) {
    let Some(cluster) = &inventory.cluster else { return };
    let Given::Valid(endpoint) = &cluster.endpoint else { return };
    let (host, port) = (&endpoint.value.host, endpoint.value.port);
    // Two hosts may share an address behind a gateway; one control plane among them is enough.
    let owners: Vec<_> =
        inventory.hosts.iter().filter(|(name, owner)| is_at(&name.value, owner, host)).collect();
    let plane = owners.iter().find(|(_, owner)| {
        owner.role == Given::Faulty || owner.role.valid().is_some_and(|role| role.value == Role::ControlPlane)
    });
    let fault = |message: String| Fault::new(endpoint.span, message);
    match (plane, owners.first()) {
        (Some((name, _)), _) if port != API_PORT => faults.push(
            fault(format!("nothing serves port {port} on the control plane `{}`", name.value))
                .help(format!("write `{host}:{API_PORT}`: the API server listens there")),
        ),
        (None, Some((name, _))) => faults.push(
            fault(format!("nothing serves the endpoint {}: `{}` is a worker", quote(host), name.value))
                .help("name a control plane, or remove the key to get a name of Garboard's own"),
        ),
        (None, None) if host.parse::<IpAddr>().is_ok() && !undecided(inventory) => faults.push(
            fault(format!("nothing serves the endpoint {}: no control plane has this address", quote(host)))
                .help("write a control plane's address, or remove the key to get a name of Garboard's own"),
        ),
        (Some(_), _) | (None, None) => {}
    }
    let own = cluster.name.valid().map(|name| crate::defaults::endpoint_host(&name.value));
    if own.as_deref() == Some(host.as_str()) && port != API_PORT {
        faults.push(
            fault(format!("nothing serves port {port} behind {}", quote(host)))
                .help("remove the key: this name is the default"),
        );
    }
}

fn is_at(name: &str, host: &Host, endpoint: &str) -> bool {
    same_host(name, endpoint)
        || host.address.valid().is_some_and(|address| same_host(&address.value, endpoint))
        || node_ip(host).is_some_and(|(address, _)| address.to_string() == endpoint)
}

/// Whether an address that would serve it may only be misspelt.
fn undecided(inventory: &Inventory) -> bool {
    inventory.hosts.iter().any(|(_, host)| host.address == Given::Faulty || host.node_ip == Given::Faulty)
        || inventory.hosts.is_empty()
}
