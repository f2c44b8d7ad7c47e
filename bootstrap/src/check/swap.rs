//! Swap: what makes it, and what becomes of it.

use garboard_inventory::Swap;

use super::{Row, Subject};

pub(super) fn rows(subject: &Subject<'_>, rows: &mut Vec<Row>) {
    rows.push(swap(subject));
}

fn swap(subject: &Subject<'_>) -> Row {
    let facts = subject.facts;
    if facts.shared_kernel {
        let text = if facts.swap.is_empty() { "none" } else { "the machine's, not the container's" };
        return subject.fine("swap", text);
    }
    if subject.inventory.cluster.swap == Swap::Kubelet {
        return if facts.cgroup_version == 2 {
            subject.fine("swap", "left to the kubelet")
        } else {
            subject.blocking(
                "swap",
                "the kubelet lets pods use swap on cgroup version 2 only, and this host has version 1",
                "boot with `systemd.unified_cgroup_hierarchy=1`, or set `cluster.swap: off`",
            )
        };
    }
    if facts.swap_sources.is_empty() {
        return subject.fine("swap", "none");
    }
    let (active, dormant): (Vec<_>, Vec<_>) = facts.swap_sources.iter().partition(|source| source.active);
    let text = if active.is_empty() {
        let makers: std::collections::BTreeSet<&str> =
            dormant.iter().map(|source| source.maker.as_str()).collect();
        let makers: Vec<&str> = makers.into_iter().collect();
        format!("none now; that of {} will not come with the next boot", makers.join(", "))
    } else {
        let named: Vec<_> =
            active.iter().map(|source| format!("{} ({})", source.name, source.maker)).collect();
        format!("{} will be turned off, also for the next boot", named.join(", "))
    };
    subject.warning(
        "swap",
        text,
        "nothing to do; `reset` turns it on again. To keep it: `cluster.swap: kubelet`",
    )
}
