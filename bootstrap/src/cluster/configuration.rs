//! What kubeadm made the cluster with.

use k8s_openapi::api::core::v1::ConfigMap;
use kube::api::Api;
use serde::Deserialize;

use super::Cluster;
use super::ask::ask;
use super::error::ClusterError;

/// The part of kubeadm's `ClusterConfiguration` that cannot change, or only by an upgrade.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ClusterConfiguration {
    /// The cluster's name.
    pub cluster_name: String,
    /// With a `v`.
    pub kubernetes_version: String,
    /// `HOST:PORT`.
    pub control_plane_endpoint: String,
    /// The pods' network.
    pub pod_subnet: String,
    /// The services' network.
    pub service_subnet: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Document {
    cluster_name: String,
    kubernetes_version: String,
    control_plane_endpoint: String,
    networking: Networking,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Networking {
    pod_subnet: String,
    service_subnet: String,
}

impl Cluster {
    /// Reads it from the ConfigMap `kube-system/kubeadm-config`.
    pub async fn configuration(&self) -> Result<ClusterConfiguration, ClusterError> {
        let api: Api<ConfigMap> = Api::namespaced(self.client.clone(), "kube-system");
        let asked = "read the ConfigMap `kube-system/kubeadm-config`";
        let map = ask(asked, || api.get("kubeadm-config")).await?;
        let text = map.data.unwrap_or_default().remove("ClusterConfiguration").unwrap_or_default();
        parse(&text).map_err(|found| ClusterError::Answer { asked: asked.to_owned(), found })
    }
}

fn parse(text: &str) -> Result<ClusterConfiguration, String> {
    let document: Document = serde_saphyr::from_str(text)
        .map_err(|error| format!("a configuration that cannot be read: {error}"))?;
    Ok(ClusterConfiguration {
        cluster_name: document.cluster_name,
        kubernetes_version: document.kubernetes_version,
        control_plane_endpoint: document.control_plane_endpoint,
        pod_subnet: document.networking.pod_subnet,
        service_subnet: document.networking.service_subnet,
    })
}

#[cfg(test)]
mod tests {
    use super::parse;

    #[test]
    fn kubeadms_own_text_is_read() {
        let text = "apiServer: {}\napiVersion: kubeadm.k8s.io/v1beta4\nclusterName: home\n\
            controlPlaneEndpoint: home.garboard.internal:6443\nkind: ClusterConfiguration\nkubernetesVersion: v1.36.3\n\
            networking:\n  dnsDomain: cluster.local\n  podSubnet: 10.244.0.0/16\n  serviceSubnet: 10.96.0.0/12\n";
        let configuration = parse(text).unwrap();
        assert_eq!(configuration.pod_subnet, "10.244.0.0/16");
        assert_eq!(configuration.control_plane_endpoint, "home.garboard.internal:6443");
        assert!(parse("kind: Other\n").is_err());
    }
}
