//! Steps that make a host a member, and whose member it is.

use serde::{Deserialize, Serialize};

use crate::secret::Secret;

/// `kubeadm init`, three-state. Outputs: `ca_hash` (`sha256:` of the CA's public key, as `kubeadm join` wants it).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct KubeadmInit {
    /// This node's name.
    pub node_name: String,
    /// The kubeadm configuration with its ephemeral token; sent only to be applied, never to be probed.
    pub config: Option<Secret>,
    /// Longest the whole command may take, in seconds.
    pub timeout_seconds: u64,
}

/// `kubeadm join` as a worker, three-state.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct KubeadmJoin {
    /// This node's name.
    pub node_name: String,
    /// `sha256:…` of the CA's public key of the cluster to join, where known: a member of another cluster is never "done".
    pub ca_hash: Option<String>,
    /// The kubeadm configuration with its ephemeral token; sent only to be applied, never to be probed.
    pub config: Option<Secret>,
    /// Longest the whole command may take, in seconds.
    pub timeout_seconds: u64,
}

/// Which cluster this host belongs to, noted in `/var/lib/garboard/cluster.json`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ClusterNote {
    /// The note's content.
    pub cluster: ClusterId,
}

/// A cluster's identity.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct ClusterId {
    /// As in the inventory.
    pub name: String,
    /// `sha256:` of the CA's public key (`SubjectPublicKeyInfo`, DER), the same text kubeadm uses for discovery.
    pub ca_hash: String,
    /// UID of the namespace `kube-system`.
    pub uid: String,
}
