//! What is so on a host: read, never guessed, and nothing is changed by looking.

mod boot;
mod clock;
mod conflicts;
mod disks;
mod kernel;
mod kubernetes;
mod machine;
mod network;
mod packet_filter;
mod pi;
mod ports;
mod power;
pub(crate) mod swap;
mod sync;

pub(crate) use clock::{TIME_SERVICES, is_active, is_installed, is_synchronised};
pub(crate) use ports::holders;
pub use sync::sync_latency;

use std::path::Path;

use garboard_protocol::Facts;
use garboard_protocol::facts::GarboardState;
use garboard_protocol::request::FactsQuery;

use crate::packages::Status;
use crate::store::{Baseline, Intent, Layout};
use crate::system::Look;

/// Observes the host. What cannot be read counts as not there: a fact that matters then shows up in a check.
pub fn collect(look: &dyn Look, layout: &Layout, query: &FactsQuery) -> Facts {
    let kernel = kernel::release(look);
    let shared_kernel = kernel::is_shared(look);
    let capabilities = kernel::Capabilities::of_self(look);
    let modules = kernel::Modules::of(look, &kernel, capabilities);
    let cgroup = machine::cgroup(look);
    let features = kernel::features(look, &modules);
    let machine = pi::machine(look);
    Facts {
        architecture: machine::architecture().to_owned(),
        os: machine::operating_system(look),
        hostname: line(look, "/proc/sys/kernel/hostname"),
        machine_id: line(look, "/etc/machine-id"),
        boot_id: line(look, "/proc/sys/kernel/random/boot_id"),
        processors: machine::processors(),
        memory_bytes: machine::memory(look),
        page_size: machine::page_size(look),
        cgroup_version: cgroup.version,
        cgroup_controllers: cgroup.controllers,
        can_lower_oom_score: capabilities.can_lower_oom_score(),
        conntrack_writable: kernel::is_conntrack_writable(look, shared_kernel),
        shared_kernel,
        features,
        swap: swap::active(look),
        addresses: network::addresses(),
        gateway: network::gateway(look),
        resolv_conf: network::resolv_conf(look).to_owned(),
        disks: disks::disks(look, &query.disk_paths),
        ports: ports::holders(look, &query.tcp_ports, &query.udp_ports),
        conflicts: conflicts::conflicts(look),
        kubernetes: kubernetes::state(look),
        garboard: garboard(look, layout),
        power: power::power(look, machine.raspberry_pi),
        machine,
        swap_sources: swap::sources(look).into_iter().map(Into::into).collect(),
        sync_latency: None,
        boot: boot::boot(look),
        openvpn: openvpn(look),
        kernel,
        // Last, both at once: the rest took its time.
        clock: clock::clock(look),
        clock_milliseconds: u64::try_from(look.now() / 1_000_000).unwrap_or(0),
    }
}

/// dpkg's notes are long, and read only where they have something to say.
fn openvpn(look: &dyn Look) -> Option<String> {
    if !exists(look, "/usr/sbin/openvpn") {
        return None;
    }
    Status::read(look).ok().flatten()?.version("openvpn").map(ToOwned::to_owned)
}

fn garboard(look: &dyn Look, layout: &Layout) -> GarboardState {
    GarboardState {
        // A baseline that cannot be read is one.
        baseline: Baseline::exists(look, layout).unwrap_or(true),
        cluster: look.read(&layout.cluster()).ok().and_then(|note| serde_json::from_slice(&note).ok()),
        intent: Intent::load(look, layout).ok().flatten().map(|intent| intent.step.0),
        edge_filter: packet_filter::is_of_an_edge_host(look),
        public_tier: packet_filter::public_tier(look),
    }
}

fn text(look: &dyn Look, path: &str) -> String {
    look.read_text(Path::new(path)).ok().flatten().unwrap_or_default()
}

fn line(look: &dyn Look, path: &str) -> String {
    text(look, path).trim().to_owned()
}

fn exists(look: &dyn Look, path: &str) -> bool {
    look.metadata(Path::new(path)).is_ok_and(|metadata| metadata.is_some())
}
