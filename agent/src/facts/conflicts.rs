//! Software that brings its own container runtime or Kubernetes. Podman is none: it keeps to itself.

use garboard_protocol::facts::Conflict;

use super::exists;
use crate::system::Look;

/// Name, and paths of which any one gives it away.
const SOFTWARE: [(&str, &[&str]); 8] = [
    (
        "docker",
        &[
            "/usr/bin/dockerd",
            "/usr/sbin/dockerd",
            "/usr/local/bin/dockerd",
            "/snap/bin/docker",
            "/lib/systemd/system/docker.service",
            "/usr/lib/systemd/system/docker.service",
            "/etc/systemd/system/docker.service",
            "/run/docker.sock",
        ],
    ),
    (
        "k3s",
        &[
            "/usr/local/bin/k3s",
            "/usr/bin/k3s",
            "/opt/bin/k3s",
            "/etc/systemd/system/k3s.service",
            "/etc/systemd/system/k3s-agent.service",
            "/var/lib/rancher/k3s",
        ],
    ),
    ("rke2", &["/usr/local/bin/rke2", "/usr/bin/rke2", "/opt/rke2/bin/rke2", "/var/lib/rancher/rke2"]),
    ("microk8s", &["/snap/bin/microk8s", "/snap/microk8s", "/var/snap/microk8s"]),
    (
        "k0s",
        &[
            "/usr/local/bin/k0s",
            "/usr/bin/k0s",
            "/etc/systemd/system/k0scontroller.service",
            "/etc/systemd/system/k0sworker.service",
            "/var/lib/k0s",
        ],
    ),
    ("cri-o", &["/usr/bin/crio", "/lib/systemd/system/crio.service", "/usr/lib/systemd/system/crio.service"]),
    // Kubernetes from packages: its kubelet and the drop-ins of its unit would mix with ours.
    (
        "kubelet",
        &[
            "/usr/bin/kubelet",
            "/lib/systemd/system/kubelet.service",
            "/usr/lib/systemd/system/kubelet.service",
            "/snap/bin/kubelet",
        ],
    ),
    (
        "containerd",
        &[
            "/usr/bin/containerd",
            "/lib/systemd/system/containerd.service",
            "/usr/lib/systemd/system/containerd.service",
        ],
    ),
];

/// What was found, each by the first path that shows it. Docker's own containerd is not named beside it.
pub(super) fn conflicts(look: &dyn Look) -> Vec<Conflict> {
    let mut found: Vec<Conflict> = Vec::new();
    for (name, paths) in SOFTWARE {
        let Some(evidence) = paths.iter().find(|path| exists(look, path)) else { continue };
        if name == "containerd" && found.iter().any(|conflict| conflict.name == "docker") {
            continue;
        }
        found.push(Conflict { name: name.to_owned(), evidence: (*evidence).to_owned() });
    }
    found
}
