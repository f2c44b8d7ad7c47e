//! A host, resolved.

use std::collections::BTreeMap;
use std::fmt;
use std::net::IpAddr;

use serde::Serialize;

use crate::ssh::Ssh;

/// A machine.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Host {
    /// Its node name: an RFC 1123 label.
    pub name: String,
    /// What SSH connects to: an IPv4 address or a DNS name.
    pub address: String,
    /// What it does in the cluster.
    pub role: Role,
    /// Its address in the cluster, where the inventory says so; else it is for facts to find.
    pub node_ip: Option<IpAddr>,
    /// Labels of its node.
    pub labels: BTreeMap<String, String>,
    /// The pinned host key, `SHA256:` and 43 characters of base64.
    pub host_key: Option<String>,
    /// Whether the OS hostname stays as it is.
    pub keep_hostname: bool,
    /// Whether it faces the internet.
    pub edge: bool,
    /// How it is reached.
    pub ssh: Ssh,
}

impl Host {
    /// Its address in the cluster as far as the inventory alone tells: `node_ip`, else `address` if that is an IP.
    pub fn known_node_ip(&self) -> Option<IpAddr> {
        self.node_ip.or_else(|| self.address.parse().ok())
    }
}

/// What a host does in the cluster.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, schemars::JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Role {
    /// Runs the API server, etcd, the scheduler and the controllers.
    ControlPlane,
    /// Runs what users deploy.
    Worker,
}

impl Role {
    /// The word the inventory uses.
    pub fn word(self) -> &'static str {
        match self {
            Self::ControlPlane => "control_plane",
            Self::Worker => "worker",
        }
    }
}

impl fmt::Display for Role {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.word())
    }
}
