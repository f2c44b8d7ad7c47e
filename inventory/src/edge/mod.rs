//! The edge, resolved: the host that faces the internet and what it offers.

mod openvpn;

use serde::Serialize;

pub use openvpn::OpenVpn;

/// What the edge host offers.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Edge {
    /// A VPN into the network at home.
    pub openvpn: Option<OpenVpn>,
}
