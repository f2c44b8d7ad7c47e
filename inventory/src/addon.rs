//! What a cluster may have beside its network.

use schemars::JsonSchema;
use serde::Serialize;

/// An entry of `addons:`. Each is a playbook of the same name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Addon {
    /// What nodes and pods use of processor and memory: `kubectl top`, and autoscaling.
    MetricsServer,
    /// Volumes on the disks of the hosts, by a storage class that is the cluster's default.
    LocalPathStorage,
}

impl Addon {
    /// All of them.
    pub const ALL: [Self; 2] = [Self::MetricsServer, Self::LocalPathStorage];

    /// Its word in the inventory, and the name of its playbook.
    pub fn word(self) -> &'static str {
        match self {
            Self::MetricsServer => "metrics-server",
            Self::LocalPathStorage => "local-path-storage",
        }
    }
}
