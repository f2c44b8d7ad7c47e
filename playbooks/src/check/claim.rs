//! Two playbooks must not write one thing, nor own it.

use garboard_protocol::Owned;

use crate::diagnostic::{Fault, Faults};
use crate::file::Span;
use crate::playbook::{HostStep, Kind, Playbook};

/// Something a playbook says is its own.
struct Claim<'a> {
    playbook: &'a Playbook,
    /// What it is, for messages: a path, `sysctl KEY`…
    subject: String,
    /// Everything below the path is meant too.
    whole: bool,
    /// It is written by a step; else made by the software.
    written: bool,
    /// Others may write it in the same way: lines of one file.
    shared: bool,
    span: Span,
}

pub(super) fn check(playbooks: &[Playbook], faults: &mut Faults) {
    let mut claims: Vec<Claim<'_>> = Vec::new();
    for claim in playbooks.iter().flat_map(claims_of) {
        let clash = claims.iter().find(|earlier| clashes(earlier, &claim));
        if let Some(earlier) = clash {
            let verb = |claim: &Claim<'_>| if claim.written { "writes" } else { "owns" };
            let message = if earlier.playbook.name == claim.playbook.name {
                format!("`{}` {} `{}` twice", claim.playbook.name, verb(&claim), claim.subject)
            } else {
                format!(
                    "`{}` {} `{}`, and `{}` {} `{}`",
                    claim.playbook.name,
                    verb(&claim),
                    claim.subject,
                    earlier.playbook.name,
                    verb(earlier),
                    earlier.subject
                )
            };
            faults.push(
                Fault::new(claim.span, message)
                    .related(earlier.span, "first claimed here")
                    .help("one thing belongs to one playbook: reset would not know whose it is"),
            );
        } else {
            claims.push(claim);
        }
    }
}

fn clashes(one: &Claim<'_>, other: &Claim<'_>) -> bool {
    let below = |whole: &Claim<'_>, inner: &Claim<'_>| {
        whole.whole && inner.subject.strip_prefix(&whole.subject).is_some_and(|rest| rest.starts_with('/'))
    };
    if one.shared && other.shared {
        return false;
    }
    let same_playbook = one.playbook.name == other.playbook.name;
    if same_playbook && !(one.written && other.written) {
        // What a playbook writes may well lie inside what its software makes.
        return one.subject == other.subject && one.written == other.written;
    }
    one.playbook.hosts.meets(&other.playbook.hosts)
        && (one.subject == other.subject || below(one, other) || below(other, one))
}

fn claims_of(playbook: &Playbook) -> Vec<Claim<'_>> {
    let mut claims = Vec::new();
    for step in &playbook.steps {
        let Kind::Host(step) = &step.kind else { continue };
        let shared = matches!(step, HostStep::HostsEntry { .. });
        claims.extend(written(step).into_iter().map(|(subject, span)| Claim {
            playbook,
            subject,
            whole: false,
            written: true,
            shared,
            span,
        }));
    }
    for (owned, span) in playbook.owns.iter().zip(&playbook.owns_spans) {
        let (subject, whole) = match owned {
            Owned::Path(path) => (path.clone(), true),
            // Data may lie inside what another playbook owns: it is the part of it that is kept.
            Owned::Data(path) => (format!("data {path}"), false),
            Owned::Link(name) => (format!("link {name}"), false),
            Owned::NetworkNamespace(name) => (format!("network namespace {name}"), false),
            Owned::NftTable(name) => (format!("nft table {name}"), false),
            Owned::IptablesChains(name) => (format!("iptables chains {name}"), false),
            Owned::KernelModules(name) => (format!("kernel modules {name}"), false),
            Owned::Cgroup(name) => (format!("cgroup {name}"), false),
            Owned::Sysctl(key) => (format!("sysctl {key}"), false),
            Owned::Mounts(path) => (format!("mounts {path}"), false),
        };
        claims.push(Claim { playbook, subject, whole, written: false, shared: false, span: *span });
    }
    claims
}

/// What a step writes: paths, sysctls.
fn written(step: &HostStep) -> Vec<(String, Span)> {
    match step {
        HostStep::File { path, .. } | HostStep::Artifact { path, .. } => {
            vec![(path.value.clone(), path.span)]
        }
        // Whatever names it has: the folder is spoken for.
        HostStep::Files { path, .. } => vec![(path.value.clone(), path.span)],
        HostStep::Archive { destination, members, .. } => members
            .iter()
            .map(|member| {
                let name = member.value.rsplit('/').next().unwrap_or(&member.value);
                (format!("{}/{name}", destination.value), member.span)
            })
            .collect(),
        HostStep::Sysctl { key, .. } => vec![(format!("sysctl {}", key.value), key.span)],
        HostStep::Unit { name, content: Some(_), .. } => {
            vec![(format!("/etc/systemd/system/{}", name.value), name.span)]
        }
        HostStep::Nft { table, .. } => vec![(format!("nft table {}", table.value), table.span)],
        HostStep::Sshd { name, .. } => {
            vec![(format!("/etc/ssh/sshd_config.d/{}.conf", name.value), name.span)]
        }
        HostStep::Hostname { name } => vec![("/etc/hostname".to_owned(), name.span)],
        HostStep::HostsEntry { address, .. } => vec![("/etc/hosts".to_owned(), address.span)],
        _ => Vec::new(),
    }
}
