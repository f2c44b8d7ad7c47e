//! Why the API did not do what was asked.

use std::sync::Arc;

/// A failed question to the cluster.
#[derive(Debug, Clone, thiserror::Error)]
pub enum ClusterError {
    /// The control plane's CA is not the expected one.
    #[error(
        "the control plane belongs to another cluster: its CA has the hash {found}, expected {expected}; \
         `garboard reset` the host, or remove it from the inventory"
    )]
    OtherAuthority {
        /// Known.
        expected: String,
        /// Found.
        found: String,
    },
    /// The CA is no certificate.
    #[error(
        "the certificate authority of the control plane's `/etc/kubernetes/admin.conf` cannot be read: {reason}"
    )]
    Authority {
        /// What is wrong with it.
        reason: String,
    },
    /// The admin certificate or key cannot be used.
    #[error("the admin credentials of the control plane's `/etc/kubernetes/admin.conf` cannot be used")]
    Credentials {
        /// Why.
        #[source]
        cause: Arc<kube::Error>,
    },
    /// No connection, or it broke.
    #[error(
        "could not {asked}: the API server was not reached; is `kube-apiserver` running on the control plane \
         (`crictl ps -a --name kube-apiserver`)?"
    )]
    Unreachable {
        /// What was asked.
        asked: String,
        /// Why.
        #[source]
        cause: Arc<dyn std::error::Error + Send + Sync>,
    },
    /// The certificates do not fit.
    #[error(
        "could not {asked}: the API server's certificate was not accepted; is the endpoint's name still the one the \
         cluster was made with?"
    )]
    Certificate {
        /// What was asked.
        asked: String,
        /// Why.
        #[source]
        cause: Arc<dyn std::error::Error + Send + Sync>,
    },
    /// The API server said no.
    #[error("could not {asked}: the API server refused it ({code}{}): {message}", spaced(.reason))]
    Refused {
        /// What was asked.
        asked: String,
        /// HTTP status.
        code: u16,
        /// For example `Forbidden`; may be empty.
        reason: String,
        /// In the server's words.
        message: String,
    },
    /// No answer.
    #[error(
        "could not {asked}: no answer within {seconds} s; look at the load and the etcd disk of the control plane"
    )]
    Silent {
        /// What was asked.
        asked: String,
        /// Waited.
        seconds: u64,
    },
    /// An answer that makes no sense.
    #[error("could not {asked}: the API server answered with {found}")]
    Answer {
        /// What was asked.
        asked: String,
        /// What came.
        found: String,
    },
    /// A manifest's document is no object.
    #[error("document {number} of the manifest has no `{key}`")]
    Document {
        /// From 1.
        number: usize,
        /// What it lacks.
        key: &'static str,
    },
    /// The API serves no such kind.
    #[error("the API server knows no `{kind}` in `{api_version}`; is the CRD that defines it missing?")]
    Kind {
        /// For example `DaemonSet`.
        kind: String,
        /// For example `apps/v1`.
        api_version: String,
    },
    /// What was waited for did not come.
    #[error("waited {seconds} s for {awaited}; still lacking: {}", .lacking.join("; "))]
    Deadline {
        /// For example `3 nodes to be Ready`.
        awaited: String,
        /// Waited.
        seconds: u64,
        /// One entry a thing, with its reason.
        lacking: Vec<String>,
    },
    /// Pods that an eviction would end for ever.
    #[error(
        "the node {node} has pods that no controller would make again: {}; it was not drained. Delete them, or move them yourself",
        .pods.join(", ")
    )]
    Alone {
        /// The node.
        node: String,
        /// Namespace and name.
        pods: Vec<String>,
    },
    /// kubeadm's discovery document is not there.
    #[error(
        "the cluster has no ConfigMap `kube-public/cluster-info`, so no host can join; run \
         `kubeadm init phase bootstrap-token` on the control plane"
    )]
    NoDiscovery,
    /// A token that has not kubeadm's form.
    #[error("a bootstrap token must have the form `[a-z0-9]{{6}}.[a-z0-9]{{16}}`")]
    Token,
}

fn spaced(reason: &str) -> String {
    if reason.is_empty() { String::new() } else { format!(" {reason}") }
}
