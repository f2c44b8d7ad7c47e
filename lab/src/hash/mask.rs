//! What the state hash does not look at: what an idle host changes by itself.

use super::Fact;

/// One place that is not looked at.
#[derive(Debug, Clone, Copy)]
pub struct Mask {
    /// The section of the lines.
    pub section: &'static str,
    /// The key, or its beginning where it ends in `*`.
    pub pattern: &'static str,
    /// Whether only the value is hidden, so that the thing's coming and going is still seen.
    pub only_value: bool,
    /// Why it changes on an idle host.
    pub reason: &'static str,
}

/// All masks. None covers anything that Garboard or Kubernetes makes.
pub const MASKS: [Mask; 12] = [
    hidden("tree", "/var/log/journal/*", "journald writes whatever any program says"),
    hidden(
        "tree",
        "/run/systemd/journal/*",
        "a file for each service that writes to the journal, named by a counter",
    ),
    hidden("tree", "/run/systemd/units/*", "an identity for each start of a unit, new at each boot"),
    hidden(
        "tree",
        "/run/systemd/transient",
        "made with the first login and kept while empty; what is in it is seen",
    ),
    hidden("tree", "/run/motd.dynamic", "pam_motd writes it at the first login"),
    hidden("tree", "/tmp/systemd-private-*", "a private folder for each start of logind, with a random name"),
    hidden(
        "tree",
        "/var/tmp/systemd-private-*",
        "a private folder for each start of logind, with a random name",
    ),
    hidden(
        "unit",
        "run-credentials-*",
        "systemd notices the mount of a unit's credentials, or its end, by chance",
    ),
    value("tree", "/run/utmp", "the time of the boot"),
    value("tree", "/run/sshd.pid", "the number sshd happens to get at a boot"),
    value("tree", "/var/log/wtmp", "a record for each boot"),
    value("mount", "/proc/*", "systemd-nspawn backs two files in /proc with random names"),
];

/// Seen with systemd 257: after a first boot and after a restart of the unit it is not there, after most others it is.
const EMPTY_CREDENTIALS: &str =
    "an empty folder that systemd mounts for the login on a console, at some of its starts";

/// What besides a virtual machine changes by itself: it has timers, devices and a kernel of its own.
pub const VM_MASKS: [Mask; 6] = [
    value("tree", "/var/lib/systemd/random-seed", "new at each boot and end of a boot"),
    hidden(
        "tree",
        "/run/udev/*",
        "udev's notes, named by the numbers that devices get as their drivers come at this boot; links, mounts and swap are counted",
    ),
    hidden(
        "tree",
        "/dev/char/10:232",
        "udev's link for the kvm device, there when the processor's kvm module was loaded in time at this boot",
    ),
    hidden("mount", "/run/credentials/getty@*", EMPTY_CREDENTIALS),
    hidden("mount", "/run/credentials/serial-getty@*", EMPTY_CREDENTIALS),
    value("sysctl", "vm/user_reserve_kbytes", "a share of the memory that was free at the boot"),
];

const fn hidden(section: &'static str, pattern: &'static str, reason: &'static str) -> Mask {
    Mask { section, pattern, only_value: false, reason }
}

const fn value(section: &'static str, pattern: &'static str, reason: &'static str) -> Mask {
    Mask { section, pattern, only_value: true, reason }
}

/// The fact as it is counted; none when it is masked.
pub(super) fn apply(mut fact: Fact, masks: &[Mask]) -> Option<Fact> {
    for mask in masks {
        if mask.section != fact.section || !matches(mask.pattern, &fact.key) {
            continue;
        }
        if !mask.only_value {
            return None;
        }
        fact.value = "masked".into();
    }
    Some(fact)
}

fn matches(pattern: &str, key: &str) -> bool {
    pattern.strip_suffix('*').map_or(pattern == key, |beginning| key.starts_with(beginning))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_mask_covers_what_garboard_or_kubernetes_makes() {
        assert!(MASKS.len() <= 12);
        let all: Vec<Mask> = MASKS.iter().chain(&VM_MASKS).copied().collect();
        for (section, key) in [
            ("tree", "/var/lib/garboard/baseline"),
            ("tree", "/run/garboard/socket"),
            ("tree", "/run/systemd/transient/garboard-run.service"),
            ("tree", "/run/systemd/system/kubelet.service.d/10.conf"),
            ("tree", "/etc/systemd/system/kubelet.service"),
            ("tree", "/var/log/pods/a"),
            ("tree", "/tmp/garboard.x"),
            ("unit", "garboard-run.service"),
            ("unit", "run-containerd.mount"),
            ("mount", "/var/lib/kubelet/pods/a"),
            ("mount", "/run/credentials/garboard-ddns.service"),
            ("cgroup", "/kubepods.slice"),
            ("sysctl", "net/ipv4/ip_forward"),
            ("sysctl", "vm/overcommit_memory"),
            ("sysctl", "kernel/panic"),
            ("module", "vxlan"),
            ("swap", "/swapfile"),
            ("unit", "dev-zram0.swap"),
            ("unit", "systemd-timesyncd.service"),
            ("tree", "/dev/char/10:200"),
            ("tree", "/etc/fstab"),
            ("tree", "/etc/adjtime"),
        ] {
            let fact = apply(Fact::new(section, key, "value"), &all);
            assert!(fact.is_some_and(|fact| fact.value == "value"), "{section} {key}");
        }
    }
}
