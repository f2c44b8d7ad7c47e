//! What holds where the file is silent. docs/inventory.md and the schema repeat these.

use ipnet::Ipv4Net;
use std::net::Ipv4Addr;

/// The port of sshd.
pub(crate) const SSH_PORT: u16 = 22;

/// The addresses of pods: flannel's own default.
pub(crate) fn pod_cidr() -> Ipv4Net {
    Ipv4Net::new_assert(Ipv4Addr::new(10, 244, 0, 0), 16)
}

/// The addresses of services: kubeadm's own default.
pub(crate) fn service_cidr() -> Ipv4Net {
    Ipv4Net::new_assert(Ipv4Addr::new(10, 96, 0, 0), 12)
}

/// The UDP port of OpenVPN: its own default.
pub(crate) const VPN_PORT: u16 = 1194;

/// The addresses inside the VPN's tunnel: those of OpenVPN's own examples.
pub(crate) fn vpn_network() -> Ipv4Net {
    Ipv4Net::new_assert(Ipv4Addr::new(10, 8, 0, 0), 24)
}

/// The name of the endpoint in every host's /etc/hosts.
pub(crate) fn endpoint_host(cluster: &str) -> String {
    format!("{cluster}.garboard.internal")
}

/// The namespaces whose `Ingress` objects are answered: the one that objects are in whose maker names none.
pub(crate) fn ingress_namespaces() -> Vec<String> {
    vec!["default".to_owned()]
}
