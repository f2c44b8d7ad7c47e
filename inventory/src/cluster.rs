//! The cluster, resolved.

use std::fmt;

use ipnet::IpNet;
use semver::Version;
use serde::Serialize;

/// The cluster as a whole.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Cluster {
    /// An RFC 1123 label.
    pub name: String,
    /// The Kubernetes version; its `Display` lacks the `v`, see [`Cluster::kubernetes_tag`].
    pub kubernetes: Version,
    /// Where the API server is reached.
    pub endpoint: Endpoint,
    /// The addresses of pods; a /24 a host. IPv4, canonical.
    pub pod_cidr: IpNet,
    /// The addresses of services. IPv4, canonical.
    pub service_cidr: IpNet,
    /// The network between pods.
    pub cni: Cni,
    /// Whether hosts on cgroup v1 are accepted.
    pub allow_cgroup_v1: bool,
    /// What becomes of the hosts' swap.
    pub swap: Swap,
    /// Whether a disk that is too slow for etcd is accepted.
    pub allow_slow_disk: bool,
}

impl Cluster {
    /// The version as upstream writes it: `v1.36.3`.
    pub fn kubernetes_tag(&self) -> String {
        format!("v{}", self.kubernetes)
    }
}

/// What becomes of the hosts' swap.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, schemars::JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Swap {
    /// It is turned off, now and for every boot.
    #[default]
    Off,
    /// It stays, and the kubelet gives pods their share of it.
    Kubelet,
}

impl Swap {
    /// The word the inventory uses.
    pub fn word(self) -> &'static str {
        match self {
            Self::Off => "off",
            Self::Kubelet => "kubelet",
        }
    }
}

/// Where the API server is reached.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Endpoint {
    /// A name in lower case or an IPv4 address.
    pub host: String,
    /// The port.
    pub port: u16,
    /// Whether the name is Garboard's own: in every host's /etc/hosts, pointing at a control plane.
    pub own: bool,
}

impl fmt::Display for Endpoint {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}:{}", self.host, self.port)
    }
}

/// The network between pods.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Cni {
    /// Flannel.
    Flannel {
        /// How packets travel between hosts.
        backend: FlannelBackend,
    },
}

/// Flannel's backends.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum FlannelBackend {
    /// VXLAN on UDP port 8472, done by the kernel.
    Vxlan,
}
