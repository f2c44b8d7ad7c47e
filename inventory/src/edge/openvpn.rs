//! The VPN, resolved, and what follows from it for others: the firewall, the profiles, the server.

use std::collections::BTreeMap;
use std::net::Ipv4Addr;

use ipnet::Ipv4Net;
use serde::Serialize;

use crate::secret::SecretReference;

/// An OpenVPN server on the edge host.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct OpenVpn {
    /// Where clients find it from the internet: a DNS name or an IPv4 address.
    pub remote: String,
    /// Its UDP port.
    pub port: u16,
    /// The addresses inside the tunnel; the first is the server's.
    pub network: Ipv4Net,
    /// Networks that clients reach through it.
    pub routes: Vec<Ipv4Net>,
    /// Name servers that clients ask while they are connected.
    pub dns: Vec<Ipv4Addr>,
    /// Who may have a profile, in the order of the file.
    pub users: Vec<String>,
    /// What single users reach of it; all others reach all of it.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub user_routes: BTreeMap<String, Vec<Ipv4Net>>,
    /// Where the passphrase of the authority's key is found; without it the key lies unencrypted.
    pub passphrase: Option<SecretReference>,
}

impl OpenVpn {
    /// The tunnel's interface on the edge host; at most 15 letters (`IFNAMSIZ`).
    pub const DEVICE: &'static str = "tun-garboard";

    /// The address of the server inside the tunnel: the first of the network.
    pub fn server_address(&self) -> Ipv4Addr {
        self.network.hosts().next().unwrap_or(self.network.addr())
    }

    /// The addresses that users can have, in order.
    pub fn user_addresses(&self) -> impl Iterator<Item = Ipv4Addr> {
        self.network.hosts().skip(1)
    }
}
