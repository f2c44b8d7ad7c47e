//! One entry of `steps:`: which kind it is, and what stands beside it.

use super::Reader;
use crate::diagnostic::{Fault, suggestion};
use crate::file::Spanned;
use crate::playbook::{Kind, Selector, SourceStep};
use crate::yaml::{Fields, Node};

/// Kinds that run on hosts.
const HOST: [&str; 21] = [
    "directory",
    "file",
    "files",
    "artifact",
    "archive",
    "sysctl",
    "kernel_module",
    "swap",
    "package",
    "unit",
    "hostname",
    "hosts_entry",
    "image",
    "kubeadm_init",
    "kubeadm_join",
    "cluster_note",
    "clock",
    "boot_config",
    "reboot",
    "nft",
    "sshd",
];
/// Kinds that run on the cluster.
const CLUSTER: [&str; 6] = ["manifest", "wait_nodes", "wait_rollout", "label", "token", "taint"];
/// Kinds that make the cluster: a second one of them would be a second cluster; and those that need what only our playbooks bring.
const SHIPPED: [&str; 7] = ["kubeadm_init", "kubeadm_join", "cluster_note", "token", "nft", "sshd", "taint"];
/// Kinds of the design that nothing acts on yet.
const LATER: [&str; 8] =
    ["line_in_file", "symlink", "mount", "user", "group", "kubeadm_upgrade", "command", "drain"];

impl Reader<'_> {
    pub(crate) fn steps(&mut self, node: &Node, hosts: &Selector) -> Vec<SourceStep> {
        let Some(items) = node.list("a list of steps", self.faults) else { return Vec::new() };
        if items.is_empty() {
            self.faults.push(Fault::new(node.span, "a playbook has at least one step"));
        }
        items.iter().enumerate().filter_map(|(index, item)| self.step(index + 1, item, hosts)).collect()
    }

    fn step(&mut self, number: usize, node: &Node, hosts: &Selector) -> Option<SourceStep> {
        let mut fields = Fields::of(node, "a step", self.faults)?;
        let gives = fields.optional("gives").and_then(|node| self.literal(node, "the name of a signal"));
        let when = fields.optional("when").and_then(|node| {
            let text = node.text("a condition such as `not facts.shared_kernel`", self.faults)?;
            Some(self.templates.condition(&text.value, text.span, self.faults))
        });
        let (kinds, others): (Vec<_>, Vec<_>) = fields.rest().partition(|(key, _)| is_kind(&key.value));
        for (key, _) in others {
            self.unknown_kind(key);
        }
        let kind = match kinds.as_slice() {
            [(kind, value)] => self.kind(kind, value, hosts).map(|read| (kind.span, read)),
            [] => {
                if fields.rest().next().is_none() {
                    let fault = Fault::new(node.span, "a step names its kind");
                    self.faults.push(fault.help("for example `- sysctl: { key: …, value: … }`"));
                }
                None
            }
            [first, second, ..] => {
                self.faults.push(
                    Fault::new(second.0.span, "a step has one kind")
                        .related(first.0.span, "it has this one already"),
                );
                None
            }
        };
        let (span, kind) = kind?;
        if let (Some(gives), Some(when)) = (&gives, &when) {
            self.faults.push(
                Fault::new(gives.span, "a step that may be left out cannot give a signal")
                    .related(when.span, "left out on this condition")
                    .help("others would wait for it in vain"),
            );
        }
        Some(SourceStep { number, span, kind, gives, when })
    }

    fn unknown_kind(&mut self, key: &Spanned<String>) {
        if LATER.contains(&key.value.as_str()) {
            let fault = Fault::new(key.span, format!("`{}` is not in this version", key.value));
            self.faults.push(fault);
            return;
        }
        let message = format!("there is no kind of step and no key `{}`", key.value);
        let known = HOST.into_iter().chain(CLUSTER).chain(["wait", "gives", "when"]);
        let mut fault = Fault::new(key.span, message);
        if let Some(help) = suggestion(&key.value, known) {
            fault = fault.help(help);
        }
        self.faults.push(fault);
    }

    fn kind(&mut self, kind: &Spanned<String>, value: &Node, hosts: &Selector) -> Option<Kind> {
        let on_cluster = *hosts == Selector::Cluster;
        match kind.value.as_str() {
            "wait" => self.wait(value),
            name if CLUSTER.contains(&name) && !on_cluster => {
                let message =
                    format!("`{name}` is a step of the cluster, and this playbook runs on `{hosts}`");
                self.faults.push(
                    Fault::new(kind.span, message).help("put it into a playbook with `hosts: cluster`"),
                );
                None
            }
            name if HOST.contains(&name) && on_cluster => {
                let message = format!("`{name}` is a step of a host, and this playbook runs on the cluster");
                self.faults.push(
                    Fault::new(kind.span, message)
                        .help("put it into a playbook with `hosts: all`, for example"),
                );
                None
            }
            name if SHIPPED.contains(&name) && self.own => {
                let message = format!("`{name}` is for the playbooks that come with Garboard");
                let help = "they make the cluster; yours may wait for the signal `cluster`";
                self.faults.push(Fault::new(kind.span, message).help(help));
                None
            }
            name if on_cluster => self.cluster_step(name, value),
            name => self.host_step(name, value).map(Kind::Host),
        }
    }

    fn wait(&mut self, node: &Node) -> Option<Kind> {
        let mut fields = Fields::of(node, "`wait`", self.faults)?;
        let signal = fields.required("signal", self.faults);
        fields.finish(self.faults);
        Some(Kind::Wait(self.literal(signal?, "the name of a signal")?))
    }
}

fn is_kind(key: &str) -> bool {
    key == "wait" || HOST.contains(&key) || CLUSTER.contains(&key)
}
