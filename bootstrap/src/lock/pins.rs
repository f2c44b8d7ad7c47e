//! The pins that ship with the tool: which versions go together, where they lie, and their published digests.

use std::collections::BTreeMap;

use garboard_protocol::Digest;
use semver::Version;
use serde::{Deserialize, Deserializer};

use super::{LockError, document};

/// The table of pins.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Pins {
    /// For a person.
    #[serde(rename = "about")]
    _about: String,
    files: BTreeMap<String, FilePins>,
    /// References with `{version}`, by name.
    images: BTreeMap<String, String>,
    /// Versions of everything that has no version of Kubernetes, by `MAJOR.MINOR` of Kubernetes and by name.
    releases: BTreeMap<String, BTreeMap<String, String>>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct FilePins {
    /// With `{version}` and `{arch}`.
    url: String,
    /// Where its project publishes the digest; with `{url}` or as `url`.
    checksum: String,
    /// By architecture and version.
    digests: BTreeMap<String, BTreeMap<String, HexDigest>>,
}

#[derive(Debug, Clone, Copy)]
struct HexDigest(Digest);

impl<'de> Deserialize<'de> for HexDigest {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        document::hex::deserialize(deserializer).map(Self)
    }
}

/// One file for one architecture, as far as the pins know it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct PinnedFile {
    pub(super) url: String,
    /// URLs that may hold its digest, best first.
    pub(super) checksums: Vec<String>,
    pub(super) digest: Option<Digest>,
}

impl Pins {
    /// Those built into this program.
    pub fn shipped() -> Result<Self, LockError> {
        serde_json::from_str(include_str!("../../pins.json")).map_err(LockError::Pins)
    }

    /// Names of all files.
    pub(super) fn files(&self) -> impl Iterator<Item = &str> {
        self.files.keys().map(String::as_str)
    }

    /// Names of all images.
    pub(super) fn images(&self) -> impl Iterator<Item = &str> {
        self.images.keys().map(String::as_str)
    }

    /// The version of `name` that goes with this Kubernetes, without a `v`.
    pub(super) fn version(&self, name: &str, kubernetes: &Version) -> Result<String, LockError> {
        let release = format!("{}.{}", kubernetes.major, kubernetes.minor);
        let versions = self.releases.get(&release).ok_or_else(|| LockError::Release {
            wanted: kubernetes.to_string(),
            known: self.releases.keys().map(|release| format!("v{release}.x")).collect(),
        })?;
        Ok(versions.get(name).cloned().unwrap_or_else(|| kubernetes.to_string()))
    }

    /// The file `name` in this version (without a `v`).
    pub(super) fn file(&self, name: &str, version: &str, architecture: &str) -> Option<PinnedFile> {
        let pins = self.files.get(name)?;
        let fill = |template: &str| template.replace("{version}", version).replace("{arch}", architecture);
        let url = fill(&pins.url);
        let mut checksums = vec![fill(&pins.checksum).replace("{url}", &url)];
        let beside = format!("{url}.sha256");
        if !checksums.contains(&beside) {
            checksums.push(beside);
        }
        let digest = pins.digests.get(architecture).and_then(|digests| digests.get(version));
        Some(PinnedFile { url, checksums, digest: digest.map(|digest| digest.0) })
    }

    /// The reference of the image `name` in this version (without a `v`).
    pub(super) fn image(&self, name: &str, version: &str) -> Option<String> {
        Some(self.images.get(name)?.replace("{version}", version))
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use semver::Version;

    use super::Pins;
    use crate::lock::LockError;

    #[test]
    fn the_shipped_pins_name_everything_the_playbooks_know() {
        let pins = Pins::shipped().unwrap();
        let mut files: BTreeSet<&str> = garboard_playbooks::FILES.into();
        files.insert("kubectl");
        assert_eq!(pins.files().collect::<BTreeSet<_>>(), files);
        assert_eq!(pins.images().collect::<BTreeSet<_>>(), garboard_playbooks::IMAGES.into());
    }

    #[test]
    fn every_file_of_the_default_release_has_a_shipped_digest_on_both_architectures() {
        let pins = Pins::shipped().unwrap();
        let kubernetes = Version::new(1, 36, 3);
        for name in pins.files() {
            let version = pins.version(name, &kubernetes).unwrap();
            for architecture in ["amd64", "arm64"] {
                let file = pins.file(name, &version, architecture).unwrap();
                assert!(file.digest.is_some(), "{name} {version} {architecture}");
                assert!(!file.url.contains('{'), "{}", file.url);
            }
        }
    }

    #[test]
    fn images_are_named_as_their_registries_do() {
        let pins = Pins::shipped().unwrap();
        let kubernetes = Version::new(1, 36, 3);
        let reference = |name: &str| pins.image(name, &pins.version(name, &kubernetes).unwrap()).unwrap();
        assert_eq!(reference("kube-proxy"), "registry.k8s.io/kube-proxy:v1.36.3");
        assert_eq!(reference("etcd"), "registry.k8s.io/etcd:3.6.8-0");
        assert_eq!(reference("coredns"), "registry.k8s.io/coredns/coredns:v1.14.2");
        assert_eq!(reference("pause"), "registry.k8s.io/pause:3.10.2");
        assert_eq!(reference("flannel-cni-plugin"), "ghcr.io/flannel-io/flannel-cni-plugin:v1.9.1-flannel1");
    }

    #[test]
    fn another_release_of_kubernetes_is_refused() {
        let refused = Pins::shipped().unwrap().version("runc", &Version::new(1, 35, 0));
        assert!(matches!(refused, Err(LockError::Release { .. })));
    }
}
