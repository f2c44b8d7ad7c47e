//! What the kernel can and lets us do. Features are looked for as such: a module list says nothing about what is built in.

use std::path::Path;

use garboard_protocol::facts::Features;

use super::{exists, line, text};
use crate::system::{Command, Look};

const CAP_SYS_MODULE: u32 = 16;
const CAP_SYS_RESOURCE: u32 = 24;

/// `uname -r`.
pub(super) fn release(look: &dyn Look) -> String {
    line(look, "/proc/sys/kernel/osrelease")
}

/// Whether others use this kernel too: systemd's note for containers, PID 1's environment, Docker's and Podman's marks.
pub(super) fn is_shared(look: &dyn Look) -> bool {
    let environment = text(look, "/proc/1/environ");
    ["/run/systemd/container", "/.dockerenv", "/run/.containerenv"].iter().any(|path| exists(look, path))
        || environment.split('\0').any(|variable| variable.starts_with("container="))
}

/// What this process may do at most, and does.
#[derive(Debug, Clone, Copy)]
pub(super) struct Capabilities(u64);

impl Capabilities {
    pub(super) fn of_self(look: &dyn Look) -> Self {
        let status = text(look, "/proc/self/status");
        let set = |key: &str| {
            let digits = status.lines().find_map(|line| line.strip_prefix(key)).map(str::trim);
            digits.and_then(|digits| u64::from_str_radix(digits, 16).ok()).unwrap_or(0)
        };
        Self(set("CapBnd:") & set("CapEff:"))
    }

    fn has(self, bit: u32) -> bool {
        self.0 >> bit & 1 == 1
    }

    pub(super) fn can_lower_oom_score(self) -> bool {
        self.has(CAP_SYS_RESOURCE)
    }
}

/// The modules of the running kernel.
pub(super) struct Modules {
    can_load: bool,
    /// Paths of loadable ones.
    loadable: String,
    /// Paths of those built in.
    built_in: String,
}

impl Modules {
    pub(super) fn of(look: &dyn Look, release: &str, capabilities: Capabilities) -> Self {
        let folder = format!("/lib/modules/{release}");
        let loadable = text(look, &format!("{folder}/modules.dep"));
        let can_load = exists(look, "/proc/modules")
            && !loadable.is_empty()
            && capabilities.has(CAP_SYS_MODULE)
            && line(look, "/proc/sys/kernel/modules_disabled") != "1";
        Self { can_load, loadable, built_in: text(look, &format!("{folder}/modules.builtin")) }
    }

    /// Loaded, built in, or there to be loaded.
    fn has(&self, look: &dyn Look, name: &str) -> bool {
        exists(look, &format!("/sys/module/{name}"))
            || lists(&self.built_in, name)
            || self.can_load && lists(&self.loadable, name)
    }
}

/// `modules.dep` and `modules.builtin`: a path first in each line, perhaps compressed; `-` and `_` are one in names.
fn lists(index: &str, name: &str) -> bool {
    index.lines().any(|line| {
        let path = line.split(':').next().unwrap_or_default();
        let file = path.rsplit('/').next().unwrap_or_default();
        file.split_once(".ko").is_some_and(|(stem, _)| stem.replace('-', "_") == name)
    })
}

/// Which of the features Kubernetes needs are there.
pub(super) fn features(look: &dyn Look, modules: &Modules) -> Features {
    let is_file_system = |name: &str| {
        text(look, "/proc/filesystems").lines().any(|line| line.split_whitespace().last() == Some(name))
    };
    Features {
        vxlan: modules.has(look, "vxlan")
            || works(
                look,
                &["ip", "link", "add", "garboard-probe", "type", "vxlan", "id", "1", "dstport", "0"],
            ),
        overlay: is_file_system("overlay") || modules.has(look, "overlay"),
        nf_tables: modules.has(look, "nf_tables") || works(look, &["nft", "list", "tables"]),
        bridge_netfilter: exists(look, "/proc/sys/net/bridge") || modules.has(look, "br_netfilter"),
        modules: modules.can_load,
    }
}

/// Tries something in a new network namespace that goes away with the command, so that nothing is left of it.
fn works(look: &dyn Look, command: &[&str]) -> bool {
    let arguments = std::iter::once("--net").chain(command.iter().copied());
    look.ask(&Command::new("unshare", arguments)).is_ok()
}

/// Whether kube-proxy may set `nf_conntrack_max`: in another network namespace than the first the kernel shows it without
/// the write bit, in many containers `/proc/sys` is mounted read-only. Where it does not exist yet, its module brings it.
pub(super) fn is_conntrack_writable(look: &dyn Look, shared_kernel: bool) -> bool {
    let path = Path::new("/proc/sys/net/netfilter/nf_conntrack_max");
    match look.metadata(path).ok().flatten() {
        Some(metadata) => {
            metadata.mode & 0o200 != 0 && !is_read_only(&text(look, "/proc/self/mountinfo"), path)
        }
        None => !shared_kernel,
    }
}

/// Whether the mount that `path` is on is read-only, by `mountinfo` (`proc(5)`).
fn is_read_only(mountinfo: &str, path: &Path) -> bool {
    let mut best: Option<(usize, bool)> = None;
    for mount in mountinfo.lines() {
        let fields: Vec<&str> = mount.split(' ').collect();
        let (Some(point), Some(options)) = (fields.get(4), fields.get(5)) else { continue };
        // Of several mounts at one place the last one counts.
        if path.starts_with(point) && best.is_none_or(|(length, _)| point.len() >= length) {
            best = Some((point.len(), options.split(',').any(|option| option == "ro")));
        }
    }
    best.is_some_and(|(_, read_only)| read_only)
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::{is_read_only, lists};

    #[test]
    fn a_module_is_found_by_name_whatever_its_ending_and_hyphens() {
        let index = "kernel/drivers/net/vxlan/vxlan.ko.xz: kernel/net/ipv4/udp_tunnel.ko.xz\n\
            kernel/net/bridge/br_netfilter.ko:\nkernel/net/x/nf-tables.ko.zst:\n";
        for name in ["vxlan", "br_netfilter", "nf_tables"] {
            assert!(lists(index, name), "{name}");
        }
        assert!(!lists(index, "udp_tunnel"), "a dependency was taken for the module");
        assert!(!lists(index, "xlan"));
    }

    #[test]
    fn the_nearest_and_last_mount_decides() {
        let mounts = "1 0 0:1 / / rw - ext4 a rw\n2 1 0:2 / /proc rw - proc p rw\n3 2 0:2 /sys /proc/sys ro - proc p rw\n";
        assert!(is_read_only(mounts, Path::new("/proc/sys/net/x")));
        assert!(!is_read_only(mounts, Path::new("/proc/1")));
        let remounted = format!("{mounts}4 3 0:2 /sys /proc/sys rw - proc p rw\n");
        assert!(!is_read_only(&remounted, Path::new("/proc/sys/net/x")));
    }
}
