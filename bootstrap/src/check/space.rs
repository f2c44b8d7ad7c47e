//! Room for what will be written, added up for each file system.

use std::collections::BTreeMap;

use super::{Row, Subject};
use crate::output::text;

/// A place we or Kubernetes write to, and how much: on a control plane, on a worker. In bytes, with the images of this
/// version unpacked and a fifth on top.
struct Place {
    path: &'static str,
    control_plane: u64,
    worker: u64,
}

const MEGABYTE: u64 = 1_000_000;

const PLACES: [Place; 5] = [
    // Binaries and CNI plugins.
    Place { path: "/usr/local", control_plane: 260 * MEGABYTE, worker: 260 * MEGABYTE },
    // Blobs: archives and image layers as they came.
    Place { path: "/var/lib/garboard", control_plane: 500 * MEGABYTE, worker: 350 * MEGABYTE },
    // Images, content and unpacked.
    Place { path: "/var/lib/containerd", control_plane: 1_400 * MEGABYTE, worker: 700 * MEGABYTE },
    // The database, its log and a snapshot.
    Place { path: "/var/lib/etcd", control_plane: 500 * MEGABYTE, worker: 0 },
    // Pods' logs and small volumes.
    Place { path: "/var/lib/kubelet", control_plane: 200 * MEGABYTE, worker: 200 * MEGABYTE },
];

pub(super) fn paths() -> Vec<String> {
    PLACES.iter().map(|place| place.path.to_owned()).collect()
}

pub(super) fn rows(subject: &Subject<'_>, rows: &mut Vec<Row>) {
    // What a member needs is there already; kubelet itself watches what is left.
    if subject.is_ours() && subject.facts.kubernetes.kubelet_conf {
        return;
    }
    let mut systems: BTreeMap<u64, (u64, u64, Vec<&str>)> = BTreeMap::new();
    for disk in &subject.facts.disks {
        let Some(place) = PLACES.iter().find(|place| place.path == disk.path) else { continue };
        let needed = if subject.is_control_plane() { place.control_plane } else { place.worker };
        let system = systems.entry(disk.device).or_insert((disk.free_bytes, 0, Vec::new()));
        system.1 += needed;
        system.2.push(place.path);
    }
    for (free, needed, paths) in systems.into_values() {
        let places = paths.join(", ");
        rows.push(if free < needed {
            subject.blocking(
                "disk",
                format!("{} free at {places}, {} needed", text::bytes(free), text::bytes(needed)),
                "free some space, or put one of these folders on a larger disk",
            )
        } else {
            subject.fine("disk", format!("{} free at {places}", text::bytes(free)))
        });
    }
}
