//! Adds to a lock what it lacks.

use std::collections::BTreeSet;

use futures::stream::{self, StreamExt as _, TryStreamExt as _};
use garboard_protocol::Digest;
use semver::Version;

use super::absent::Absent;
use super::pins::{PinnedFile, Pins};
use super::{
    FilePlatform, ImagePlatform, Lock, LockError, LockedFile, LockedImage, Wanted, checksum, document,
};
use crate::store::{Source, Store, StoreError};

/// Questions to upstream at the same time.
const QUESTIONS: usize = 4;

impl Lock {
    /// Adds what is missing for these architectures; says what that was, and what upstream has not for them. The latter
    /// is no error here: a worker needs no image of the control plane.
    pub(super) async fn complete(
        &mut self,
        pins: &Pins,
        wanted: &Wanted<'_>,
        store: &Store,
    ) -> Result<(Vec<String>, Absent), LockError> {
        let Wanted { kubernetes, architectures, .. } = *wanted;
        let mut added = Vec::new();
        let mut absent = Absent::default();
        let missing = self.missing_files(pins, kubernetes, architectures)?;
        let mut found = stream::iter(missing)
            .map(|missing| async move {
                let platform = pin_file(store, &missing).await;
                (missing, platform)
            })
            .buffered(QUESTIONS);
        while let Some((missing, platform)) = found.next().await {
            let platform = match platform {
                Err(LockError::Store(error)) if Absent::explains(&error) => {
                    absent.add(&missing.name, &missing.architecture, error);
                    continue;
                }
                other => other?,
            };
            added.push(format!("{} for {}", missing.name, missing.architecture));
            let version = format!("v{}", missing.version);
            self.files
                .entry(missing.name)
                .or_insert_with(|| LockedFile { version, platforms: std::collections::BTreeMap::new() })
                .platforms
                .insert(missing.architecture, platform);
        }
        let missing = self.missing_images(pins, wanted)?;
        let mut found = stream::iter(missing)
            .map(|missing| async move {
                let pinned = pin_image(store, &missing).await?;
                Ok::<_, LockError>((missing, pinned))
            })
            .buffered(QUESTIONS);
        while let Some((missing, (image, lacking))) = found.try_next().await? {
            added.extend(image.platforms.keys().map(|arch| format!("{} for {arch}", missing.name)));
            for (architecture, error) in lacking {
                absent.add(&missing.name, &architecture, error);
            }
            match self.images.get_mut(&missing.name) {
                Some(known) => known.platforms.extend(image.platforms),
                None => {
                    self.images.insert(missing.name, image);
                }
            }
        }
        drop(found);
        Ok((added, absent))
    }

    fn missing_files(
        &self,
        pins: &Pins,
        kubernetes: &Version,
        architectures: &BTreeSet<String>,
    ) -> Result<Vec<MissingFile>, LockError> {
        let mut missing = Vec::new();
        for name in pins.files() {
            let known = self.files.get(name);
            // An entry keeps its version, also for an architecture that comes later.
            let version = match known {
                Some(known) => known.version.trim_start_matches('v').to_owned(),
                None => pins.version(name, kubernetes)?,
            };
            for architecture in architectures {
                if known.is_some_and(|known| known.platforms.contains_key(architecture)) {
                    continue;
                }
                if name == document::KUBECTL && known.is_some() {
                    // It is for the laptop; hosts of another architecture do not ask for it.
                    continue;
                }
                let pinned = pins.file(name, &version, architecture).ok_or_else(|| LockError::Missing {
                    component: name.to_owned(),
                    architecture: architecture.clone(),
                })?;
                missing.push(MissingFile {
                    name: name.to_owned(),
                    version: version.clone(),
                    architecture: architecture.clone(),
                    pinned,
                });
            }
        }
        Ok(missing)
    }

    fn missing_images(&self, pins: &Pins, wanted: &Wanted<'_>) -> Result<Vec<MissingImage>, LockError> {
        let Wanted { kubernetes, architectures, images } = *wanted;
        let mut missing = Vec::new();
        for name in pins.images().filter(|name| images.contains(*name)) {
            let known = self.images.get(name);
            let lacking: BTreeSet<String> = architectures
                .iter()
                .filter(|architecture| {
                    !known.is_some_and(|known| known.platforms.contains_key(*architecture))
                })
                .cloned()
                .collect();
            if lacking.is_empty() {
                continue;
            }
            let reference = match known {
                Some(known) => Some(known.reference.clone()),
                None => pins.image(name, &pins.version(name, kubernetes)?),
            };
            missing.push(MissingImage {
                name: name.to_owned(),
                reference: reference.unwrap_or_default(),
                index: known.map(|known| known.index),
                architectures: lacking,
            });
        }
        Ok(missing)
    }
}

struct MissingFile {
    name: String,
    /// Without a `v`.
    version: String,
    architecture: String,
    pinned: PinnedFile,
}

struct MissingImage {
    name: String,
    reference: String,
    /// Locked already, for other architectures.
    index: Option<Digest>,
    architectures: BTreeSet<String>,
}

async fn pin_file(store: &Store, missing: &MissingFile) -> Result<FilePlatform, LockError> {
    let url = missing.pinned.url.clone();
    let source = Source::file(&url);
    let sha256 = match missing.pinned.digest {
        Some(digest) => digest,
        None => published(store, &missing.pinned).await?,
    };
    let size = if let Some(size) = store.size(&source).await? {
        size
    } else {
        let path = store.ensure(&source, sha256, None).await?;
        fs_err::metadata(&path).map_err(|cause| LockError::Read { path, cause })?.len()
    };
    Ok(FilePlatform { url, size, sha256 })
}

/// The digest its project publishes.
async fn published(store: &Store, pinned: &PinnedFile) -> Result<Digest, LockError> {
    let file = pinned.url.rsplit('/').next().unwrap_or_default();
    let mut failure = None;
    for url in &pinned.checksums {
        match store.text(&Source::file(url)).await {
            Ok(text) => match checksum::find(&text, file) {
                Some(digest) => return Ok(digest),
                None => failure = Some(LockError::Checksum { url: url.clone(), file: file.to_owned() }),
            },
            Err(error @ StoreError::Status { .. }) => failure = failure.or(Some(error.into())),
            Err(error) => return Err(error.into()),
        }
    }
    Err(failure.unwrap_or_else(|| LockError::Checksum { url: pinned.url.clone(), file: file.to_owned() }))
}

/// The image with the platforms it has, and why the others are not there.
async fn pin_image(
    store: &Store,
    missing: &MissingImage,
) -> Result<(LockedImage, Vec<(String, StoreError)>), LockError> {
    let reference = Store::reference(&missing.reference)?;
    let index = store.index(&reference, missing.index).await?;
    let mut platforms = std::collections::BTreeMap::new();
    let mut lacking = Vec::new();
    for architecture in &missing.architectures {
        match store.image(&reference, &index, architecture, None).await {
            Ok(image) => {
                let platform = ImagePlatform { manifest: image.source.manifest.digest, size: image.size() };
                platforms.insert(architecture.clone(), platform);
            }
            Err(error) if Absent::explains(&error) => lacking.push((architecture.clone(), error)),
            Err(error) => return Err(error.into()),
        }
    }
    let image = LockedImage { reference: missing.reference.clone(), index: index.blob.digest, platforms };
    Ok((image, lacking))
}
