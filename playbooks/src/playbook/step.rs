//! Steps as they were written: names of templates and artifacts instead of content.

use crate::file::{Span, Spanned};
use crate::template::Text;

/// One entry of `steps:`.
#[derive(Debug, Clone)]
pub(crate) struct SourceStep {
    /// Its place in the list, from 1; the number in its id.
    pub(crate) number: usize,
    /// Where its kind is written.
    pub(crate) span: Span,
    pub(crate) kind: Kind,
    /// The signal it gives when it is done.
    pub(crate) gives: Option<Spanned<String>>,
    /// A condition on the template variables; renders to `yes` or to nothing.
    pub(crate) when: Option<Text>,
}

/// What a step does, and where.
#[derive(Debug, Clone)]
pub(crate) enum Kind {
    Host(HostStep),
    /// Wait for a signal; on hosts and on the cluster.
    Wait(Spanned<String>),
    Manifest(Text),
    /// Wait until the nodes are registered, or Ready.
    WaitNodes {
        ready: bool,
    },
    /// Wait until the pods of a workload run.
    WaitRollout(crate::plan::Workload),
    /// The labels of the inventory.
    Label,
    Token,
    /// The taints that follow from the inventory.
    Taint,
}

/// The host kinds; fields as in [`garboard_protocol::Step`].
#[derive(Debug, Clone)]
pub(crate) enum HostStep {
    Directory {
        path: Spanned<String>,
        mode: u32,
    },
    File {
        path: Spanned<String>,
        content: Text,
        mode: u32,
        secret: bool,
    },
    /// A file for each entry of what the template gives.
    Files {
        path: Spanned<String>,
        content: Text,
        mode: u32,
    },
    Artifact {
        name: Spanned<String>,
        path: Spanned<String>,
        mode: u32,
    },
    Archive {
        name: Spanned<String>,
        destination: Spanned<String>,
        members: Vec<Spanned<String>>,
        mode: u32,
    },
    Sysctl {
        key: Spanned<String>,
        value: Text,
    },
    KernelModule {
        name: String,
        optional: bool,
    },
    Swap,
    Package {
        names: Vec<String>,
        wait_seconds: u64,
    },
    Unit {
        name: Spanned<String>,
        content: Option<Text>,
        enabled: bool,
        active: Option<bool>,
        restart_on: Vec<String>,
    },
    Hostname {
        name: Text,
    },
    HostsEntry {
        address: Text,
        names: Vec<Text>,
    },
    Image {
        names: Vec<Spanned<String>>,
    },
    KubeadmInit {
        config: Text,
        timeout_seconds: u64,
    },
    KubeadmJoin {
        config: Text,
        timeout_seconds: u64,
    },
    ClusterNote,
    Clock,
    BootConfig {
        kernel_parameters: Vec<String>,
    },
    Reboot {
        reasons: Vec<RebootReason>,
    },
    Nft {
        table: Spanned<String>,
        rules: Text,
        keep_sets: bool,
    },
    Sshd {
        name: Spanned<String>,
        content: Text,
    },
}

/// What a reboot may be for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum RebootReason {
    /// The kernel parameters of the `boot_config` steps before it on the same host.
    BootConfig,
    /// The operating system asks for it.
    Required,
}

impl SourceStep {
    /// All its texts, each with whether it may speak of what is known only when the step is sent.
    pub(crate) fn texts(&self) -> Vec<(&Text, bool)> {
        let mut texts: Vec<(&Text, bool)> = self.when.iter().map(|text| (text, false)).collect();
        match &self.kind {
            Kind::Manifest(text)
            | Kind::Host(
                HostStep::File { content: text, .. }
                | HostStep::Files { content: text, .. }
                | HostStep::Sysctl { value: text, .. }
                | HostStep::Unit { content: Some(text), .. }
                | HostStep::Hostname { name: text }
                | HostStep::Nft { rules: text, .. }
                | HostStep::Sshd { content: text, .. },
            ) => texts.push((text, false)),
            Kind::Host(HostStep::HostsEntry { address, names }) => {
                texts.push((address, false));
                texts.extend(names.iter().map(|name| (name, false)));
            }
            Kind::Host(HostStep::KubeadmInit { config, .. } | HostStep::KubeadmJoin { config, .. }) => {
                texts.push((config, true));
            }
            Kind::Host(_)
            | Kind::Wait(_)
            | Kind::WaitNodes { .. }
            | Kind::WaitRollout(_)
            | Kind::Label
            | Kind::Token
            | Kind::Taint => {}
        }
        texts
    }
}
