//! Chains of steps as text for a reader, with what late steps have in the end.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use garboard_playbooks::{ClusterStep, Ephemeral, PlannedClusterStep, PlannedStep, Signals};
use garboard_protocol::{Secret, Step};

use crate::support::CA_HASH;

fn signals() -> Signals {
    let output = |name: &str, value: &str| (name.to_owned(), value.to_owned());
    let mut signals = Signals::new();
    signals.give("api", [output("ca_hash", CA_HASH)].into());
    signals.give("join_token", BTreeMap::new());
    let uid = output("uid", "5f0c2f0e-6a9e-4a53-9a2b-2f7f4e0d9c11");
    signals.give("cluster", [output("ca_hash", CA_HASH), uid].into());
    signals
}

fn ephemeral() -> Ephemeral {
    Ephemeral { token: Some(Secret::new("abcdef.0123456789abcdef")) }
}

/// A chain for a reader: each step on a line, file contents below it.
pub(crate) fn text_of(chain: &[PlannedStep]) -> String {
    let mut text = String::new();
    for planned in chain {
        let _ = write!(text, "{} {} {}", planned.id, planned.step.kind(), planned.step.target());
        if !planned.waits.is_empty() {
            let _ = write!(text, "  [after {}]", planned.waits.join(", "));
        }
        if let Some(signal) = &planned.gives {
            let _ = write!(text, "  [gives {signal}]");
        }
        text.push('\n');
        let complete = planned.late.as_ref().map(|late| late.render(&signals(), &ephemeral()).unwrap());
        let lines = details(&planned.step, complete.as_ref());
        for line in lines.lines() {
            let _ = writeln!(text, "{}", format!("    {line}").trim_end());
        }
    }
    text
}

fn details(step: &Step, complete: Option<&Step>) -> String {
    let secret = |config: &Option<Secret>| config.as_ref().map_or("", Secret::expose).to_owned();
    match complete.unwrap_or(step) {
        Step::File(file) => format!("mode {:04o}\n{}", file.mode, file.content),
        Step::Unit(unit) => format!(
            "enabled {}, active {:?}, restart on {:?}\n{}",
            unit.enabled,
            unit.active,
            unit.restart_on,
            unit.content.as_deref().unwrap_or("(of the OS)")
        ),
        Step::Archive(archive) => format!("{:04o} {}", archive.mode, archive.members.join(" ")),
        Step::Artifact(artifact) => format!("{:04o}", artifact.mode),
        Step::Sysctl(sysctl) => format!("= {}", sysctl.value),
        Step::KernelModule(module) => format!("optional {}", module.optional),
        Step::HostsEntry(entry) => format!("-> {}", entry.address),
        Step::Image(image) => {
            image.images.iter().map(|image| image.reference.as_str()).collect::<Vec<_>>().join("\n")
        }
        Step::KubeadmInit(init) => secret(&init.config),
        Step::KubeadmJoin(join) => format!("{:?}\n{}", join.ca_hash, secret(&join.config)),
        Step::Nft(nft) => format!("keep sets {}\n{}", nft.keep_sets, nft.rules),
        Step::Withdraw(withdraw) => {
            withdraw.things.iter().map(|thing| format!("{thing:?}")).collect::<Vec<_>>().join("\n")
        }
        Step::Sshd(sshd) => sshd.content.clone(),
        Step::ClusterNote(note) => format!("{:?}", note.cluster),
        _ => String::new(),
    }
}

/// The same of the cluster's own.
pub(crate) fn text_of_cluster(chain: &[PlannedClusterStep]) -> String {
    let mut text = String::new();
    for planned in chain {
        let _ = write!(text, "{} {}", planned.id, planned.step.kind());
        if !planned.waits.is_empty() {
            let _ = write!(text, "  [after {}]", planned.waits.join(", "));
        }
        if let Some(signal) = &planned.gives {
            let _ = write!(text, "  [gives {signal}]");
        }
        text.push('\n');
        match &planned.step {
            ClusterStep::Manifest { documents } => {
                for document in documents {
                    let _ = writeln!(text, "---\n{}", serde_json::to_string_pretty(document).unwrap());
                }
            }
            other => {
                let _ = writeln!(text, "    {other:?}");
            }
        }
    }
    text
}
