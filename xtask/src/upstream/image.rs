//! OCI images, shaped like the official ones: an index, one manifest per platform, a configuration, gzipped layers.
//!
//! On disk: `registry/HOST/NAME/blobs/sha256/HEX` for every blob (index and manifests are blobs as well) and
//! `registry/HOST/NAME/tags/TAG`, which holds the digest of the index. Format: <https://specs.opencontainers.org/image-spec/>

use std::collections::BTreeSet;
use std::path::Path;

use serde::Serialize;

use super::architecture::Architecture;
use super::archive::{self, Archive, Content, Packed};
use super::debian::BaseLayer;
use super::recipe::Image;

const INDEX: &str = "application/vnd.oci.image.index.v1+json";
const MANIFEST: &str = "application/vnd.oci.image.manifest.v1+json";
const CONFIGURATION: &str = "application/vnd.oci.image.config.v1+json";
const LAYER: &str = "application/vnd.oci.image.layer.v1.tar+gzip";
const PATH: &str = "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";
/// What a runtime expects in any root, also one without an operating system.
const SKELETON: &[(&str, u32)] = &[("etc", 0o755), ("run", 0o755), ("tmp", 0o1777), ("var", 0o755)];

/// A written image, as `garboard.lock` records it.
pub(super) struct Written {
    /// Digest of the index.
    pub(super) index: String,
    /// One for each architecture of the index, in its order.
    pub(super) platforms: Vec<WrittenPlatform>,
}

/// An image for one architecture.
pub(super) struct WrittenPlatform {
    pub(super) architecture: Architecture,
    /// Digest of the manifest.
    pub(super) manifest: String,
    /// Bytes of manifest, configuration and layers as served.
    pub(super) size: u64,
}

// Structs rather than JSON values: the order of fields is then fixed, and with it the digest.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Descriptor {
    media_type: &'static str,
    digest: String,
    size: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    platform: Option<Platform>,
}

#[derive(Serialize)]
struct Platform {
    architecture: &'static str,
    os: &'static str,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Manifest {
    schema_version: u8,
    media_type: &'static str,
    config: Descriptor,
    layers: Vec<Descriptor>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Index {
    schema_version: u8,
    media_type: &'static str,
    manifests: Vec<Descriptor>,
}

#[derive(Serialize)]
struct Configuration {
    created: &'static str,
    architecture: &'static str,
    os: &'static str,
    config: Process,
    rootfs: RootFileSystem,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct Process {
    #[serde(skip_serializing_if = "str::is_empty")]
    user: &'static str,
    env: [&'static str; 1],
    #[serde(skip_serializing_if = "<[_]>::is_empty")]
    entrypoint: &'static [&'static str],
    working_dir: &'static str,
}

#[derive(Serialize)]
struct RootFileSystem {
    r#type: &'static str,
    diff_ids: Vec<String>,
}

/// What an image for one architecture is made from.
pub(super) struct Parts<'a> {
    pub(super) architecture: Architecture,
    /// The layer below, for images that stand on one.
    pub(super) base: &'a BaseLayer,
    /// The folder with the programs.
    pub(super) programs: &'a Path,
}

/// Writes one image below `registry`: a manifest for each of the parts, and the index above them.
pub(super) fn write(image: &'static Image, parts: &[Parts], registry: &Path) -> anyhow::Result<Written> {
    let repository = registry.join(image.repository);
    let blobs = repository.join("blobs/sha256");
    fs_err::create_dir_all(&blobs)?;
    fs_err::create_dir_all(repository.join("tags"))?;
    let mut manifests = Vec::new();
    let mut platforms = Vec::new();
    for parts in parts {
        let (manifest, platform) = write_platform(image, parts, &blobs)?;
        manifests.push(manifest);
        platforms.push(platform);
    }
    let index = put(&blobs, INDEX, &Index { schema_version: 2, media_type: INDEX, manifests })?;
    fs_err::write(repository.join("tags").join(image.tag), &index.digest)?;
    Ok(Written { index: index.digest, platforms })
}

/// The manifest as the index names it, and what the lock says of it.
fn write_platform(
    image: &'static Image,
    parts: &Parts,
    blobs: &Path,
) -> anyhow::Result<(Descriptor, WrittenPlatform)> {
    let Parts { architecture, base, programs } = *parts;
    let mut layers = Vec::new();
    if image.base {
        // One blob in the cache, linked wherever it is used.
        fs_err::hard_link(&base.path, blobs.join(&base.packed.compressed.sha256))?;
        layers.push(base.packed.clone());
    }
    layers.push(program_layer(image, programs, blobs)?);

    let configuration = put(blobs, CONFIGURATION, &configuration(image, architecture, &layers))?;
    let layers: Vec<Descriptor> = layers.into_iter().map(|layer| layer.compressed.describe(LAYER)).collect();
    let content: u64 = configuration.size + layers.iter().map(|layer| layer.size).sum::<u64>();
    let manifest = Manifest { schema_version: 2, media_type: MANIFEST, config: configuration, layers };
    let mut manifest = put(blobs, MANIFEST, &manifest)?;
    manifest.platform = Some(Platform { architecture: architecture.name, os: "linux" });
    let written =
        WrittenPlatform { architecture, manifest: manifest.digest.clone(), size: content + manifest.size };
    Ok((manifest, written))
}

fn configuration(image: &'static Image, architecture: Architecture, layers: &[Packed]) -> Configuration {
    Configuration {
        created: "1970-01-01T00:00:00Z",
        architecture: architecture.name,
        os: "linux",
        config: Process { user: image.user, env: [PATH], entrypoint: image.entrypoint, working_dir: "/" },
        rootfs: RootFileSystem {
            r#type: "layers",
            diff_ids: layers.iter().map(|layer| format!("sha256:{}", layer.unpacked.sha256)).collect(),
        },
    }
}

/// The layer with the image's own programs and the folders above them.
fn program_layer(image: &Image, programs: &Path, blobs: &Path) -> anyhow::Result<Packed> {
    let unnamed = tempfile::Builder::new().prefix(".layer-").tempfile_in(blobs)?.into_temp_path();
    let mut archive = Archive::create(&unnamed)?;
    if !image.base {
        for (name, mode) in SKELETON {
            archive.directory(name, *mode)?;
        }
    }
    for folder in parents(image.programs.iter().map(|(_, path)| *path)) {
        archive.directory(&folder, 0o755)?;
    }
    for (program, path) in image.programs {
        archive.program(path.trim_start_matches('/'), &programs.join(program))?;
    }
    let packed = archive.finish()?;
    unnamed.persist(blobs.join(&packed.compressed.sha256))?;
    Ok(packed)
}

/// All folders above these absolute paths, outer ones first.
fn parents<'a>(paths: impl Iterator<Item = &'a str>) -> BTreeSet<String> {
    paths
        .flat_map(|path| Path::new(path.trim_start_matches('/')).ancestors().skip(1))
        .map(|folder| folder.display().to_string())
        .filter(|folder| !folder.is_empty())
        .collect()
}

/// Stores a document as a blob.
fn put(blobs: &Path, media_type: &'static str, document: &impl Serialize) -> anyhow::Result<Descriptor> {
    let bytes = serde_json::to_vec(document)?;
    let content = archive::content_of_bytes(&bytes);
    fs_err::write(blobs.join(&content.sha256), &bytes)?;
    Ok(content.describe(media_type))
}

impl Content {
    fn describe(self, media_type: &'static str) -> Descriptor {
        Descriptor { media_type, digest: format!("sha256:{}", self.sha256), size: self.size, platform: None }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::upstream::architecture::{AMD64, ARM64, EVERYWHERE};

    #[test]
    fn folders_above_programs_come_outer_first_and_once() {
        let folders: Vec<String> =
            parents(["/usr/local/bin/etcd", "/usr/local/bin/etcdctl", "/coredns"].into_iter())
                .into_iter()
                .collect();
        assert_eq!(folders, ["usr", "usr/local", "usr/local/bin"]);
    }

    #[test]
    fn an_image_is_found_from_its_tag_down_to_its_layers() {
        let place = tempfile::tempdir().unwrap();
        let path = place.path();
        let bases = EVERYWHERE.iter().map(|architecture| {
            fs_err::create_dir(path.join(architecture.name)).unwrap();
            fs_err::write(path.join(architecture.name).join("pause"), architecture.name).unwrap();
            let layer = path.join(format!("{}-layer", architecture.name));
            let mut archive = Archive::create(&layer).unwrap();
            archive.directory(architecture.libraries, 0o755).unwrap();
            BaseLayer { path: layer, packed: archive.finish().unwrap() }
        });
        let bases: Vec<_> = bases.collect();
        let image = Box::leak(Box::new(Image {
            name: "pause",
            repository: "registry.k8s.io/pause",
            tag: "1",
            architectures: EVERYWHERE,
            base: true,
            programs: &[("pause", "/pause")],
            entrypoint: &["/pause"],
            user: "65535:65535",
        }));
        let programs = [path.join(AMD64.name), path.join(ARM64.name)];
        let parts = [0, 1].map(|at| Parts {
            architecture: EVERYWHERE[at],
            base: &bases[at],
            programs: &programs[at],
        });
        let written = write(image, &parts, &path.join("registry")).unwrap();
        let repository = path.join("registry/registry.k8s.io/pause");
        assert_eq!(fs_err::read_to_string(repository.join("tags/1")).unwrap(), written.index);
        let open = |digest: &str| -> serde_json::Value {
            let name = digest.strip_prefix("sha256:").unwrap();
            let bytes = fs_err::read(repository.join("blobs/sha256").join(name)).unwrap();
            assert_eq!(archive::content_of_bytes(&bytes).sha256, name);
            serde_json::from_slice(&bytes).unwrap()
        };
        let index = open(&written.index);
        for (at, architecture) in EVERYWHERE.iter().enumerate() {
            let entry = &index["manifests"][at];
            assert_eq!(entry["digest"], written.platforms[at].manifest);
            assert_eq!(entry["platform"]["architecture"], architecture.name);
            let manifest = open(&written.platforms[at].manifest);
            let layers = manifest["layers"].as_array().unwrap();
            assert_eq!(layers[0]["digest"], format!("sha256:{}", bases[at].packed.compressed.sha256));
            let configuration = open(manifest["config"]["digest"].as_str().unwrap());
            assert_eq!(configuration["architecture"], architecture.name);
            assert_eq!(configuration["config"]["User"], "65535:65535");
            assert_eq!(configuration["rootfs"]["diff_ids"].as_array().unwrap().len(), layers.len());
        }
        assert_ne!(written.platforms[0].manifest, written.platforms[1].manifest);
    }
}
