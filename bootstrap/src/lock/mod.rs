//! `garboard.lock`: version, URL, size and digest of every artifact, for each architecture.
//!
//! Written by the first run that needs one, held to by every later one. What it lacks (an architecture, a component)
//! is added; what it holds is never moved.

mod absent;
mod checksum;
mod complete;
mod document;
mod error;
mod pins;
mod supply;

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::sync::Arc;

use garboard_protocol::Digest;
use semver::Version;
use serde::{Deserialize, Serialize};

pub use absent::Absent;
pub use error::LockError;
pub use pins::Pins;
pub use supply::Supply;

use crate::store::Store;

/// The file's name; it lies beside the inventory.
pub const FILE_NAME: &str = "garboard.lock";

/// A lock.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Lock {
    /// Of this format: 1.
    version: u32,
    /// Kubernetes' version with its `v`.
    pub kubernetes: String,
    /// By name (`kubeadm`, `containerd`…).
    #[serde(deserialize_with = "document::files")]
    pub files: BTreeMap<String, LockedFile>,
    /// By name (`pause`, `kube-apiserver`…).
    #[serde(deserialize_with = "document::images")]
    pub images: BTreeMap<String, LockedImage>,
}

/// A program or archive.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LockedFile {
    /// With its `v`.
    pub version: String,
    /// By architecture.
    #[serde(deserialize_with = "document::platforms")]
    pub platforms: BTreeMap<String, FilePlatform>,
}

/// A program or archive for one architecture.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FilePlatform {
    /// At its official host.
    pub url: String,
    /// In bytes.
    pub size: u64,
    /// Of its content; in the file without the `sha256:`, as the projects publish it.
    #[serde(with = "document::hex")]
    pub sha256: Digest,
}

/// An image.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LockedImage {
    /// With registry and tag.
    pub reference: String,
    /// Digest of the index the tag points to.
    pub index: Digest,
    /// By architecture.
    #[serde(deserialize_with = "document::platforms")]
    pub platforms: BTreeMap<String, ImagePlatform>,
}

/// An image for one architecture.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ImagePlatform {
    /// Digest of the manifest.
    pub manifest: Digest,
    /// Bytes of manifest, config and layers as served; told to a person, never relied on.
    pub size: u64,
}

/// What became of the lock in this run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum News {
    /// It has everything that is needed.
    Held,
    /// There was none.
    New,
    /// It lacked these: `NAME for ARCHITECTURE`.
    Extended(Vec<String>),
}

impl News {
    /// One line for a person; nothing when there is nothing to say.
    pub fn text(&self) -> Option<String> {
        match self {
            Self::Held => None,
            Self::New => Some(format!(
                "`{FILE_NAME}` is new: it pins every artifact by digest; keep it with the inventory"
            )),
            Self::Extended(added) => Some(format!("`{FILE_NAME}` was extended by {}", added.join(", "))),
        }
    }
}

/// A lock as a run uses it.
#[derive(Debug, Clone)]
pub struct Completed {
    /// The lock.
    pub lock: Lock,
    /// What became of it.
    pub news: News,
    /// What it still lacks for these architectures, because upstream has it not.
    pub absent: Absent,
}

/// What a lock has to be complete for.
#[derive(Debug, Clone, Copy)]
pub struct Wanted<'a> {
    /// The version of Kubernetes.
    pub kubernetes: &'a Version,
    /// Of the hosts: `amd64`, `arm64`.
    pub architectures: &'a BTreeSet<String>,
    /// Names of the images that somebody runs; upstream is not asked for others.
    pub images: &'a BTreeSet<String>,
}

/// The lock at `path`, complete for what is wanted as far as upstream has it. With `write`, a new or extended one is written
/// back.
pub async fn for_run(
    path: &Path,
    wanted: &Wanted<'_>,
    store: &Arc<Store>,
    write: bool,
) -> Result<Completed, LockError> {
    let pins = Pins::shipped()?;
    let kubernetes = wanted.kubernetes;
    let existing = Lock::read(path)?;
    let new = existing.is_none();
    let mut lock = match existing {
        Some(lock) if lock.kubernetes != format!("v{kubernetes}") => {
            return Err(LockError::OtherKubernetes {
                path: path.to_owned(),
                locked: lock.kubernetes,
                wanted: format!("v{kubernetes}"),
            });
        }
        Some(lock) => lock,
        None => Lock::empty(kubernetes),
    };
    let (added, absent) = lock.complete(&pins, wanted, store).await?;
    let news = match (new, added.is_empty()) {
        (true, _) => News::New,
        (false, true) => News::Held,
        (false, false) => News::Extended(added),
    };
    if write && news != News::Held {
        lock.write(path)?;
    }
    Ok(Completed { lock, news, absent })
}
