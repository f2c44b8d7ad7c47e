//! What faces the internet, resolved.

mod ddns;
mod firewall;
mod ingress;
mod openvpn;

use serde::Serialize;

pub use ddns::{
    AddressFamily, Ddns, DdnsAccount, DdnsGateway, DdnsIntervals, DdnsName, DdnsProvider, DdnsSources,
    DdnsToken, DnsSource, HttpsFormat, HttpsSource, RouterProtocol, TsigKey,
};
pub use firewall::Firewall;
pub use ingress::{Acme, Challenge, DnsChallenge, Ingress, Tls};
pub use openvpn::OpenVpn;

/// The cluster's front door: what runs on the host with `edge: true`, and what is let in there.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Edge {
    /// What the edge host lets in, and what it may reach.
    pub firewall: Firewall,
    /// What answers HTTP and HTTPS there.
    pub ingress: Option<Ingress>,
    /// A VPN into the network at home.
    pub openvpn: Option<OpenVpn>,
    /// Names that follow the address the internet sees.
    pub ddns: Option<Ddns>,
}
