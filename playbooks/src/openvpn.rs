//! What the VPN's server needs of the laptop, and how templates see it.

use std::collections::BTreeMap;
use std::net::Ipv4Addr;

use garboard_inventory::OpenVpn;
use garboard_protocol::Secret;
use ipnet::Ipv4Net;
use serde_json::{Value, json};

/// The playbook of the VPN's server; it runs where the inventory has `edge.openvpn`.
pub const OPENVPN: &str = "openvpn";

/// Keys and certificates of the server, and who may come in. The authority's own key is not here: no host ever gets it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct VpnMaterial {
    /// The authority's certificate, PEM.
    pub authority: String,
    /// The server's certificate, PEM.
    pub certificate: String,
    /// The server's key, PEM.
    pub key: Secret,
    /// The server's tls-crypt-v2 key.
    pub tls_crypt_key: Secret,
    /// Everybody who ever had an address: the address inside the tunnel, or nothing for those who are shut out.
    pub users: BTreeMap<String, Option<Ipv4Addr>>,
    /// Serial numbers of the certificates that are revoked, in decimal.
    pub revoked: Vec<String>,
}

impl VpnMaterial {
    /// The variable `openvpn`; `docs/playbooks.md` tells its fields.
    pub(crate) fn variable(&self, openvpn: &OpenVpn) -> Value {
        let routes: Vec<Value> = openvpn.routes.iter().copied().map(network).collect();
        json!({
            "port": openvpn.port,
            "device": OpenVpn::DEVICE,
            "network": network(openvpn.network),
            "server_address": openvpn.server_address(),
            "routes": routes,
            "dns": openvpn.dns,
            "authority": self.authority,
            "certificate": self.certificate,
            "key": self.key.expose(),
            "tls_crypt_key": self.tls_crypt_key.expose(),
            "users": self.users,
            "restricted": self.restricted(openvpn),
            "own_routes": self.own_routes(openvpn),
            "revoked": self.revoked,
        })
    }
}

impl VpnMaterial {
    /// Users who reach less than others and have an address: it, and what they reach.
    fn restricted(&self, openvpn: &OpenVpn) -> BTreeMap<String, Value> {
        let restricted = openvpn.user_routes.iter().filter_map(|(name, routes)| {
            let address = (*self.users.get(name)?)?;
            let networks: Vec<String> = routes.iter().map(ToString::to_string).collect();
            Some((name.clone(), json!({ "address": address, "routes": networks })))
        });
        restricted.collect()
    }

    /// What each user reaches who reaches less than others; nothing for all others.
    fn own_routes(&self, openvpn: &OpenVpn) -> BTreeMap<String, Vec<Value>> {
        let own = |name: &String| openvpn.user_routes.get(name).into_iter().flatten().copied().map(network);
        self.users.keys().map(|name| (name.clone(), own(name).collect())).collect()
    }
}

/// As OpenVPN writes networks.
fn network(network: Ipv4Net) -> Value {
    json!({ "address": network.addr(), "mask": network.netmask() })
}
