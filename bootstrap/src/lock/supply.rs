//! What a run can send to hosts, and where each piece comes from.

use std::collections::{BTreeSet, HashMap};
use std::path::PathBuf;
use std::sync::Arc;

use futures::stream::{self, StreamExt as _, TryStreamExt as _};
use garboard_playbooks::Artifacts;
use garboard_protocol::Digest;
use garboard_protocol::step::Blob;

use super::{Lock, LockError};
use crate::store::{Image, Source, Store, StoreError};

/// Images looked up at the same time.
const QUESTIONS: usize = 4;

/// Everything the lock pins, by name for the playbooks and by digest for the sessions.
pub struct Supply {
    /// For [`garboard_playbooks::Inputs`].
    pub artifacts: Artifacts,
    store: Arc<Store>,
    sources: HashMap<Digest, Source>,
}

impl Lock {
    /// The artifacts for these architectures. Small documents (index and manifest of each image) are fetched when they
    /// are not in the store; nothing else is, and a store that has them makes no connection at all.
    pub async fn supply(
        &self,
        store: &Arc<Store>,
        architectures: &BTreeSet<String>,
    ) -> Result<Supply, LockError> {
        let mut supply = Supply::nothing(store);
        let missing = |component: &str, architecture: &str| LockError::Missing {
            component: component.to_owned(),
            architecture: architecture.to_owned(),
        };
        for (name, file) in &self.files {
            for architecture in architectures {
                let Some(platform) = file.platforms.get(architecture) else {
                    if name == super::document::KUBECTL {
                        continue;
                    }
                    return Err(missing(name, architecture));
                };
                let blob = Blob { digest: platform.sha256, size: platform.size };
                supply.sources.insert(blob.digest, Source::file(&platform.url));
                supply.artifacts.files.entry(name.clone()).or_default().insert(architecture.clone(), blob);
            }
        }
        let wanted = self.images.iter().flat_map(|(name, image)| {
            architectures.iter().map(move |architecture| (name, image, architecture))
        });
        let mut images = stream::iter(wanted)
            .map(|(name, image, architecture)| async move {
                let platform =
                    image.platforms.get(architecture).ok_or_else(|| missing(name, architecture))?;
                let reference = Store::reference(&image.reference)?;
                let index = store.index(&reference, Some(image.index)).await?;
                let image = store.image(&reference, &index, architecture, Some(platform.manifest)).await?;
                Ok::<(String, String, Image), LockError>((name.clone(), architecture.clone(), image))
            })
            .buffered(QUESTIONS);
        while let Some((name, architecture, image)) = images.try_next().await? {
            supply.sources.extend(image.parts().into_iter().map(|(blob, source)| (blob.digest, source)));
            supply.artifacts.images.entry(name).or_default().insert(architecture, image.source);
        }
        drop(images);
        Ok(supply)
    }
}

impl Supply {
    /// For a run that needs nothing of the lock.
    pub fn nothing(store: &Arc<Store>) -> Self {
        Self { artifacts: Artifacts::default(), store: Arc::clone(store), sources: HashMap::new() }
    }

    /// The path of a blob of these artifacts on the laptop, fetched unless it is there, and known to be right.
    pub async fn blob(&self, blob: Blob) -> Result<PathBuf, StoreError> {
        let source = self.sources.get(&blob.digest).ok_or(StoreError::NoSource { digest: blob.digest })?;
        self.store.ensure(source, blob.digest, Some(blob.size)).await
    }
}
