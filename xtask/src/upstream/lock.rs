//! `garboard.lock` of the mirror: what it offers, with versions, addresses, sizes and digests.

use std::collections::BTreeMap;

use serde::Serialize;

use super::archive::Content;
use super::image::Written;
use super::recipe::{ARCHITECTURE, File, Image, KUBERNETES};

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

    /// Adds a plain file.
    pub(super) fn file(&mut self, file: &File, url: String, content: Content) {
        let platform = FilePlatform { url, size: content.size, sha256: content.sha256 };
        let platforms = BTreeMap::from([(ARCHITECTURE, platform)]);
        self.files.insert(file.name, LockedFile { version: file.version, platforms });
    }

    /// Adds an image.
    pub(super) fn image(&mut self, image: &Image, written: Written) {
        let platform = ImagePlatform { manifest: written.manifest, size: written.size };
        let reference = format!("{}:{}", image.repository, image.tag);
        let platforms = BTreeMap::from([(ARCHITECTURE, platform)]);
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
    use crate::upstream::recipe::{FILES, IMAGES};

    #[test]
    fn the_lock_reads_back_and_digests_stay_text() {
        let mut lock = Lock::new();
        // All digits: a reader must not take it for a number.
        let sha256 = "1".repeat(64);
        lock.file(
            &FILES[0],
            "https://dl.k8s.io/kubeadm".to_owned(),
            Content { sha256: sha256.clone(), size: 7 },
        );
        let written = Written { index: "sha256:aa".to_owned(), manifest: "sha256:bb".to_owned(), size: 9 };
        lock.image(&IMAGES[0], written);
        let read: serde_json::Value = serde_saphyr::from_str(&lock.render().unwrap()).unwrap();
        assert_eq!(read["version"], 1);
        assert_eq!(read["files"]["kubeadm"]["platforms"]["amd64"]["sha256"], sha256);
        assert_eq!(read["images"]["kube-apiserver"]["index"], "sha256:aa");
        assert_eq!(read["images"]["kube-apiserver"]["reference"], "registry.k8s.io/kube-apiserver:v1.36.3");
        assert_eq!(read["images"]["kube-apiserver"]["platforms"]["amd64"]["size"], 9);
    }
}
