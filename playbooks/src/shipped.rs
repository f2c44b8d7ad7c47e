//! The playbooks that come with the tool.

use std::collections::BTreeMap;

use crate::{Diagnostics, Site};

/// Path and text of a file beside `src`.
macro_rules! files {
    ($($path:literal),* $(,)?) => {
        [$(($path, include_str!(concat!("../", $path)))),*]
    };
}

const FILES: [(&str, &str); 60] = files![
    "site.yaml",
    "addons/playbook.yaml",
    "boot/playbook.yaml",
    "bootstrap-token/playbook.yaml",
    "containerd/playbook.yaml",
    "containerd/templates/config.toml.tera",
    "containerd/templates/containerd.service.tera",
    "containerd/templates/crictl.yaml.tera",
    "control-plane/playbook.yaml",
    "control-plane/templates/kubeadm.yaml.tera",
    "ddns/playbook.yaml",
    "ddns/templates/ddns.yaml.tera",
    "ddns/templates/garboard-ddns.service.tera",
    "ddns/templates/secrets.json.tera",
    "firewall/playbook.yaml",
    "firewall/templates/bans.nft.tera",
    "firewall/templates/edge.nft.tera",
    "firewall/templates/firewall.nft.tera",
    "firewall/templates/garboard-firewall-watch.service.tera",
    "firewall/templates/garboard-firewall-watch.tera",
    "firewall/templates/garboard-firewall.service.tera",
    "firewall/templates/tiers.nft.tera",
    "hardening/playbook.yaml",
    "hardening/templates/sshd.conf.tera",
    "flannel/playbook.yaml",
    "flannel/templates/flannel.yaml.tera",
    "host/playbook.yaml",
    "ingress-host/playbook.yaml",
    "ingress/playbook.yaml",
    "ingress/templates/traefik.yaml.tera",
    "kubernetes/playbook.yaml",
    "kubernetes/templates/10-kubeadm.conf.tera",
    "kubernetes/templates/kubelet.service.tera",
    "local-path-storage/playbook.yaml",
    "local-path-storage/templates/local-path-storage.yaml.tera",
    "membership/playbook.yaml",
    "metrics-server/playbook.yaml",
    "metrics-server/templates/metrics-server.yaml.tera",
    "nodes/playbook.yaml",
    "openvpn/playbook.yaml",
    "openvpn/templates/ca.crt.tera",
    "openvpn/templates/garboard-openvpn.service.tera",
    "openvpn/templates/revoked.yaml.tera",
    "openvpn/templates/server.conf.tera",
    "openvpn/templates/server.crt.tera",
    "openvpn/templates/server.key.tera",
    "openvpn/templates/tls-crypt-v2.key.tera",
    "openvpn/templates/users.yaml.tera",
    "openvpn/templates/vpn.nft.tera",
    "sd-card/playbook.yaml",
    "sd-card/templates/journald.conf.tera",
    "sd-card/templates/kubelet.conf.tera",
    "sd-card/templates/kubelet.service.tera",
    "serving-certificate/playbook.yaml",
    "serving-certificate/templates/kubelet.conf.tera",
    "serving-certificate/templates/kubelet.service.tera",
    "serving-certificate/templates/serving.crt.tera",
    "serving-certificate/templates/serving.key.tera",
    "worker/playbook.yaml",
    "worker/templates/join.yaml.tera",
];

/// The shipped site.
///
/// # Errors
/// None in a released tool: its tests call this. Someone who edits a shipped playbook reads here what is wrong with it.
pub fn shipped() -> Result<Site, Diagnostics> {
    Site::parse(&sources())
}

/// Their files, by path.
pub(crate) fn sources() -> BTreeMap<String, String> {
    FILES.iter().map(|(path, text)| ((*path).to_owned(), (*text).to_owned())).collect()
}
