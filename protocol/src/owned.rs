//! What software makes by itself once it runs: the `owns:` of a playbook, so that reset knows it from what others own.

use serde::{Deserialize, Serialize};

/// One thing, or one family of things.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum Owned {
    /// A file or a folder with all below it, up to the next mount.
    Path(String),
    /// Like `path`, but kept unless data is to be deleted: volumes, databases of the user.
    Data(String),
    /// A network link by name; a trailing `*` stands for any end.
    Link(String),
    /// A network namespace by name; a trailing `*` stands for any end.
    NetworkNamespace(String),
    /// An nft table, `FAMILY NAME`; a trailing `*` stands for any end of the name.
    NftTable(String),
    /// Chains of iptables and ip6tables whose names start so, and the rules that jump to them.
    IptablesChains(String),
    /// Kernel modules whose names start so and that were not loaded before: unloaded when nobody uses them any more.
    KernelModules(String),
    /// A cgroup below the hierarchy's root.
    Cgroup(String),
    /// Sysctls that the software sets by itself: put back to the snapshot's value.
    Sysctl(String),
    /// Every mount at or below this path that was not there before.
    Mounts(String),
}
