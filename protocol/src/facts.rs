//! What the agent observed on a host. Never guessed; taken again after a reboot.

use serde::{Deserialize, Serialize};

use crate::step::ClusterId;

/// All facts.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Facts {
    /// `amd64` or `arm64` (from the kernel's `x86_64`, `aarch64`), or the kernel's own word.
    pub architecture: String,
    /// From `/etc/os-release`.
    pub os: OperatingSystem,
    /// `uname -r`.
    pub kernel: String,
    /// Live host name.
    pub hostname: String,
    /// `/etc/machine-id`.
    pub machine_id: String,
    /// `/proc/sys/kernel/random/boot_id`.
    pub boot_id: String,
    /// Usable processors.
    pub processors: u32,
    /// `MemTotal`, in bytes.
    pub memory_bytes: u64,
    /// Bytes of one page.
    pub page_size: u64,
    /// 1 or 2, by `/sys/fs/cgroup/cgroup.controllers`.
    pub cgroup_version: u8,
    /// Controllers that are there, by name.
    pub cgroup_controllers: Vec<String>,
    /// `CAP_SYS_RESOURCE` is there; without it containerd needs `restrict_oom_score_adj`.
    pub can_lower_oom_score: bool,
    /// `net.netfilter.nf_conntrack_max` can be written.
    pub conntrack_writable: bool,
    /// The kernel is shared with others (a container): sysctls that are not namespaced are not ours.
    pub shared_kernel: bool,
    /// Features of the kernel, probed rather than listed.
    pub features: Features,
    /// Active swap, by path.
    pub swap: Vec<String>,
    /// Interfaces' addresses.
    pub addresses: Vec<InterfaceAddress>,
    /// The IPv4 address of the router that the default route leads to.
    pub gateway: Option<std::net::Ipv4Addr>,
    /// The `resolv.conf` that names real servers, not a stub on loopback.
    pub resolv_conf: String,
    /// Free space, for each path asked.
    pub disks: Vec<Disk>,
    /// Holders of the ports asked.
    pub ports: Vec<PortHolder>,
    /// Host clock, milliseconds since 1970.
    pub clock_milliseconds: u64,
    /// Other software that stands in the way: `docker`, `k3s`, `microk8s`, `podman`… with where it was seen.
    pub conflicts: Vec<Conflict>,
    /// Kubernetes state found on the host.
    pub kubernetes: KubernetesState,
    /// Our own state found on the host.
    pub garboard: GarboardState,
    /// What the machine is.
    pub machine: Machine,
    /// What keeps its time.
    pub clock: Clock,
    /// What a Raspberry Pi tells about its supply and its heat; `None` where the machine tells nothing.
    pub power: Option<Power>,
    /// Everything that makes swap, now or at the next boot.
    pub swap_sources: Vec<SwapSource>,
    /// How long the disk of etcd takes to keep what is written to it; only where it was asked for.
    pub sync_latency: Option<SyncLatency>,
    /// What starts the host, and how.
    pub boot: Boot,
    /// Version of the package `openvpn`, where it is installed; for example `2.6.14-0+deb12u2`.
    pub openvpn: Option<String>,
}

/// The machine itself.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Machine {
    /// `/proc/device-tree/model`, else the product name of DMI; for example `Raspberry Pi 4 Model B Rev 1.4`. Empty when neither
    /// is there.
    pub model: String,
    /// The model is a Raspberry Pi of any kind.
    pub raspberry_pi: bool,
    /// Bits of the programs of the operating system, by the ELF class of `/bin/sh`: 32 or 64; 0 when it cannot be told.
    pub userland_bits: u8,
    /// `/` lies on an SD card (not on eMMC, which is named alike).
    pub sd_card: bool,
}

/// The clock and what keeps it.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Clock {
    /// The machine has a clock that runs while it is off: `/sys/class/rtc` holds one.
    pub hardware: bool,
    /// Programs that set the clock from the network, those that are installed.
    pub services: Vec<TimeService>,
    /// The kernel was told that its clock follows a source (`adjtimex(2)` without `STA_UNSYNC`), or systemd-timesyncd notes
    /// that it has met one since the boot.
    pub synchronised: bool,
    /// Milliseconds since the boot, sleep included (`CLOCK_BOOTTIME`), at the moment of
    /// [`Facts::clock_milliseconds`]: a count that no setting of the clock changes.
    pub boot_milliseconds: u64,
}

/// A program that sets the clock from the network.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TimeService {
    /// Its unit, for example `systemd-timesyncd.service`.
    pub unit: String,
    /// It runs.
    pub active: bool,
}

/// Supply and heat of a Raspberry Pi: the bits of `get_throttled`
/// (<https://www.raspberrypi.com/documentation/computers/os.html#get_throttled>).
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Power {
    /// The voltage is too low now (bit 0).
    pub under_voltage: bool,
    /// The processor is slowed down now: capped, throttled, or at the soft limit of temperature (bits 1 to 3).
    pub throttled: bool,
    /// The voltage was too low at some time since the boot (bit 16).
    pub was_under_voltage: bool,
    /// The processor was slowed down at some time since the boot (bits 17 to 19).
    pub was_throttled: bool,
}

/// Something that makes swap.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SwapSource {
    /// Who: `rpi-swap`, `zram-generator`, `dphys-swapfile`, `zram-tools`, `zram-config`, `/etc/fstab`, `systemd`, or `swapon` for
    /// swap that somebody turned on by hand.
    pub maker: String,
    /// The device, file, unit or line.
    pub name: String,
    /// It is in use now; else it comes with the next boot.
    pub active: bool,
}

/// Latency of write and `fdatasync(2)`, as etcd's log does it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SyncLatency {
    /// The folder in which it was measured: the nearest to the one asked for.
    pub path: String,
    /// How many writes.
    pub writes: u32,
    /// Half of them took at most so long, in microseconds.
    pub median_microseconds: u64,
    /// 99 of 100 took at most so long, in microseconds.
    pub p99_microseconds: u64,
}

/// `/etc/os-release`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct OperatingSystem {
    /// `ID`; for example `debian`.
    pub id: String,
    /// `VERSION_ID`; empty on rolling releases.
    pub version: String,
    /// `PRETTY_NAME`.
    pub name: String,
}

/// Kernel features.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Features {
    /// A VXLAN link can be made (built in, or its module is there).
    pub vxlan: bool,
    /// Overlay file systems.
    pub overlay: bool,
    /// `nf_tables`.
    pub nf_tables: bool,
    /// `/proc/sys/net/bridge` is there, or its module can be loaded.
    pub bridge_netfilter: bool,
    /// Modules can be loaded at all.
    pub modules: bool,
}

/// One address.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct InterfaceAddress {
    /// For example `eth0`.
    pub interface: String,
    /// Without prefix.
    pub address: String,
    /// Length of the prefix.
    pub prefix: u8,
}

/// Space at a path (of the nearest folder above it that exists).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Disk {
    /// As asked.
    pub path: String,
    /// Free for root, in bytes.
    pub free_bytes: u64,
    /// Whole file system, in bytes.
    pub total_bytes: u64,
    /// Tells file systems apart.
    pub device: u64,
}

/// Who listens on a port.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PortHolder {
    /// `tcp` or `udp`.
    pub protocol: String,
    /// Port.
    pub port: u16,
    /// The process's name (`comm`), empty when it cannot be told.
    pub process: String,
    /// Its id, 0 when it cannot be told.
    pub pid: u32,
}

/// Software that stands in the way.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Conflict {
    /// For example `docker`.
    pub name: String,
    /// The path or unit it was seen by.
    pub evidence: String,
}

/// Kubernetes on the host.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct KubernetesState {
    /// `/etc/kubernetes/kubelet.conf` is there.
    pub kubelet_conf: bool,
    /// `/etc/kubernetes/admin.conf` is there.
    pub admin_conf: bool,
    /// `sha256:…` of the public key of `/etc/kubernetes/pki/ca.crt`.
    pub ca_hash: Option<String>,
    /// `/var/lib/etcd/member` is there.
    pub etcd_data: bool,
    /// Static pod manifests and other files under `/etc/kubernetes`, `/var/lib/kubelet`, `/etc/cni/net.d` that an earlier
    /// cluster left; at most 20.
    pub leftovers: Vec<String>,
}

/// Ours on the host.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct GarboardState {
    /// `/var/lib/garboard/baseline` has entries: this host was changed by us.
    pub baseline: bool,
    /// The cluster note.
    pub cluster: Option<ClusterId>,
    /// An intent was left by a crash: the step's id.
    pub intent: Option<String>,
    /// The packet filter of the last run is that of an edge host.
    pub edge_filter: bool,
    /// What the packet filter of the last run takes for hosts of the public tier.
    pub public_tier: Vec<std::net::Ipv4Addr>,
}

/// What starts the host, and with which kernel parameters.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Boot {
    /// `firmware` (of a Raspberry Pi), `grub`, or empty where neither has left a trace.
    pub loader: String,
    /// The files that the loader takes the kernel's parameters from.
    pub files: Vec<String>,
    /// The folder of those files when nothing is mounted there: what lies in it is not what the loader reads.
    pub unmounted: Option<String>,
    /// `/proc/cmdline`: what the running kernel was started with.
    pub command_line: String,
    /// Kernel parameters that the last reboot of ours was to bring, and which the running kernel still lacks.
    pub in_vain: Vec<String>,
    /// The operating system asks for a reboot: `/run/reboot-required`.
    pub reboot_required: bool,
}
