//! Host steps, as the agent gets them: rendered, checked, complete.
//!
//! The YAML form (templates, names of artifacts) lives in `garboard-playbooks`; this is what it renders to.

mod boot;
mod cluster;
mod withdraw;

use std::collections::BTreeMap;
use std::fmt;

use serde::{Deserialize, Serialize};

use crate::digest::Digest;

pub use boot::{BootConfig, Clock, ClockReference, Pending, Reboot};
pub use cluster::{ClusterId, ClusterNote, KubeadmInit, KubeadmJoin};
pub use withdraw::{Thing, Withdraw};

/// Names a step within a host's chain: `PLAYBOOK/NUMBER`, number from 1; for example `containerd/3`.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct StepId(pub String);

impl fmt::Display for StepId {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.0)
    }
}

/// A step on its way to the agent's queue.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct QueuedStep {
    /// Its name in events, intent and baseline.
    pub id: StepId,
    /// What it does.
    pub step: Step,
}

/// Every kind of host step of this version. Each is one file in `agent/src/steps/`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Step {
    /// See [`Directory`].
    Directory(Directory),
    /// See [`File`].
    File(File),
    /// See [`Artifact`].
    Artifact(Artifact),
    /// See [`Archive`].
    Archive(Archive),
    /// See [`Sysctl`].
    Sysctl(Sysctl),
    /// See [`KernelModule`].
    KernelModule(KernelModule),
    /// See [`Swap`].
    Swap(Swap),
    /// See [`Package`].
    Package(Package),
    /// See [`Unit`].
    Unit(Unit),
    /// See [`Hostname`].
    Hostname(Hostname),
    /// See [`HostsEntry`].
    HostsEntry(HostsEntry),
    /// See [`Image`].
    Image(Image),
    /// See [`KubeadmInit`].
    KubeadmInit(KubeadmInit),
    /// See [`KubeadmJoin`].
    KubeadmJoin(KubeadmJoin),
    /// See [`ClusterNote`].
    ClusterNote(ClusterNote),
    /// See [`Clock`].
    Clock(Clock),
    /// See [`BootConfig`].
    BootConfig(BootConfig),
    /// See [`Reboot`].
    Reboot(Reboot),
    /// See [`Nft`].
    Nft(Nft),
    /// See [`Sshd`].
    Sshd(Sshd),
    /// See [`Withdraw`].
    Withdraw(Withdraw),
}

impl Step {
    /// The kind's name in YAML.
    pub fn kind(&self) -> &'static str {
        match self {
            Self::Directory(_) => "directory",
            Self::File(_) => "file",
            Self::Artifact(_) => "artifact",
            Self::Archive(_) => "archive",
            Self::Sysctl(_) => "sysctl",
            Self::KernelModule(_) => "kernel_module",
            Self::Swap(_) => "swap",
            Self::Package(_) => "package",
            Self::Unit(_) => "unit",
            Self::Hostname(_) => "hostname",
            Self::HostsEntry(_) => "hosts_entry",
            Self::Image(_) => "image",
            Self::KubeadmInit(_) => "kubeadm_init",
            Self::KubeadmJoin(_) => "kubeadm_join",
            Self::ClusterNote(_) => "cluster_note",
            Self::Clock(_) => "clock",
            Self::BootConfig(_) => "boot_config",
            Self::Reboot(_) => "reboot",
            Self::Nft(_) => "nft",
            Self::Sshd(_) => "sshd",
            Self::Withdraw(_) => "withdraw",
        }
    }

    /// What it is about, for one line on a terminal: a path, a unit, a count of images.
    pub fn target(&self) -> String {
        match self {
            Self::Directory(step) => step.path.clone(),
            Self::File(step) => step.path.clone(),
            Self::Artifact(step) => step.path.clone(),
            Self::Archive(step) => step.destination.clone(),
            Self::Sysctl(step) => step.key.clone(),
            Self::KernelModule(step) => step.name.clone(),
            Self::Swap(_) => "off".to_owned(),
            Self::Package(step) => step.names.join(" "),
            Self::Unit(step) => step.name.clone(),
            Self::Hostname(step) => step.name.clone(),
            Self::HostsEntry(step) => step.names.join(" "),
            Self::Image(step) => match step.images.as_slice() {
                [image] => image.reference.clone(),
                images => format!("{} images", images.len()),
            },
            Self::KubeadmInit(step) => step.node_name.clone(),
            Self::KubeadmJoin(step) => step.node_name.clone(),
            Self::ClusterNote(step) => step.cluster.name.clone(),
            Self::Clock(_) => "right".to_owned(),
            Self::BootConfig(step) => step.kernel_parameters.join(" "),
            Self::Reboot(step) => {
                let reasons: Vec<String> = step.pending.iter().map(ToString::to_string).collect();
                format!("once, for {}", reasons.join(" or "))
            }
            Self::Nft(step) => step.table.clone(),
            Self::Sshd(step) => step.path(),
            Self::Withdraw(step) => format!("what `{}` made", step.playbook),
        }
    }

    /// The blobs it needs on the host before it can be applied.
    pub fn blobs(&self) -> Vec<Blob> {
        match self {
            Self::Artifact(step) => vec![step.blob],
            Self::Archive(step) => vec![step.blob],
            Self::Image(step) => step.images.iter().flat_map(ImageSource::blobs).collect(),
            _ => Vec::new(),
        }
    }
}

/// Content by digest.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Blob {
    /// Of the whole content.
    pub digest: Digest,
    /// In bytes.
    pub size: u64,
}

/// A folder. Restore removes it when it was not there before and is empty by then.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Directory {
    /// Absolute.
    pub path: String,
    /// Permission bits; for example `0o755`.
    pub mode: u32,
}

/// A small text file, written whole (temp, fsync, rename, fsync of the folder), owned by root.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct File {
    /// Absolute; missing folders above it are made with mode 0755 and go away again with restore.
    pub path: String,
    /// At most [`crate::limits::INLINE_BYTES`].
    pub content: String,
    /// Permission bits.
    pub mode: u32,
    /// Content appears in changes only as a digest.
    pub secret: bool,
}

/// One program or file from a blob, put in place atomically.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Artifact {
    /// Absolute.
    pub path: String,
    /// Its content.
    pub blob: Blob,
    /// Permission bits.
    pub mode: u32,
}

/// Members of a `.tar.gz`, unpacked beside each other into one folder; nothing else of it is written.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Archive {
    /// Absolute folder; made when missing.
    pub destination: String,
    /// The `.tar.gz`.
    pub blob: Blob,
    /// Names inside the archive (without a leading `./`); each lands in `destination` under its last component.
    pub members: Vec<String>,
    /// Permission bits of each.
    pub mode: u32,
}

/// A kernel setting: live, and in a file under `/etc/sysctl.d` for the next boot.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Sysctl {
    /// Dotted; for example `net.ipv4.ip_forward`.
    pub key: String,
    /// As the kernel shows it.
    pub value: String,
}

/// A kernel feature that may come as a module: loaded now and at the next boot.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct KernelModule {
    /// For example `br_netfilter`.
    pub name: String,
    /// Whether the host can do without (then a missing module is no failure).
    pub optional: bool,
}

/// Swap off, now and after a reboot; restore turns on again what was on.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Swap {}

/// Packages of the operating system, installed by its own package manager from its own sources. Restore removes those that
/// came with it, and no other.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Package {
    /// Names as the archive has them; at least one.
    pub names: Vec<String>,
    /// Longest it waits for others who install packages, in seconds. They are never stopped.
    pub wait_seconds: u64,
}

/// A systemd unit: its file (when ours), enabled, running, and restarted when what it read at start has changed since.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Unit {
    /// With its ending; for example `containerd.service`.
    pub name: String,
    /// Content of `/etc/systemd/system/NAME`; `None` for a unit of the OS.
    pub content: Option<String>,
    /// Started at boot.
    pub enabled: bool,
    /// Running (`true`), stopped (`false`), or not our business now (`None`: kubelet before kubeadm ran).
    pub active: Option<bool>,
    /// Files it reads at its start; one that changed after the start means a restart.
    pub restart_on: Vec<String>,
}

/// The OS host name, live and in `/etc/hostname`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Hostname {
    /// RFC 1123 label.
    pub name: String,
}

/// One line of `/etc/hosts`, ours by a trailing `# garboard` comment; every other line stays as it is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct HostsEntry {
    /// IPv4 or IPv6 address.
    pub address: String,
    /// At least one.
    pub names: Vec<String>,
}

/// Images in containerd's `k8s.io` namespace: under tag and index digest, pinned, never pulled.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Image {
    /// In the order in which they are imported.
    pub images: Vec<ImageSource>,
}

/// Where one image's content lies.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ImageSource {
    /// With host and tag; for example `registry.k8s.io/pause:3.10.2`.
    pub reference: String,
    /// The index the tag points to.
    pub index: Blob,
    /// This host's platform's manifest.
    pub manifest: Blob,
    /// The image configuration.
    pub config: Blob,
    /// In order.
    pub layers: Vec<Blob>,
}

impl ImageSource {
    /// Everything that has to be on the host: index, manifest, config, layers.
    pub fn blobs(&self) -> Vec<Blob> {
        let mut blobs = vec![self.index, self.manifest, self.config];
        blobs.extend(&self.layers);
        blobs
    }
}

/// An nftables table of our own, replaced as a whole. It may cut the connection: it is loaded at run time only, taken back by a timer
/// on the host, and made permanent once a client has confirmed it over a connection that it opened afterwards. Restore removes it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Nft {
    /// Family and name, with a blank between: `inet garboard_edge`.
    pub table: String,
    /// `table FAMILY NAME { … }`, nothing before and nothing behind it.
    pub rules: String,
    /// What others put into its sets survives the replacement, and is no difference.
    pub keep_sets: bool,
}

/// Settings of sshd, in a file of our own beside its configuration. They may cut the connection: they are tried at run time only, taken
/// back by a timer on the host, and made permanent once a client has confirmed them over a connection that it opened afterwards. Restore
/// removes the file, and sshd reads its configuration anew.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Sshd {
    /// Of the file, without its ending: `00-garboard`. Of several settings of one thing the first in the order of names counts.
    pub name: String,
    /// As `sshd_config(5)` has it. What stands before the first `Match` is seen to be in effect afterwards.
    pub content: String,
}

impl Sshd {
    /// Where it lies.
    pub fn path(&self) -> String {
        format!("/etc/ssh/sshd_config.d/{}.conf", self.name)
    }
}

/// Named results of a step.
pub type Outputs = BTreeMap<String, String>;
