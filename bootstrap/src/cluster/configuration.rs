//! What kubeadm made the cluster with.

use garboard_inventory::Swap;
use k8s_openapi::api::core::v1::ConfigMap;
use kube::api::Api;
use serde::Deserialize;

use super::Cluster;
use super::ask::ask;
use super::error::ClusterError;

/// The part of kubeadm's `ClusterConfiguration`, and of the `KubeletConfiguration` that every node was given, that cannot
/// change, or only by an upgrade.
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
    /// What the kubelets were told of swap.
    pub swap: Swap,
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

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct KubeletDocument {
    #[serde(default)]
    memory_swap: MemorySwap,
}

#[derive(Deserialize, Default)]
#[serde(rename_all = "camelCase")]
struct MemorySwap {
    #[serde(default)]
    swap_behavior: String,
}

impl Cluster {
    /// Reads it from the config maps `kubeadm-config` and `kubelet-config` in `kube-system`, where kubeadm keeps them.
    pub async fn configuration(&self) -> Result<ClusterConfiguration, ClusterError> {
        let (cluster, kubelet) = tokio::try_join!(
            self.kept_by_kubeadm("kubeadm-config", "ClusterConfiguration"),
            self.kept_by_kubeadm("kubelet-config", "kubelet"),
        )?;
        parse(&cluster, &kubelet).map_err(|found| ClusterError::Answer {
            asked: "read what kubeadm made the cluster with".to_owned(),
            found,
        })
    }

    async fn kept_by_kubeadm(&self, name: &str, key: &str) -> Result<String, ClusterError> {
        let api: Api<ConfigMap> = Api::namespaced(self.client.clone(), "kube-system");
        let asked = format!("read the ConfigMap `kube-system/{name}`");
        let map = ask(&asked, || api.get(name)).await?;
        Ok(map.data.unwrap_or_default().remove(key).unwrap_or_default())
    }
}

fn parse(cluster: &str, kubelet: &str) -> Result<ClusterConfiguration, String> {
    let unreadable = |error| format!("a configuration that cannot be read: {error}");
    let document: Document = serde_saphyr::from_str(cluster).map_err(unreadable)?;
    let kubelet: KubeletDocument = serde_saphyr::from_str(kubelet).map_err(unreadable)?;
    // The other behaviours that Kubernetes knows keep pods off swap.
    let swap = if kubelet.memory_swap.swap_behavior == "LimitedSwap" { Swap::Kubelet } else { Swap::Off };
    Ok(ClusterConfiguration {
        cluster_name: document.cluster_name,
        kubernetes_version: document.kubernetes_version,
        control_plane_endpoint: document.control_plane_endpoint,
        pod_subnet: document.networking.pod_subnet,
        service_subnet: document.networking.service_subnet,
        swap,
    })
}

#[cfg(test)]
mod tests {
    use garboard_inventory::Swap;

    use super::parse;

    const KUBELET: &str =
        "apiVersion: kubelet.config.k8s.io/v1beta1\ncgroupDriver: systemd\nkind: KubeletConfiguration\n";

    #[test]
    fn kubeadms_own_text_is_read() {
        let text = "apiServer: {}\napiVersion: kubeadm.k8s.io/v1beta4\nclusterName: home\n\
            controlPlaneEndpoint: home.garboard.internal:6443\nkind: ClusterConfiguration\nkubernetesVersion: v1.36.3\n\
            networking:\n  dnsDomain: cluster.local\n  podSubnet: 10.244.0.0/16\n  serviceSubnet: 10.96.0.0/12\n";
        let configuration = parse(text, &format!("{KUBELET}memorySwap: {{}}\n")).unwrap();
        assert_eq!(configuration.pod_subnet, "10.244.0.0/16");
        assert_eq!(configuration.control_plane_endpoint, "home.garboard.internal:6443");
        assert_eq!(configuration.swap, Swap::Off);
        let left = format!("{KUBELET}memorySwap:\n  swapBehavior: LimitedSwap\n");
        assert_eq!(parse(text, &left).unwrap().swap, Swap::Kubelet);
        assert!(parse("kind: Other\n", KUBELET).is_err());
    }
}
