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
    /// The tier of the network it stands in, where the inventory says so; see [`Host::tier`].
    pub zone: Option<Zone>,
    /// Whether it faces the internet: a worker.
    pub edge: bool,
    /// How it is reached.
    pub ssh: Ssh,
}

impl Host {
    /// Its address in the cluster as far as the inventory alone tells: `node_ip`, else `address` if that is an IP.
    pub fn known_node_ip(&self) -> Option<IpAddr> {
        self.node_ip.or_else(|| self.address.parse().ok())
    }

    /// The tier it stands in: as written, else `public` for the edge host, `private` for all others.
    pub fn tier(&self) -> Zone {
        self.zone.unwrap_or(if self.edge { Zone::Public } else { Zone::Private })
    }
}

/// A tier of the network.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, schemars::JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Zone {
    /// Towards the internet (DMZ): expected to be taken one day.
    Public,
    /// At home.
    Private,
    /// At home, and of no concern to the public tier at all.
    Data,
}

impl Zone {
    /// From the internet inwards.
    pub const ALL: [Self; 3] = [Self::Public, Self::Private, Self::Data];

    /// The word the inventory uses.
    pub fn word(self) -> &'static str {
        match self {
            Self::Public => "public",
            Self::Private => "private",
            Self::Data => "data",
        }
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
