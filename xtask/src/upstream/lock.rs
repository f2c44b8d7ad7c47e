//! `garboard.lock` of the mirror: what it offers, with versions, addresses, sizes and digests.

use std::collections::BTreeMap;

use serde::Serialize;

use super::architecture::Architecture;
use super::archive::Content;
use super::image::{Written, WrittenPlatform};
use super::recipe::{File, Image, KUBERNETES};

/// The lock's content; maps keep it sorted.
#[derive(Serialize)]
pub(super) struct Lock {
    version: u8,
    kubernetes: &'static str,
    files: BTreeMap<&'static str, LockedFile>,
    images: BTreeMap<&'static str, LockedImage>,
}

#[derive(Serialize)]
struct LockedFile {
    version: &'static str,
    platforms: BTreeMap<&'static str, FilePlatform>,
}

#[derive(Serialize)]
struct FilePlatform {
    url: String,
    size: u64,
    sha256: String,
}

#[derive(Serialize)]
struct LockedImage {
    reference: String,
    index: String,
    platforms: BTreeMap<&'static str, ImagePlatform>,
}

#[derive(Serialize)]
struct ImagePlatform {
    manifest: String,
    size: u64,
}

impl Lock {
    /// An empty lock.
    pub(super) fn new() -> Self {
        Self { version: 1, kubernetes: KUBERNETES, files: BTreeMap::new(), images: BTreeMap::new() }
    }

    /// Adds a plain file for one architecture.
    pub(super) fn file(&mut self, file: &File, architecture: Architecture, url: String, content: Content) {
        let platform = FilePlatform { url, size: content.size, sha256: content.sha256 };
        self.files
            .entry(file.name)
            .or_insert_with(|| LockedFile { version: file.version, platforms: BTreeMap::new() })
            .platforms
            .insert(architecture.name, platform);
    }

    /// Adds an image.
    pub(super) fn image(&mut self, image: &Image, written: Written) {
        let reference = format!("{}:{}", image.repository, image.tag);
        let platforms = written
            .platforms
            .into_iter()
            .map(|platform| {
                let WrittenPlatform { architecture, manifest, size } = platform;
                (architecture.name, ImagePlatform { manifest, size })
            })
            .collect();
        self.images.insert(image.name, LockedImage { reference, index: written.index, platforms });
    }

    /// The file's text.
    pub(super) fn render(&self) -> anyhow::Result<String> {
        // A long URL stays on its line.
        let options = serde_saphyr::ser_options! { prefer_block_scalars: false };
        let body = serde_saphyr::to_string_with_options(self, options)?;
        Ok(format!("# Written by garboard; `garboard lock --update` moves it.\n{body}"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::upstream::architecture::{AMD64, ARM64};
    use crate::upstream::recipe::{FILES, IMAGES};

    #[test]
    fn the_lock_reads_back_and_digests_stay_text() {
        let mut lock = Lock::new();
        // All digits: a reader must not take it for a number.
        let sha256 = "1".repeat(64);
        for architecture in [ARM64, AMD64] {
            let url = format!("https://dl.k8s.io/{}/kubeadm", architecture.name);
            lock.file(&FILES[0], architecture, url, Content { sha256: sha256.clone(), size: 7 });
        }
        let platform =
            |architecture, size| WrittenPlatform { architecture, manifest: "sha256:bb".to_owned(), size };
        let platforms = vec![platform(AMD64, 9), platform(ARM64, 8)];
        let written = Written { index: "sha256:aa".to_owned(), platforms };
        lock.image(&IMAGES[0], written);
        let read: serde_json::Value = serde_saphyr::from_str(&lock.render().unwrap()).unwrap();
        assert_eq!(read["version"], 1);
        assert_eq!(read["files"]["kubeadm"]["platforms"]["amd64"]["sha256"], sha256);
        assert_eq!(read["files"]["kubeadm"]["platforms"]["arm64"]["url"], "https://dl.k8s.io/arm64/kubeadm");
        assert_eq!(read["images"]["kube-apiserver"]["index"], "sha256:aa");
        assert_eq!(read["images"]["kube-apiserver"]["reference"], "registry.k8s.io/kube-apiserver:v1.36.3");
        assert_eq!(read["images"]["kube-apiserver"]["platforms"]["amd64"]["size"], 9);
        assert_eq!(read["images"]["kube-apiserver"]["platforms"]["arm64"]["size"], 8);
    }
}
