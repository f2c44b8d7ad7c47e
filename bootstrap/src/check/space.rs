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

/// Share of a file system, in percent, below which the kubelet evicts pods and takes no new ones: `imagefs.available` and
/// `nodefs.available` of its `evictionHard` (`pkg/kubelet/apis/config/v1beta1/defaults_linux.go`).
const EVICTION: [(&str, u64); 2] = [("/var/lib/containerd", 15), ("/var/lib/kubelet", 10)];

/// A file system, with what will be written to it.
struct System<'a> {
    free: u64,
    total: u64,
    needed: u64,
    paths: Vec<&'a str>,
}

impl System<'_> {
    /// What must stay free, and why in percent; zero where the kubelet does not look.
    fn kept_free(&self) -> (u64, u64) {
        let watched = EVICTION.iter().filter(|(path, _)| self.paths.contains(path));
        let percent = watched.map(|(_, percent)| *percent).max().unwrap_or(0);
        (self.total / 100 * percent, percent)
    }
}

pub(super) fn rows(subject: &Subject<'_>, rows: &mut Vec<Row>) {
    // What a member needs is there already.
    let is_member = subject.is_ours() && subject.facts.kubernetes.kubelet_conf;
    let mut systems: BTreeMap<u64, System<'_>> = BTreeMap::new();
    for disk in &subject.facts.disks {
        let Some(place) = PLACES.iter().find(|place| place.path == disk.path) else { continue };
        let needed = if subject.is_control_plane() { place.control_plane } else { place.worker };
        let system = systems.entry(disk.device).or_insert(System {
            free: disk.free_bytes,
            total: disk.total_bytes,
            needed: 0,
            paths: Vec::new(),
        });
        system.needed += if is_member { 0 } else { needed };
        system.paths.push(place.path);
    }
    rows.extend(systems.into_values().map(|system| row(subject, &system, is_member)));
}

fn row(subject: &Subject<'_>, system: &System<'_>, is_member: bool) -> Row {
    let places = system.paths.join(", ");
    let (free, needed) = (text::bytes(system.free), text::bytes(system.needed));
    let (kept, percent) = system.kept_free();
    let limit = format!("{} ({percent} % of {})", text::bytes(kept), text::bytes(system.total));
    let help = "free some space, or put one of these folders on a larger disk";
    if is_member && system.free < kept {
        let found =
            format!("{free} free at {places}; below {limit} the kubelet evicts pods and starts no new ones");
        return subject.warning("disk", found, help);
    }
    if system.free < system.needed {
        return subject.blocking("disk", format!("{free} free at {places}, {needed} needed"), help);
    }
    if system.free - system.needed < kept {
        let found = format!(
            "{free} free at {places}, {needed} needed, and below {limit} the kubelet would start no pods"
        );
        return subject.blocking("disk", found, help);
    }
    subject.fine("disk", format!("{free} free at {places}"))
}
