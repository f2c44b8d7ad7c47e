//! Where a blob comes from.

use garboard_protocol::Digest;
use oci_client::Reference;
use reqwest::Url;

use super::error::StoreError;
use super::upstream::Upstream;

/// Media types of a manifest or an index, OCI's and Docker's.
const MANIFESTS: &str = "application/vnd.oci.image.index.v1+json, \
     application/vnd.docker.distribution.manifest.list.v2+json, \
     application/vnd.oci.image.manifest.v1+json, \
     application/vnd.docker.distribution.manifest.v2+json";

/// A place, by its official name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Source {
    /// A plain file, by its official `https` URL.
    File(String),
    /// What an image's tag points to: its index.
    Tag(Reference),
    /// A manifest of an image.
    Manifest(Reference, Digest),
    /// A config or a layer of an image.
    Blob(Reference, Digest),
}

impl Source {
    /// The plain file officially at `url`.
    pub fn file(url: impl Into<String>) -> Self {
        Self::File(url.into())
    }

    /// The image this belongs to.
    pub(super) fn image(&self) -> Option<&Reference> {
        match self {
            Self::File(_) => None,
            Self::Tag(reference) | Self::Manifest(reference, _) | Self::Blob(reference, _) => Some(reference),
        }
    }

    /// Where it is asked for.
    pub(super) fn url(&self, upstream: &Upstream) -> Result<Url, StoreError> {
        match self {
            Self::File(url) => upstream.file(url),
            Self::Tag(image) => {
                upstream.registry(image, &format!("manifests/{}", image.tag().unwrap_or("latest")))
            }
            Self::Manifest(image, digest) => upstream.registry(image, &format!("manifests/{digest}")),
            Self::Blob(image, digest) => upstream.registry(image, &format!("blobs/{digest}")),
        }
    }

    /// What to say in `Accept`.
    pub(super) fn accept(&self) -> &'static str {
        match self {
            Self::Tag(_) | Self::Manifest(..) => MANIFESTS,
            Self::File(_) | Self::Blob(..) => "*/*",
        }
    }

    /// For a person: the file's name, or the image's.
    pub fn name(&self) -> String {
        match self {
            Self::File(url) => url.rsplit('/').next().unwrap_or(url).to_owned(),
            Self::Tag(image) | Self::Manifest(image, _) | Self::Blob(image, _) => image.whole(),
        }
    }
}
