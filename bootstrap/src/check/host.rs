//! The machine itself: architecture, processors, memory, control groups, kernel features, clock, names.

use super::{Row, Subject};
use crate::output::text;

/// What kubeadm's own preflight asks of a control plane (`NumCPU`).
const CONTROL_PLANE_PROCESSORS: u32 = 2;
/// What kubeadm's own preflight asks of a control plane (`Mem`), in bytes.
const CONTROL_PLANE_MEMORY: u64 = 1_700 * 1024 * 1024;
/// A worker needs about 0.25 GB for itself (measured); below this no pod of any use fits.
const WORKER_MEMORY: u64 = 480 * 1024 * 1024;
/// kubeadm makes certificates valid from five minutes ago; a larger difference makes them invalid on one side.
const CLOCK_BLOCKS: u64 = 60_000;
/// A difference worth a word.
const CLOCK_WARNS: u64 = 5_000;

pub(super) fn rows(subject: &Subject<'_>, rows: &mut Vec<Row>) {
    rows.push(architecture(subject));
    rows.push(processors(subject));
    rows.push(memory(subject));
    rows.push(control_groups(subject));
    rows.push(kernel(subject));
    rows.push(clock(subject));
    rows.push(hostname(subject));
    rows.push(swap(subject));
}

fn architecture(subject: &Subject<'_>) -> Row {
    let architecture = &subject.facts.architecture;
    if matches!(architecture.as_str(), "amd64" | "arm64") {
        subject.fine("architecture", architecture.as_str())
    } else {
        subject.blocking(
            "architecture",
            format!("`{architecture}` is not supported"),
            "use a host with a 64-bit x86 or ARM system; on a Raspberry Pi install the 64-bit image",
        )
    }
}

fn processors(subject: &Subject<'_>) -> Row {
    let count = subject.facts.processors;
    if subject.is_control_plane() && count < CONTROL_PLANE_PROCESSORS {
        subject.blocking(
            "processors",
            format!("{count}, a control plane needs {CONTROL_PLANE_PROCESSORS}"),
            "choose another host for `role: control_plane`",
        )
    } else {
        subject.fine("processors", count.to_string())
    }
}

fn memory(subject: &Subject<'_>) -> Row {
    let found = subject.facts.memory_bytes;
    let (needed, role) = if subject.is_control_plane() {
        (CONTROL_PLANE_MEMORY, "a control plane")
    } else {
        (WORKER_MEMORY, "a worker")
    };
    if found < needed {
        subject.blocking(
            "memory",
            format!("{}, {role} needs {}", text::bytes(found), text::bytes(needed)),
            "use a host with more memory",
        )
    } else {
        subject.fine("memory", text::bytes(found))
    }
}

fn control_groups(subject: &Subject<'_>) -> Row {
    let facts = subject.facts;
    let has_memory = facts.cgroup_controllers.iter().any(|name| name == "memory");
    if !has_memory {
        return subject.blocking(
            "cgroups",
            "the memory controller is off",
            "add `cgroup_enable=memory` to the kernel's command line and reboot",
        );
    }
    match facts.cgroup_version {
        1 if !subject.inventory.cluster.allow_cgroup_v1 => subject.blocking(
            "cgroups",
            "version 1, which Kubernetes no longer supports",
            "boot with `systemd.unified_cgroup_hierarchy=1`, or set `cluster.allow_cgroup_v1: true`",
        ),
        version => subject.fine("cgroups", format!("version {version}")),
    }
}

fn kernel(subject: &Subject<'_>) -> Row {
    let features = &subject.facts.features;
    let missing: Vec<&str> =
        [("overlay", features.overlay), ("vxlan", features.vxlan), ("nf_tables", features.nf_tables)]
            .into_iter()
            .filter_map(|(name, there)| (!there).then_some(name))
            .collect();
    if missing.is_empty() {
        subject.fine("kernel", subject.facts.kernel.as_str())
    } else {
        subject.blocking(
            "kernel",
            format!("{} lacks {}", subject.facts.kernel, missing.join(", ")),
            "install the package with the kernel's extra modules (on Ubuntu for Raspberry Pi `linux-modules-extra-raspi`)",
        )
    }
}

fn clock(subject: &Subject<'_>) -> Row {
    let difference = subject.clock_ahead_milliseconds.unsigned_abs();
    let direction = if subject.clock_ahead_milliseconds < 0 { "behind" } else { "ahead of" };
    let text = format!("{} {direction} this machine's", text::duration(difference));
    let help = "set the host's clock, or turn on its time service: `timedatectl set-ntp true`";
    if difference > CLOCK_BLOCKS {
        subject.blocking("clock", text, help)
    } else if difference > CLOCK_WARNS {
        subject.warning("clock", text, help)
    } else {
        subject.fine("clock", "right")
    }
}

fn hostname(subject: &Subject<'_>) -> Row {
    let (found, wanted) = (&subject.facts.hostname, &subject.host.name);
    if found == wanted {
        subject.fine("hostname", found.as_str())
    } else if subject.host.keep_hostname {
        subject.fine("hostname", format!("`{found}` stays, the node is `{wanted}`"))
    } else {
        subject.warning(
            "hostname",
            format!("`{found}` becomes `{wanted}`"),
            "set `keep_hostname: true` to keep it; `reset` puts it back",
        )
    }
}

fn swap(subject: &Subject<'_>) -> Row {
    let swap = &subject.facts.swap;
    if swap.is_empty() || subject.facts.shared_kernel {
        subject.fine("swap", if swap.is_empty() { "none" } else { "the machine's, not the container's" })
    } else {
        subject.warning(
            "swap",
            format!("{} will be turned off", swap.join(", ")),
            "nothing to do; `reset` turns it on again",
        )
    }
}
