//! Steps.

use schemars::{JsonSchema, Schema};

use super::scalar::{
    Clock, Condition, File, Image as ImageName, KernelParameter, Literal, Mode, PackageName, Path, Seconds,
    SettingsFile, Swap, Text,
};

/// One step: exactly one kind, and what stands beside it.
#[derive(JsonSchema)]
#[schemars(deny_unknown_fields, transform = one_kind)]
pub(super) struct Step {
    /// The signal it gives when it is done. Only a step of `leader`, of one named host or of the cluster gives one.
    gives: Option<Literal>,
    /// Leaves the step out where it is false.
    when: Option<Condition>,
    /// Waits for a signal; all later steps of the chain need it.
    wait: Option<Wait>,
    /// A folder.
    directory: Option<Directory>,
    /// A file with a text.
    file: Option<FileStep>,
    /// A file for each entry of what a template gives: a mapping from names to texts.
    files: Option<Files>,
    /// A file of the lock.
    artifact: Option<Artifact>,
    /// Files out of an archive of the lock.
    archive: Option<Archive>,
    /// A setting of the kernel, now and at boot.
    sysctl: Option<Sysctl>,
    /// A kernel module, loaded now and at boot.
    kernel_module: Option<KernelModule>,
    /// Swap, in all its forms.
    swap: Option<Swap>,
    /// Packages of the operating system, from its own sources.
    package: Option<Package>,
    /// A systemd unit.
    unit: Option<Unit>,
    /// The name of the host.
    hostname: Option<Hostname>,
    /// A line of `/etc/hosts`.
    hosts_entry: Option<HostsEntry>,
    /// Images of the lock, in containerd's store.
    image: Option<Image>,
    /// `kubeadm init`. Outputs of its signal: `ca_hash`.
    kubeadm_init: Option<Kubeadm>,
    /// `kubeadm join`. Comes after a wait for the signal of `kubeadm_init`.
    kubeadm_join: Option<Kubeadm>,
    /// Notes which cluster the host belongs to. Comes after `wait: { signal: cluster }`.
    cluster_note: Option<Nothing>,
    /// The clock, before certificates are made.
    clock: Option<Clock>,
    /// Kernel parameters in the boot file of a Raspberry Pi's firmware. They take effect at the next boot.
    boot_config: Option<BootConfig>,
    /// A reboot, where something pends that only a boot brings about.
    reboot: Option<Reboot>,
    /// A table of nftables, replaced as a whole and confirmed by a new login. In the playbooks that come with Garboard.
    nft: Option<Nft>,
    /// Settings of sshd in a file of their own, confirmed by a new login. In the playbooks that come with Garboard.
    sshd: Option<Sshd>,
    /// Objects of a template, applied in their order. On the cluster.
    manifest: Option<Manifest>,
    /// Waits for the nodes of all hosts that were reached. On the cluster.
    wait_nodes: Option<WaitNodes>,
    /// Waits until the pods of a workload run as its newest manifest says. On the cluster.
    wait_rollout: Option<WaitRollout>,
    /// The labels of the inventory. On the cluster.
    label: Option<Label>,
    /// The bootstrap token of this run, where some host has yet to join. On the cluster.
    token: Option<Nothing>,
    /// The taints that follow from the inventory: of the edge host. On the cluster, in the playbooks that come with Garboard.
    taint: Option<Label>,
}

fn one_kind(schema: &mut Schema) {
    super::one_key_but(schema, &["gives", "when"]);
}

#[derive(JsonSchema)]
#[schemars(deny_unknown_fields)]
struct Wait {
    /// Its name.
    signal: Literal,
}

#[derive(JsonSchema)]
#[schemars(deny_unknown_fields)]
struct Directory {
    /// Where.
    path: Path,
    /// Permissions; 0755 if left out.
    mode: Option<Mode>,
}

#[derive(JsonSchema)]
#[schemars(deny_unknown_fields)]
struct Files {
    /// Their folder.
    path: Path,
    /// The template; it gives YAML, a mapping from names of files to their texts.
    template: Text,
    /// Permissions; 0644 if left out.
    mode: Option<Mode>,
}

#[derive(JsonSchema)]
#[schemars(deny_unknown_fields, rename = "File", transform = template_or_content)]
struct FileStep {
    /// Where.
    path: Path,
    /// A file in `templates/`.
    template: Option<Text>,
    /// The text itself, with variables.
    content: Option<Text>,
    /// Permissions; 0644 if left out.
    mode: Option<Mode>,
    /// Whether the text is kept out of differences and reports.
    secret: Option<bool>,
}

fn template_or_content(schema: &mut Schema) {
    super::one_key_but(schema, &["path", "mode", "secret"]);
}

#[derive(JsonSchema)]
#[schemars(deny_unknown_fields)]
struct Artifact {
    /// Its name in the lock.
    name: File,
    /// Where.
    path: Path,
    /// Permissions; 0755 if left out.
    mode: Option<Mode>,
}

#[derive(JsonSchema)]
#[schemars(deny_unknown_fields)]
struct Archive {
    /// Its name in the lock.
    name: File,
    /// The folder its members go to.
    destination: Path,
    /// Names inside the archive.
    members: Vec<Text>,
    /// Permissions; 0755 if left out.
    mode: Option<Mode>,
}

#[derive(JsonSchema)]
#[schemars(deny_unknown_fields)]
struct Sysctl {
    /// A dotted key.
    key: Literal,
    /// The value as the kernel shows it.
    value: Text,
}

#[derive(JsonSchema)]
#[schemars(deny_unknown_fields)]
struct KernelModule {
    /// Its name.
    name: Literal,
    /// Whether a kernel without it will do; false if left out.
    optional: Option<bool>,
}

#[derive(JsonSchema)]
#[schemars(deny_unknown_fields)]
struct Package {
    /// As the sources of the host name them.
    names: Vec<PackageName>,
    /// How long others who install packages are waited for; 600 if left out.
    wait_seconds: Option<Seconds>,
}

#[derive(JsonSchema)]
#[schemars(deny_unknown_fields)]
struct Unit {
    /// Its name, ending included.
    name: Literal,
    /// A file in `templates/`; a unit of the operating system if left out.
    template: Option<Text>,
    /// Whether it is started at boot; true if left out.
    enabled: Option<bool>,
    /// Whether it runs; not our business if left out.
    active: Option<bool>,
    /// Files whose change restarts it.
    restart_on: Option<Vec<Path>>,
}

#[derive(JsonSchema)]
#[schemars(deny_unknown_fields)]
struct Hostname {
    /// The name.
    name: Text,
}

#[derive(JsonSchema)]
#[schemars(deny_unknown_fields)]
struct HostsEntry {
    /// An IP address.
    address: Text,
    /// Its names.
    names: Vec<Text>,
}

#[derive(JsonSchema)]
#[schemars(deny_unknown_fields)]
struct Image {
    /// Names in the lock, in the order of import.
    names: Vec<ImageName>,
}

#[derive(JsonSchema)]
#[schemars(deny_unknown_fields)]
struct Kubeadm {
    /// A file in `templates/`.
    config: Text,
    /// How long it may take.
    timeout_seconds: Option<Seconds>,
}

#[derive(JsonSchema)]
#[schemars(deny_unknown_fields)]
struct Nothing {}

#[derive(JsonSchema)]
#[schemars(deny_unknown_fields)]
struct Manifest {
    /// A file in `templates/`.
    template: Text,
}

#[derive(JsonSchema)]
#[schemars(rename_all = "snake_case")]
enum WaitNodes {
    /// They are known to the cluster.
    Registered,
    /// They are Ready.
    Ready,
}

#[derive(JsonSchema)]
#[schemars(deny_unknown_fields)]
struct WaitRollout {
    /// Which kind of workload.
    kind: WorkloadKind,
    /// Its namespace.
    namespace: Literal,
    /// Its name.
    name: Literal,
}

#[derive(JsonSchema)]
enum WorkloadKind {
    DaemonSet,
    Deployment,
}

#[derive(JsonSchema)]
#[schemars(rename_all = "snake_case")]
enum Label {
    Inventory,
}

#[derive(JsonSchema)]
#[schemars(deny_unknown_fields)]
struct BootConfig {
    /// Each `NAME` or `NAME=VALUE`.
    kernel_parameters: Vec<KernelParameter>,
}

#[derive(JsonSchema)]
#[schemars(deny_unknown_fields)]
struct Reboot {
    /// What it looks for.
    r#if: Vec<RebootReason>,
}

#[derive(JsonSchema)]
#[schemars(deny_unknown_fields)]
struct Nft {
    /// Family and name.
    table: Literal,
    /// A file in `templates/` that gives this table, and nothing else.
    rules: Text,
    /// Whether what others put into its sets survives; false if left out.
    keep_sets: Option<bool>,
}

#[derive(JsonSchema)]
#[schemars(deny_unknown_fields)]
struct Sshd {
    /// Of the file in `/etc/ssh/sshd_config.d`, without `.conf`.
    name: SettingsFile,
    /// A file in `templates/`.
    template: Text,
}

#[derive(JsonSchema)]
#[schemars(rename_all = "snake_case")]
enum RebootReason {
    /// The running kernel lacks a parameter of the `boot_config` steps before it.
    BootConfig,
    /// The operating system asks for it: `/run/reboot-required`.
    Required,
}
