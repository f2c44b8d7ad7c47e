//! A host's address in the cluster.

use std::net::IpAddr;

use garboard_inventory::{Cluster, Host};
use garboard_protocol::facts::Facts;

use super::RenderError;

/// `node_ip` of the inventory; else `address` if it is on an interface; else the only other address there is.
pub fn of(host: &Host, facts: &Facts, cluster: &Cluster) -> Result<String, RenderError> {
    if let Some(address) = host.node_ip {
        return Ok(address.to_string());
    }
    let present: Vec<IpAddr> =
        facts.addresses.iter().filter_map(|address| address.address.parse().ok()).collect();
    if let Ok(address) = host.address.parse::<IpAddr>()
        && present.contains(&address)
    {
        return Ok(address.to_string());
    }
    // An address inside the pods' network is one of a bridge that Kubernetes made.
    let mut candidates: Vec<IpAddr> = present
        .into_iter()
        .filter(|address| matches!(address, IpAddr::V4(v4) if !v4.is_loopback() && !v4.is_link_local()))
        .filter(|address| !cluster.pod_cidr.contains(address))
        .collect();
    candidates.sort_unstable();
    candidates.dedup();
    match candidates.as_slice() {
        [only] => Ok(only.to_string()),
        _ => Err(RenderError::NodeAddress {
            host: host.name.clone(),
            address: host.address.clone(),
            candidates: candidates.iter().map(ToString::to_string).collect(),
        }),
    }
}
