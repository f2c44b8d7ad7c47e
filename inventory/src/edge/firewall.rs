//! The edge host's packet filter, resolved.

use ipnet::IpNet;
use serde::Serialize;

/// What the edge host lets in, and what it may reach inside.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Firewall {
    /// Networks whose machines reach every port of the edge host, and which it reaches only as far as the cluster needs. `None`:
    /// the network in which the control plane stands, which only facts tell. Canonical; IPv4 and IPv6.
    pub lan: Option<Vec<IpNet>>,
    /// TCP ports that are open to everybody.
    pub public_tcp: Vec<u16>,
    /// UDP ports that are open to everybody.
    pub public_udp: Vec<u16>,
    /// Machines and networks inside `lan` that the edge host reaches on every port. Canonical; IPv4 and IPv6.
    pub reach: Vec<IpNet>,
}
