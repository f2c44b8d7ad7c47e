//! Images: from a tag to its index, from the index to the manifest of one platform, from there to config and layers.

use std::sync::Arc;

use bytes::Bytes;
use garboard_protocol::Digest;
use garboard_protocol::step::{Blob, ImageSource};
use oci_client::Reference;
use oci_client::manifest::{ImageIndexEntry, OciImageIndex, OciImageManifest};

use super::error::StoreError;
use super::source::Source;
use super::{Store, progress::Progress};

/// What a tag points to.
#[derive(Debug, Clone)]
pub struct Index {
    /// The document itself.
    pub blob: Blob,
    document: OciImageIndex,
}

/// One platform's image, all of its parts known.
#[derive(Debug, Clone)]
pub struct Image {
    /// The reference it was asked by.
    pub reference: Reference,
    /// Its parts.
    pub source: ImageSource,
}

impl Image {
    /// Bytes of manifest, config and layers as served.
    pub fn size(&self) -> u64 {
        let parts = [self.source.manifest, self.source.config];
        parts.iter().chain(&self.source.layers).map(|blob| blob.size).sum()
    }

    /// Each part and where it comes from.
    pub fn parts(&self) -> Vec<(Blob, Source)> {
        let image = || self.reference.clone();
        let mut parts = vec![
            (self.source.index, Source::Tag(image())),
            (self.source.manifest, Source::Manifest(image(), self.source.manifest.digest)),
        ];
        let blobs = std::iter::once(&self.source.config).chain(&self.source.layers);
        parts.extend(blobs.map(|blob| (*blob, Source::Blob(image(), blob.digest))));
        parts
    }
}

impl Store {
    /// Reads an image's name.
    pub fn reference(text: &str) -> Result<Reference, StoreError> {
        text.parse()
            .map_err(|cause| StoreError::Reference { reference: text.to_owned(), cause: Arc::new(cause) })
    }

    /// The index `reference` points to. With `locked`, it comes from the store when it is there, and a tag that serves
    /// another one is refused.
    pub async fn index(&self, reference: &Reference, locked: Option<Digest>) -> Result<Index, StoreError> {
        let source = Source::Tag(reference.clone());
        let kept = locked.map(|digest| self.read(digest)).transpose()?.flatten();
        let (url, content) = match kept {
            Some(content) => (reference.whole(), content),
            None => self.inner.fetcher.document(&source).await?,
        };
        let served = Digest::of(&content);
        if let Some(locked) = locked.filter(|locked| *locked != served) {
            return Err(StoreError::TagMoved { reference: reference.whole(), locked, served });
        }
        let document: OciImageIndex = parse(&url, &content, "an image index (one manifest per platform)")?;
        if !self.has(served) {
            self.put(&content)?;
        }
        Ok(Index { blob: Blob { digest: served, size: content.len() as u64 }, document })
    }

    /// The parts of `index` for `linux/ARCHITECTURE` (`amd64`, `arm64`). Fetches the manifest unless it is there; with
    /// `locked`, the manifest must be that one.
    pub async fn image(
        &self,
        reference: &Reference,
        index: &Index,
        architecture: &str,
        locked: Option<Digest>,
    ) -> Result<Image, StoreError> {
        let name = reference.whole();
        let entry =
            entry(&index.document.manifests, architecture, locked).ok_or_else(|| StoreError::Platform {
                reference: name.clone(),
                architecture: architecture.to_owned(),
                available: index.document.manifests.iter().filter_map(platform).collect(),
            })?;
        let digest = digest_of(&name, &entry.digest)?;
        let content = self.manifest(reference, digest).await?;
        let manifest: OciImageManifest = parse(&name, &content, "an image manifest")?;
        let blob = |digest: &str, size: i64| -> Result<Blob, StoreError> {
            let size = u64::try_from(size).map_err(|_| StoreError::Content {
                url: name.clone(),
                expected: "an image manifest",
                found: format!("the size {size}"),
            })?;
            Ok(Blob { digest: digest_of(&name, digest)?, size })
        };
        let layers = manifest.layers.iter().map(|layer| blob(&layer.digest, layer.size));
        let source = ImageSource {
            reference: name.clone(),
            index: index.blob,
            manifest: Blob { digest, size: content.len() as u64 },
            config: blob(&manifest.config.digest, manifest.config.size)?,
            layers: layers.collect::<Result<_, _>>()?,
        };
        Ok(Image { reference: reference.clone(), source })
    }

    async fn manifest(&self, reference: &Reference, digest: Digest) -> Result<Bytes, StoreError> {
        if let Some(content) = self.read(digest)? {
            return Ok(content);
        }
        let source = Source::Manifest(reference.clone(), digest);
        let (url, content) = self.inner.fetcher.document(&source).await?;
        let found = Digest::of(&content);
        if found != digest {
            return Err(StoreError::WrongDigest { url, expected: digest, found });
        }
        self.put(&content)?;
        let total = content.len() as u64;
        (self.inner.fetcher.listener)(Progress::Fetching { name: source.name(), digest, done: total, total });
        Ok(content)
    }
}

/// The entry for one platform; the locked one where a digest is given.
fn entry<'a>(
    entries: &'a [ImageIndexEntry],
    architecture: &str,
    locked: Option<Digest>,
) -> Option<&'a ImageIndexEntry> {
    let wanted = format!("linux/{architecture}");
    let locked = locked.map(|digest| digest.to_string());
    entries
        .iter()
        .filter(|entry| platform(entry).as_deref() == Some(&wanted))
        .find(|entry| locked.as_ref().is_none_or(|locked| *locked == entry.digest))
}

/// `OS/ARCHITECTURE`. Attestations, which indexes also hold, have none of ours (`unknown/unknown`).
fn platform(entry: &ImageIndexEntry) -> Option<String> {
    let platform = entry.platform.as_ref()?;
    Some(format!("{}/{}", platform.os, platform.architecture))
}

fn digest_of(name: &str, text: &str) -> Result<Digest, StoreError> {
    text.parse().map_err(|_| StoreError::Content {
        url: name.to_owned(),
        expected: "SHA-256 digests",
        found: format!("the digest `{text}`"),
    })
}

fn parse<T: serde::de::DeserializeOwned>(
    url: &str,
    content: &[u8],
    expected: &'static str,
) -> Result<T, StoreError> {
    serde_json::from_slice(content).map_err(|error| StoreError::Content {
        url: url.to_owned(),
        expected,
        found: format!("a document that does not fit ({error})"),
    })
}
