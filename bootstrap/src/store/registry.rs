//! Images: from a tag to its index, from the index to the manifest of one platform, from there to config and layers.

use std::sync::Arc;

use bytes::Bytes;
use garboard_protocol::Digest;
use garboard_protocol::step::{Blob, ImageSource};
use oci_client::Reference;
use oci_client::manifest::{ImageIndexEntry, OciImageIndex, OciImageManifest};

use super::error::StoreError;
use super::platform::Platform;
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

    /// The parts of `index` for `linux/ARCHITECTURE` (`amd64`, `arm64`). Fetches manifest and configuration unless they
    /// are there; with `locked`, the manifest must be that one. A configuration that speaks of another platform than the
    /// index is refused: mislabelled images exist, and a host would only say `exec format error`.
    pub async fn image(
        &self,
        reference: &Reference,
        index: &Index,
        architecture: &str,
        locked: Option<Digest>,
    ) -> Result<Image, StoreError> {
        let name = reference.whole();
        let wanted = Platform::of_hosts(architecture);
        let entry =
            entry(&index.document.manifests, &wanted, locked).ok_or_else(|| StoreError::Platform {
                reference: name.clone(),
                platform: wanted.to_string(),
                available: platforms(&index.document.manifests),
            })?;
        let digest = digest_of(&name, &entry.digest)?;
        let content = self.document(&Source::Manifest(reference.clone(), digest), digest).await?;
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
        let config = blob(&manifest.config.digest, manifest.config.size)?;
        self.check_platform(reference, config.digest, &wanted).await?;
        let source = ImageSource {
            reference: name.clone(),
            index: index.blob,
            manifest: Blob { digest, size: content.len() as u64 },
            config,
            layers: layers.collect::<Result<_, _>>()?,
        };
        Ok(Image { reference: reference.clone(), source })
    }

    /// Reads the configuration, and refuses an image that is for other hosts than its index says.
    async fn check_platform(
        &self,
        reference: &Reference,
        config: Digest,
        wanted: &Platform,
    ) -> Result<(), StoreError> {
        let content = self.document(&Source::Blob(reference.clone(), config), config).await?;
        let found = match Platform::of_configuration(&content) {
            Ok(found) if found == *wanted => return Ok(()),
            Ok(found) => format!("is for {found}"),
            Err(error) => format!("names no platform ({error})"),
        };
        Err(StoreError::Mislabelled { reference: reference.whole(), platform: wanted.to_string(), found })
    }

    /// A small document by its digest; fetched unless it is there.
    async fn document(&self, source: &Source, digest: Digest) -> Result<Bytes, StoreError> {
        if let Some(content) = self.read(digest)? {
            return Ok(content);
        }
        let (url, content) = self.inner.fetcher.document(source).await?;
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
    wanted: &Platform,
    locked: Option<Digest>,
) -> Option<&'a ImageIndexEntry> {
    let locked = locked.map(|digest| digest.to_string());
    entries
        .iter()
        .filter(|entry| Platform::of_entry(entry).as_ref() == Some(wanted))
        .find(|entry| locked.as_ref().is_none_or(|locked| *locked == entry.digest))
}

/// Those that an index is there for, each once.
fn platforms(entries: &[ImageIndexEntry]) -> Vec<String> {
    let mut platforms: Vec<String> = Vec::new();
    for platform in entries.iter().filter_map(Platform::of_entry).map(|platform| platform.to_string()) {
        if !platforms.contains(&platform) {
            platforms.push(platform);
        }
    }
    platforms
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
