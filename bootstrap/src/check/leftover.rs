//! Others' software and earlier clusters on a host that was never ours.

use super::{Row, Subject};

/// The row about Kubernetes that another tool left.
pub(crate) const EARLIER_CLUSTER: &str = "earlier cluster";

pub(super) fn rows(subject: &Subject<'_>, rows: &mut Vec<Row>) {
    conflicts(subject, rows);
    leftovers(subject, rows);
}

fn conflicts(subject: &Subject<'_>, rows: &mut Vec<Row>) {
    for conflict in &subject.facts.conflicts {
        let help = match conflict.name.as_str() {
            "docker" => {
                "Docker brings its own containerd and firewall rules: remove it (`apt-get purge docker-ce docker.io \
                 containerd.io containerd`), or choose another host"
            }
            "k3s" => "remove it with its own script: `k3s-uninstall.sh` or `k3s-agent-uninstall.sh`",
            "microk8s" => "remove it: `snap remove --purge microk8s`",
            _ => "remove it with its own tools, or choose another host",
        };
        rows.push(subject.blocking(
            "other software",
            format!("`{}` is installed ({})", conflict.name, conflict.evidence),
            help,
        ));
    }
}

fn leftovers(subject: &Subject<'_>, rows: &mut Vec<Row>) {
    let kubernetes = &subject.facts.kubernetes;
    let mut found = kubernetes.leftovers.clone();
    if kubernetes.etcd_data {
        found.push("/var/lib/etcd/member".to_owned());
    }
    if subject.is_ours() || found.is_empty() {
        rows.push(subject.fine(EARLIER_CLUSTER, "none"));
        return;
    }
    found.sort();
    found.dedup();
    rows.push(subject.blocking(
        EARLIER_CLUSTER,
        format!("found {}, which another tool left", found.join(", ")),
        "save what you need of that cluster, then remove it with the tool that made it (for kubeadm: `kubeadm reset`, \
         and delete /etc/kubernetes, /etc/cni/net.d and /var/lib/etcd)",
    ));
}
