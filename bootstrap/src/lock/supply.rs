//! What a run can send to hosts, and where each piece comes from.

use std::collections::{BTreeSet, HashMap};
use std::path::PathBuf;
use std::sync::Arc;

use bytes::Bytes;
use futures::stream::{self, StreamExt as _, TryStreamExt as _};
use garboard_playbooks::{Artifacts, DdnsMaterial, IngressMaterial, ServingMaterial, VpnMaterial};
use garboard_protocol::Digest;
use garboard_protocol::step::Blob;

use super::{Absent, Completed, Lock, LockError};
use crate::store::{Image, Source, Store, StoreError};

/// Images looked up at the same time.
const QUESTIONS: usize = 4;

/// Everything the lock pins and this command carries, by name for the playbooks and by digest for the sessions.
pub struct Supply {
    /// For [`garboard_playbooks::Inputs`].
    pub artifacts: Artifacts,
    /// What is not there for some host's architecture, and why.
    pub absent: Absent,
    /// What the VPN's server needs, where the inventory has one.
    pub openvpn: Option<VpnMaterial>,
    /// The secrets of dynamic DNS, where the inventory has it and its host was reached.
    pub ddns: Option<DdnsMaterial>,
    /// What the ingress needs, where the inventory has one.
    pub ingress: Option<IngressMaterial>,
    /// Certificates of servers inside the cluster, where an addon needs them.
    pub serving: Option<ServingMaterial>,
    store: Arc<Store>,
    sources: HashMap<Digest, Source>,
    /// What this command carries itself.
    carried: HashMap<Digest, Bytes>,
}

impl Completed {
    /// What this lock has for these architectures, and what it has not.
    pub async fn supply(
        self,
        store: &Arc<Store>,
        architectures: &BTreeSet<String>,
    ) -> Result<Supply, LockError> {
        let mut supply = self.lock.supply(store, architectures).await?;
        supply.absent.extend(self.absent);
        Ok(supply)
    }
}

impl Lock {
    /// The artifacts for these architectures, as far as the lock has them. Small documents (index, manifest and configuration of each image) are fetched when they
    /// are not in the store; nothing else is, and a store that has them makes no connection at all.
    pub async fn supply(
        &self,
        store: &Arc<Store>,
        architectures: &BTreeSet<String>,
    ) -> Result<Supply, LockError> {
        let mut supply = Supply::nothing(store);
        for (name, file) in &self.files {
            for architecture in architectures {
                let Some(platform) = file.platforms.get(architecture) else { continue };
                let blob = Blob { digest: platform.sha256, size: platform.size };
                supply.sources.insert(blob.digest, Source::file(&platform.url));
                supply.artifacts.files.entry(name.clone()).or_default().insert(architecture.clone(), blob);
            }
        }
        let wanted = self.images.iter().flat_map(|(name, image)| {
            let platforms = architectures.iter().filter_map(|name| image.platforms.get_key_value(name));
            platforms.map(move |platform| (name, image, platform))
        });
        let mut images = stream::iter(wanted)
            .map(|(name, image, (architecture, platform))| async move {
                let reference = Store::reference(&image.reference)?;
                let index = store.index(&reference, Some(image.index)).await?;
                let image = store.image(&reference, &index, architecture, Some(platform.manifest)).await;
                Ok::<_, LockError>((name.clone(), architecture.clone(), image))
            })
            .buffered(QUESTIONS);
        while let Some((name, architecture, image)) = images.try_next().await? {
            let image: Image = match image {
                // Locked by somebody who did not look, or by hand.
                Err(error) if Absent::explains(&error) => {
                    supply.absent.add(&name, &architecture, error);
                    continue;
                }
                other => other?,
            };
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
        Self {
            artifacts: Artifacts::default(),
            absent: Absent::default(),
            openvpn: None,
            ddns: None,
            ingress: None,
            serving: None,
            store: Arc::clone(store),
            sources: HashMap::new(),
            carried: HashMap::new(),
        }
    }

    /// Adds a program that this command carries, for hosts of an architecture.
    pub(crate) fn carry(&mut self, name: &str, architecture: &str, blob: Blob, program: Bytes) {
        self.artifacts.files.entry(name.to_owned()).or_default().insert(architecture.to_owned(), blob);
        self.carried.insert(blob.digest, program);
    }

    /// The path of a blob of these artifacts on the laptop, fetched unless it is there, and known to be right.
    pub async fn blob(&self, blob: Blob) -> Result<PathBuf, StoreError> {
        if let Some(program) = self.carried.get(&blob.digest) {
            return self.store.keep(blob.digest, program);
        }
        let source = self.sources.get(&blob.digest).ok_or(StoreError::NoSource { digest: blob.digest })?;
        self.store.ensure(source, blob.digest, Some(blob.size)).await
    }
}
