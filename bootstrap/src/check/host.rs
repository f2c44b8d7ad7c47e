//! The machine itself: architecture, processors, memory, control groups, kernel features, names.

use super::{Row, Subject, boot};
use crate::output::text;

/// What kubeadm's own preflight asks of a control plane (`NumCPU`).
const CONTROL_PLANE_PROCESSORS: u32 = 2;
/// What kubeadm's own preflight asks of a control plane (`Mem`), in bytes.
const CONTROL_PLANE_MEMORY: u64 = 1_700 * 1024 * 1024;
/// A worker needs about 0.25 GB for itself (measured); below this no pod of any use fits.
const WORKER_MEMORY: u64 = 480 * 1024 * 1024;

/// What Ubuntu 21.10 to 23.10 for Raspberry Pi keep the network modules in; the playbook `host` installs it.
const EXTRA_MODULES: &str = "linux-modules-extra-raspi";

pub(super) fn rows(subject: &Subject<'_>, rows: &mut Vec<Row>) {
    rows.push(architecture(subject));
    rows.push(processors(subject));
    rows.push(memory(subject));
    rows.push(control_groups(subject));
    rows.push(kernel(subject));
    rows.push(hostname(subject));
    boot::rows(subject, rows);
}

fn architecture(subject: &Subject<'_>) -> Row {
    let architecture = &subject.facts.architecture;
    if subject.facts.machine.userland_bits == 32 {
        return subject.blocking(
            "architecture",
            format!("`{architecture}` kernel, but 32-bit programs: no Kubernetes is made for them"),
            "write the 64-bit image of the operating system to the card or disk, and start from it",
        );
    }
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
        return boot::without_memory(subject);
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
    let facts = subject.facts;
    let features = &facts.features;
    let missing: Vec<&str> =
        [("overlay", features.overlay), ("vxlan", features.vxlan), ("nf_tables", features.nf_tables)]
            .into_iter()
            .filter_map(|(name, there)| (!there).then_some(name))
            .collect();
    let is_ubuntu_for_pi = facts.os.id == "ubuntu" && facts.machine.raspberry_pi;
    let text = format!("{} lacks {}", facts.kernel, missing.join(", "));
    if missing.is_empty() {
        subject.fine("kernel", facts.kernel.as_str())
    } else if is_ubuntu_for_pi && !facts.shared_kernel && missing == ["vxlan"] {
        subject.warning(
            "kernel",
            format!("{text}; `{EXTRA_MODULES}` will be installed"),
            "nothing to do; `reset` removes it again",
        )
    } else {
        let help = match facts.os.id.as_str() {
            _ if facts.shared_kernel => {
                "load them on the machine that the container runs on: `modprobe MODULE`".to_owned()
            }
            "ubuntu" if is_ubuntu_for_pi => format!("install `{EXTRA_MODULES}`"),
            "ubuntu" => "install `linux-modules-extra-$(uname -r)`, or `linux-generic`".to_owned(),
            "fedora" | "centos" | "rhel" | "rocky" | "almalinux" => {
                "install `kernel-modules-extra`".to_owned()
            }
            _ => "boot the distribution's own kernel; after an upgrade of the kernel, reboot".to_owned(),
        };
        subject.blocking("kernel", text, help)
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
