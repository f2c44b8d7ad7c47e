//! Names of what the lock pins. Playbooks speak of files and images only by these names.

use std::collections::BTreeMap;

use garboard_protocol::step::{Blob, ImageSource};

/// Files of the lock that hosts can get.
pub const FILES: [&str; 6] = ["cni-plugins", "containerd", "crictl", "kubeadm", "kubelet", "runc"];

/// Programs that this command carries itself, so that no lock has to pin them. For the shipped playbooks.
pub const CARRIED: [&str; 1] = ["garboard-ddns"];

/// Images of the lock.
pub const IMAGES: [&str; 13] = [
    "busybox",
    "coredns",
    "etcd",
    "flannel",
    "flannel-cni-plugin",
    "kube-apiserver",
    "kube-controller-manager",
    "kube-proxy",
    "kube-scheduler",
    "local-path-provisioner",
    "metrics-server",
    "pause",
    "traefik",
];

/// What can be sent, for each architecture (`amd64`, `arm64`) that some host has.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Artifacts {
    /// By name, then by architecture; those that are carried among them.
    pub files: BTreeMap<String, BTreeMap<String, Blob>>,
    /// By name, then by architecture; the reference of one image is the same on all of them.
    pub images: BTreeMap<String, BTreeMap<String, ImageSource>>,
}
