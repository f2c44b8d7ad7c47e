//! What `kubeadm_init` and `kubeadm_join` share: telling "not started", "in doubt" and "done" apart, and taking away what
//! an attempt of ours that never ended well has made.
//!
//! Durable state decides. The note of ours only tells whose an incomplete state is: an attempt that was started and never
//! noted as done was never reported to anyone, so that what it made may be removed; anything else incomplete was once a
//! member (or somebody else's), and only a person may decide about it.

use std::path::Path;

use garboard_protocol::Owned;
use garboard_protocol::change::{Change, Field};
use serde::{Deserialize, Serialize};

use super::certificate::{authority_hash, authority_hash_of_kubeconfig};
use super::path::failed;
use super::{Context, StepError};
use crate::reset::{links, mounts, namespaces, pods, tree};
use crate::store::{Layout, Owns};
use crate::system::{Command, CommandError, Look, System};

/// Where the note lies: in the folder that reset removes as a whole.
const NOTE: &str = "/var/lib/garboard/membership.json";

/// The CA's certificate.
pub(super) const AUTHORITY: &str = "/etc/kubernetes/pki/ca.crt";
/// The kubelet's identity in the cluster.
pub(super) const KUBELET_CONF: &str = "/etc/kubernetes/kubelet.conf";
/// The token's kubeconfig, which kubeadm removes once the kubelet has an identity.
pub(super) const BOOTSTRAP_CONF: &str = "/etc/kubernetes/bootstrap-kubelet.conf";
/// The kubelet's configuration.
pub(super) const KUBELET_CONFIG: &str = "/var/lib/kubelet/config.yaml";

/// What kubeadm writes below `/etc/kubernetes`; other files there (patches, audit policies) are the user's.
const KUBEADM_FILES: [&str; 9] = [
    "manifests",
    "pki",
    "tmp",
    "admin.conf",
    "super-admin.conf",
    "kubelet.conf",
    "bootstrap-kubelet.conf",
    "controller-manager.conf",
    "scheduler.conf",
];

/// What an earlier membership leaves besides: leases and caches of pods that are gone, another pod subnet, and logs by which
/// the kubelet would count restarts of pods it never started (kubeadm issue 2712).
const LEFT_BEHIND: [&str; 5] = [
    "/var/lib/cni",
    "/run/flannel",
    "/etc/cni/net.d/10-flannel.conflist",
    "/var/log/pods",
    "/var/log/containers",
];

/// Our own note.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Note {
    /// `init` or `join`.
    pub(super) by: String,
    /// kubeadm ended well.
    pub(super) done: bool,
}

impl Note {
    /// The note on the host; a damaged one is none.
    pub(super) fn load(look: &dyn Look) -> Result<Option<Self>, StepError> {
        let text = look.read_text(Path::new(NOTE)).map_err(failed("read", NOTE))?;
        Ok(text.and_then(|text| serde_json::from_str(&text).ok()))
    }

    /// Writes it through.
    pub(super) fn save(by: &str, done: bool, system: &dyn System) -> Result<(), StepError> {
        let note = Self { by: by.to_owned(), done };
        let text = serde_json::to_vec(&note).map_err(std::io::Error::other).map_err(failed("write", NOTE))?;
        system.write(Path::new(NOTE), &text, 0o600).map_err(failed("write", NOTE))
    }
}

/// How far a membership has come.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Stage {
    /// No state of Kubernetes is here.
    NotStarted,
    /// An attempt of ours was cut off; what it made may be removed.
    InDoubt(String),
    /// Incomplete or foreign state that is not ours to remove.
    Foreign(String),
    /// A member, with the hash of its CA where it can be read.
    Done(Option<String>),
}

impl Stage {
    /// From what of `wanted` is there, and whose it is.
    pub(super) fn of(wanted: &[&str], look: &dyn Look) -> Result<Self, StepError> {
        let mut missing = Vec::new();
        for path in wanted {
            if !exists(path, look)? {
                missing.push(*path);
            }
        }
        if missing.len() == wanted.len() {
            return Ok(Self::NotStarted);
        }
        let started = Note::load(look)?.is_some_and(|note| !note.done);
        Ok(match (missing.is_empty(), started) {
            (true, false) => Self::Done(authority(look)?),
            (true, true) => Self::InDoubt("an earlier attempt was cut off before its end".to_owned()),
            (false, true) => Self::InDoubt(format!(
                "an earlier attempt was cut off; `{}` is missing",
                missing.join("`, `")
            )),
            (false, false) => {
                Self::Foreign(format!("there is state of Kubernetes, but not `{}`", missing.join("`, `")))
            }
        })
    }

    /// As a change to "done"; none when it is done.
    pub(super) fn change(&self, node: &str) -> Option<Change> {
        let before = match self {
            Self::Done(_) => return None,
            Self::NotStarted => "not started".to_owned(),
            Self::InDoubt(why) | Self::Foreign(why) => format!("in doubt: {why}"),
        };
        Some(Change::new(node, Field::Membership, Some(before), Some("done".to_owned())))
    }
}

/// The hash of the CA this host trusts: its kubelet's, or the CA file's.
pub(super) fn authority(look: &dyn Look) -> Result<Option<String>, StepError> {
    let kubelet = look.read_text(Path::new(KUBELET_CONF)).map_err(failed("read", KUBELET_CONF))?;
    if let Some(hash) = kubelet.as_deref().and_then(authority_hash_of_kubeconfig) {
        return Ok(Some(hash));
    }
    let file = look.read_text(Path::new(AUTHORITY)).map_err(failed("read", AUTHORITY))?;
    Ok(file.as_deref().and_then(authority_hash))
}

pub(super) fn exists(path: &str, look: &dyn Look) -> Result<bool, StepError> {
    Ok(look.metadata(Path::new(path)).map_err(failed("read", path))?.is_some())
}

/// Takes away what an attempt of ours made, or what a membership that was ended by hand (`kubeadm reset`) left behind, so
/// that a new one starts clean. Never called for a host that was noted as done and still has its state.
pub(super) fn clear(context: &Context<'_>) -> Result<(), StepError> {
    let system = context.system;
    match system.run(
        &Command::new("systemctl", ["stop", "kubelet.service"]).timeout(std::time::Duration::from_mins(1)),
    ) {
        Ok(_) | Err(CommandError::Exit { .. }) => {}
        Err(error) => return Err(error.into()),
    }
    pods::remove(system);
    let before = mounts::read(system.look())?;
    mounts::unmount_below("/var/lib/kubelet", &before, &[], system)?;
    for file in KUBEADM_FILES {
        tree::remove(&format!("/etc/kubernetes/{file}"), system)?;
    }
    tree::empty("/var/lib/etcd", system)?;
    tree::empty("/var/lib/kubelet", system)?;
    let owned =
        Owns::load(system.look(), &Layout::host()).map_err(failed("read", "/var/lib/garboard/owned.json"))?;
    for owned in owned.all() {
        match owned {
            Owned::Link(name) => links::remove(name, &[], system).map(drop)?,
            Owned::NetworkNamespace(name) => namespaces::remove(name, &[], system).map(drop)?,
            _ => {}
        }
    }
    for path in LEFT_BEHIND {
        tree::remove(path, system)?;
    }
    Ok(())
}
