//! What can be wrong with a lock.

use std::path::PathBuf;

use crate::problem::Exit;
use crate::store::StoreError;

/// A lock that cannot be used or made.
#[derive(Debug, thiserror::Error)]
pub enum LockError {
    /// The file cannot be read.
    #[error("could not read `{}`", .path.display())]
    Read {
        /// The lock.
        path: PathBuf,
        /// Why.
        #[source]
        cause: std::io::Error,
    },
    /// The file cannot be written.
    #[error("could not write `{}`; the lock belongs beside the inventory, in a folder you may write", .path.display())]
    Write {
        /// The lock.
        path: PathBuf,
        /// Why.
        #[source]
        cause: std::io::Error,
    },
    /// Not a lock.
    #[error("{}:{line}:{column}: {message}; restore the file, or delete it to have it written anew", .path.display())]
    Syntax {
        /// The lock.
        path: PathBuf,
        /// From 1.
        line: u64,
        /// From 1.
        column: u64,
        /// What is wrong there.
        message: String,
    },
    /// A later format.
    #[error("`{}` has the format {version}, this garboard knows 1: use the garboard that wrote it", .path.display())]
    Format {
        /// The lock.
        path: PathBuf,
        /// As written.
        version: u32,
    },
    /// It is not the one for this inventory.
    #[error(
        "`{}` pins Kubernetes {locked}, the inventory asks for {wanted}: \
         set `cluster.kubernetes` back, or delete the lock to pin {wanted}", .path.display()
    )]
    OtherKubernetes {
        /// The lock.
        path: PathBuf,
        /// In the lock.
        locked: String,
        /// In the inventory.
        wanted: String,
    },
    /// No versions are known that go with it.
    #[error("this garboard installs Kubernetes {}, not v{wanted}", .known.join(", "))]
    Release {
        /// Asked for.
        wanted: String,
        /// For example `v1.36.x`.
        known: Vec<String>,
    },
    /// The lock has no entry.
    #[error("`garboard.lock` lacks {component} for {architecture}; run `garboard up` to have it extended")]
    Missing {
        /// The file or image.
        component: String,
        /// The architecture.
        architecture: String,
    },
    /// The published checksum says nothing about the file.
    #[error("`{url}` holds no SHA-256 digest of `{file}`")]
    Checksum {
        /// Of the checksum.
        url: String,
        /// The file it should name.
        file: String,
    },
    /// The shipped pins are broken; a fault of this build.
    #[error("the pins built into this garboard cannot be read")]
    Pins(#[source] serde_json::Error),
    /// Something could not be fetched.
    #[error("could not fetch what `garboard.lock` pins")]
    Store(#[from] StoreError),
}

impl LockError {
    /// The exit code of a run that ends with it. What the lock holds is moved by a person, never by a run.
    pub fn exit(&self) -> Exit {
        match self {
            Self::OtherKubernetes { .. } | Self::Store(StoreError::TagMoved { .. }) => Exit::NeedsPerson,
            _ => Exit::Failed,
        }
    }
}
