//! Kubernetes on the host: membership by durable state alone, and what an earlier cluster left.

use std::path::Path;

use garboard_protocol::facts::KubernetesState;

use super::{exists, text};
use crate::steps::certificate::authority_hash;
use crate::system::{Kind, Look};

/// Places an earlier cluster leaves files in.
const PLACES: [&str; 3] = ["/etc/kubernetes", "/var/lib/kubelet", "/etc/cni/net.d"];
/// Most leftovers that are named.
const NAMED: usize = 20;
/// Most entries looked at: a member's `/var/lib/kubelet` holds the files of all its pods.
const LOOKED_AT: usize = 2_000;

pub(super) fn state(look: &dyn Look) -> KubernetesState {
    KubernetesState {
        kubelet_conf: exists(look, "/etc/kubernetes/kubelet.conf"),
        admin_conf: exists(look, "/etc/kubernetes/admin.conf"),
        ca_hash: authority_hash(&text(look, "/etc/kubernetes/pki/ca.crt")),
        etcd_data: exists(look, "/var/lib/etcd/member"),
        leftovers: leftovers(look),
    }
}

/// Files (not folders: packages and disks bring empty ones) in the places of an earlier cluster.
fn leftovers(look: &dyn Look) -> Vec<String> {
    let mut found = Vec::new();
    let mut left = LOOKED_AT;
    for place in PLACES {
        files(look, Path::new(place), &mut left, &mut found);
    }
    found
}

fn files(look: &dyn Look, folder: &Path, left: &mut usize, found: &mut Vec<String>) {
    for name in look.list(folder).unwrap_or_default() {
        if found.len() >= NAMED || *left == 0 {
            return;
        }
        *left -= 1;
        let path = folder.join(&name);
        match look.metadata(&path).ok().flatten().map(|metadata| metadata.kind) {
            // Of the file system itself.
            Some(Kind::Directory) if name == "lost+found" => {}
            Some(Kind::Directory) => files(look, &path, left, found),
            // Podman's networks are its own.
            Some(_) if !name.contains("podman") => found.push(path.to_string_lossy().into_owned()),
            _ => {}
        }
    }
}
