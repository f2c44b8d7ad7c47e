//! What is on a host before our first change of it, taken once; and again by `verify`, to compare.
//!
//! It holds what Kubernetes, its runtime and its network change by themselves: settings of the kernel, links, routes,
//! tables and chains of the firewall, mounts, units, and a listing of the places they use.

use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::path::Path;

use garboard_protocol::Owned;
use serde::{Deserialize, Serialize};

use super::online::Online;
use super::{iptables, links, modules, mounts, namespaces, nft};
use crate::steps::StepError;
use crate::steps::swap::shared_kernel;
use crate::system::{Command, Kind, Look};

/// Folders whose settings are noted (one level each).
const SETTINGS: [&str; 11] = [
    "/proc/sys/net/ipv4",
    "/proc/sys/net/ipv4/conf/all",
    "/proc/sys/net/ipv4/conf/default",
    "/proc/sys/net/ipv6/conf/all",
    "/proc/sys/net/ipv6/conf/default",
    "/proc/sys/net/netfilter",
    "/proc/sys/net/bridge",
    "/proc/sys/net/core",
    "/proc/sys/vm",
    "/proc/sys/kernel/keys",
    "/proc/sys/kernel",
];

/// Folders and files whose listing is noted.
const PLACES: [&str; 27] = [
    "/etc/cni",
    "/etc/containerd",
    "/etc/crictl.yaml",
    "/etc/kubernetes",
    "/etc/modules-load.d",
    "/etc/sysctl.d",
    "/etc/systemd/system",
    "/opt/cni",
    "/opt/containerd",
    "/run/containerd",
    "/run/flannel",
    "/run/kubernetes",
    "/run/netns",
    "/run/nri",
    "/run/xtables.lock",
    "/usr/libexec/kubernetes",
    "/usr/local/bin",
    "/usr/local/sbin",
    "/var/lib/calico",
    "/var/lib/cni",
    "/var/lib/containerd",
    "/var/lib/etcd",
    "/var/lib/kubelet",
    "/var/log/containers",
    "/var/log/pods",
    "/etc/cdi",
    "/etc/nri",
];

/// Where unit files lie (systemd.unit(5)).
const UNIT_FOLDERS: [&str; 4] = [
    "/etc/systemd/system",
    "/run/systemd/system",
    "/usr/local/lib/systemd/system",
    "/usr/lib/systemd/system",
];

/// Any of these makes a host a member already.
const MEMBER: [&str; 3] =
    ["/etc/kubernetes/kubelet.conf", "/etc/kubernetes/pki/ca.crt", "/var/lib/etcd/member"];

/// Most paths that are listed; the keepsake has to fit into one frame.
const PATHS: usize = 20_000;

/// A host as it was.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Before {
    /// Of this layout.
    pub(crate) version: u32,
    /// `/etc/machine-id`: a snapshot that came with a copied disk is not this machine's.
    pub(crate) machine_id: String,
    /// The host was a member already: what belongs to Kubernetes counts as made by it, earlier values are unknown.
    pub(crate) late: bool,
    /// A container: settings that are not namespaced are the machine's.
    pub(crate) shared_kernel: bool,
    /// By dotted key.
    pub(crate) sysctls: BTreeMap<String, String>,
    /// Names of links.
    pub(crate) links: Vec<String>,
    /// Names of network namespaces.
    pub(crate) namespaces: Vec<String>,
    /// As `ip route` shows them.
    pub(crate) routes: Vec<String>,
    /// `FAMILY NAME`; none when the host has no `nft`.
    pub(crate) nft_tables: Option<Vec<String>>,
    /// `TOOL TABLE CHAIN`.
    pub(crate) chains: BTreeSet<String>,
    /// `FAMILY TABLE CHAIN` of the tables that `iptables-nft` uses too; none when the host has no `nft`.
    #[serde(default)]
    pub(crate) base_chains: Option<BTreeSet<String>>,
    /// Names of the loaded kernel modules; none in a container, and where an earlier version noted nothing.
    #[serde(default)]
    pub(crate) modules: Option<BTreeSet<String>>,
    /// Mount points.
    pub(crate) mounts: Vec<String>,
    /// Names of unit files; which of the OS's are enabled, and all of `/etc`, is in `paths`.
    pub(crate) units: BTreeSet<String>,
    /// What stays active once a unit has asked for the network.
    #[serde(flatten)]
    pub(super) online: Online,
    /// Path → `directory`, `file SIZE`, `link TARGET`, `other`.
    pub(crate) paths: BTreeMap<String, String>,
    /// What lay at other places that playbooks own, when they began to: the place → paths at or below it. It is others'
    /// also where the host was a member already.
    #[serde(default)]
    pub(crate) places: BTreeMap<String, BTreeSet<String>>,
    /// Places with more in them than is listed.
    pub(crate) truncated: Vec<String>,
}

/// Takes the snapshot. Writes nothing.
pub fn take(look: &dyn Look) -> io::Result<serde_json::Value> {
    let before = Before::take(look).map_err(io::Error::other)?;
    serde_json::to_value(before).map_err(io::Error::other)
}

/// Notes what lies at places that playbooks own from now on, so that reset leaves it. What the snapshot lists anyway, or
/// has noted already, is not noted again. Says whether there was something to note.
pub fn note_places(snapshot: &mut serde_json::Value, owned: &[Owned], look: &dyn Look) -> bool {
    let Ok(mut before) = serde_json::from_value::<Before>(snapshot.clone()) else { return false };
    let mut is_new = false;
    for owned in owned {
        let (Owned::Path(place) | Owned::Data(place)) = owned else { continue };
        let is_listed = PLACES.iter().any(|listed| listed == place || mounts::is_below(place, listed));
        let Ok(Some(found)) = look.metadata(Path::new(place)) else { continue };
        if is_listed || before.places.contains_key(place) {
            continue;
        }
        let mut paths = BTreeMap::new();
        if !list(place, found.device, look, &mut paths) {
            before.truncated.push(place.clone());
        }
        before.places.insert(place.clone(), paths.into_keys().collect());
        is_new = true;
    }
    if is_new && let Ok(value) = serde_json::to_value(before) {
        *snapshot = value;
        return true;
    }
    false
}

impl Before {
    /// The host as it is.
    pub(crate) fn take(look: &dyn Look) -> Result<Self, StepError> {
        let (paths, truncated) = listing(look);
        let mut before = Self {
            version: 1,
            machine_id: text(look, "/etc/machine-id"),
            late: MEMBER.iter().any(|path| matches!(look.metadata(Path::new(path)), Ok(Some(_)))),
            shared_kernel: shared_kernel(look)?,
            sysctls: settings(look),
            links: links::list(look)?,
            namespaces: namespaces::list(look)?,
            routes: lines(look, &Command::new("ip", ["-oneline", "route", "show", "table", "all"])),
            nft_tables: nft::list(look)?,
            chains: iptables::chains(look)?,
            base_chains: nft::base_chains(look)?.map(|chains| chains.into_keys().collect()),
            mounts: mounts::read(look)?.into_iter().map(|mount| mount.point).collect(),
            units: units(look),
            online: Online::take(look),
            paths,
            places: BTreeMap::new(),
            truncated,
            modules: None,
        };
        // Last: looking at the packet filter makes the kernel load modules, now and at every later look.
        before.modules = modules::names(look)?;
        Ok(before)
    }

    /// As it was sealed; nothing is believed of a snapshot that came from another machine.
    pub(crate) fn of(value: serde_json::Value, look: &dyn Look) -> io::Result<Self> {
        let mut before: Self = serde_json::from_value(value)?;
        before.late |= before.machine_id != text(look, "/etc/machine-id");
        Ok(before)
    }

    /// The earlier value of a setting, where it is known and this host's own.
    pub(crate) fn sysctl(&self, key: &str) -> Option<&str> {
        if self.late || (self.shared_kernel && !key.starts_with("net.")) {
            return None;
        }
        self.sysctls.get(key).map(String::as_str)
    }

    /// Links that stay.
    pub(crate) fn links(&self) -> &[String] {
        if self.late { &[] } else { &self.links }
    }

    /// Network namespaces that stay.
    pub(crate) fn namespaces(&self) -> &[String] {
        if self.late { &[] } else { &self.namespaces }
    }

    /// Tables that stay.
    pub(crate) fn tables(&self) -> &[String] {
        if self.late { &[] } else { self.nft_tables.as_deref().unwrap_or_default() }
    }

    /// Chains that stay.
    pub(crate) fn chains(&self) -> BTreeSet<String> {
        if self.late { BTreeSet::new() } else { self.chains.clone() }
    }

    /// Base chains that stay, where that is known.
    pub(crate) fn base_chains(&self) -> Option<&BTreeSet<String>> {
        self.base_chains.as_ref().filter(|_| !self.late)
    }

    /// Kernel modules that stay, where that is known.
    pub(crate) fn modules(&self) -> Option<&BTreeSet<String>> {
        self.modules.as_ref().filter(|_| !self.late)
    }

    /// Mounts that stay. On a host that was a member before, those of pods are not told apart from others by this list.
    pub(crate) fn mounts(&self) -> &[String] {
        if self.late { &[] } else { &self.mounts }
    }

    /// Paths at or below `path` that stay.
    pub(crate) fn paths_at(&self, path: &str) -> BTreeSet<String> {
        let is_at = |known: &&String| *known == path || mounts::is_below(known, path);
        let listed = self.paths.keys().filter(|_| !self.late);
        listed.chain(self.places.values().flatten()).filter(is_at).cloned().collect()
    }
}

fn text(look: &dyn Look, path: &str) -> String {
    look.read_text(Path::new(path)).ok().flatten().unwrap_or_default().trim().to_owned()
}

fn lines(look: &dyn Look, command: &Command) -> Vec<String> {
    // A host without the tool has nothing to tell; what is told is for people, and never restored from.
    let output = look.ask(&command.clone().whole()).map(|output| output.stdout).unwrap_or_default();
    output.lines().map(|line| line.trim_end().to_owned()).collect()
}

/// By the folders they lie in: `systemctl list-unit-files` takes most of a second on a small machine.
fn units(look: &dyn Look) -> BTreeSet<String> {
    UNIT_FOLDERS
        .iter()
        .flat_map(|folder| look.list(Path::new(folder)).unwrap_or_default())
        .filter(|name| name.contains('.'))
        .collect()
}

fn settings(look: &dyn Look) -> BTreeMap<String, String> {
    let mut found = BTreeMap::new();
    for folder in SETTINGS {
        for name in look.list(Path::new(folder)).unwrap_or_default() {
            let path = Path::new(folder).join(&name);
            // Of `kernel` only what a kubelet sets: much else there changes by itself.
            let is_wanted = folder != "/proc/sys/kernel" || name.starts_with("panic");
            let is_file = matches!(look.metadata(&path), Ok(Some(found)) if found.kind == Kind::File && found.mode & 0o400 != 0);
            if is_wanted
                && is_file
                && let Ok(Some(value)) = look.read_text(&path)
            {
                let key = path.to_string_lossy().trim_start_matches("/proc/sys/").replace('/', ".");
                found.insert(key, value.split_whitespace().collect::<Vec<_>>().join(" "));
            }
        }
    }
    found
}

fn listing(look: &dyn Look) -> (BTreeMap<String, String>, Vec<String>) {
    let (mut paths, mut truncated) = (BTreeMap::new(), Vec::new());
    for place in PLACES {
        let device = match look.metadata(Path::new(place)) {
            Ok(Some(found)) => found.device,
            _ => continue,
        };
        if !list(place, device, look, &mut paths) {
            truncated.push(place.to_owned());
        }
    }
    (paths, truncated)
}

/// Whether all of it was listed. Other file systems are named, not entered.
fn list(path: &str, device: u64, look: &dyn Look, paths: &mut BTreeMap<String, String>) -> bool {
    let Ok(Some(found)) = look.metadata(Path::new(path)) else { return true };
    if paths.len() >= PATHS {
        return false;
    }
    let what = match found.kind {
        Kind::Directory => "directory".to_owned(),
        Kind::File => format!("file {}", found.size),
        Kind::Symlink => {
            let target = look.read_link(Path::new(path)).unwrap_or_default();
            format!("link {}", target.to_string_lossy())
        }
        Kind::Other => "other".to_owned(),
    };
    paths.insert(path.to_owned(), what);
    if found.kind != Kind::Directory || found.device != device {
        return true;
    }
    let names = look.list(Path::new(path)).unwrap_or_default();
    names.iter().all(|name| list(&format!("{path}/{name}"), device, look, paths))
}
