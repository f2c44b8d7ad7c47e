//! OCI images, shaped like the official ones: an index, one manifest per platform, a configuration, gzipped layers.
//!
//! On disk: `registry/HOST/NAME/blobs/sha256/HEX` for every blob (index and manifests are blobs as well) and
//! `registry/HOST/NAME/tags/TAG`, which holds the digest of the index. Format: <https://specs.opencontainers.org/image-spec/>

use std::collections::BTreeSet;
use std::path::Path;

use serde::Serialize;

use super::archive::{self, Archive, Content, Packed};
use super::debian::BaseLayer;
use super::recipe::{ARCHITECTURE, Image};

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

/// Writes one image below `registry`, with the programs found in `programs`.
pub(super) fn write(
    image: &'static Image,
    base: &BaseLayer,
    programs: &Path,
    registry: &Path,
) -> anyhow::Result<Written> {
    let repository = registry.join(image.repository);
    let blobs = repository.join("blobs/sha256");
    fs_err::create_dir_all(&blobs)?;
    fs_err::create_dir_all(repository.join("tags"))?;

    let mut layers = Vec::new();
    if image.base {
        // One blob in the cache, linked wherever it is used.
        fs_err::hard_link(&base.path, blobs.join(&base.packed.compressed.sha256))?;
        layers.push(base.packed.clone());
    }
    layers.push(program_layer(image, programs, &blobs)?);

    let configuration = put(&blobs, CONFIGURATION, &configuration(image, &layers))?;
    let layers: Vec<Descriptor> = layers.into_iter().map(|layer| layer.compressed.describe(LAYER)).collect();
    let content: u64 = configuration.size + layers.iter().map(|layer| layer.size).sum::<u64>();
    let manifest = Manifest { schema_version: 2, media_type: MANIFEST, config: configuration, layers };
    let mut manifest = put(&blobs, MANIFEST, &manifest)?;
    manifest.platform = Some(Platform { architecture: ARCHITECTURE, os: "linux" });
    let (digest, size) = (manifest.digest.clone(), content + manifest.size);
    let index =
        put(&blobs, INDEX, &Index { schema_version: 2, media_type: INDEX, manifests: vec![manifest] })?;
    fs_err::write(repository.join("tags").join(image.tag), &index.digest)?;
    Ok(Written { index: index.digest, manifest: digest, size })
}

fn configuration(image: &'static Image, layers: &[Packed]) -> Configuration {
    Configuration {
        created: "1970-01-01T00:00:00Z",
        architecture: ARCHITECTURE,
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
        fs_err::write(path.join("pause"), "program").unwrap();
        let mut archive = Archive::create(&path.join("layer")).unwrap();
        archive.directory("usr", 0o755).unwrap();
        let base = BaseLayer { path: path.join("layer"), packed: archive.finish().unwrap() };
        let image = Box::leak(Box::new(Image {
            name: "pause",
            repository: "registry.k8s.io/pause",
            tag: "1",
            base: true,
            programs: &[("pause", "/pause")],
            entrypoint: &["/pause"],
            user: "65535:65535",
        }));
        let written = write(image, &base, path, &path.join("registry")).unwrap();
        let repository = path.join("registry/registry.k8s.io/pause");
        assert_eq!(fs_err::read_to_string(repository.join("tags/1")).unwrap(), written.index);
        let open = |digest: &str| -> serde_json::Value {
            let name = digest.strip_prefix("sha256:").unwrap();
            let bytes = fs_err::read(repository.join("blobs/sha256").join(name)).unwrap();
            assert_eq!(archive::content_of_bytes(&bytes).sha256, name);
            serde_json::from_slice(&bytes).unwrap()
        };
        assert_eq!(open(&written.index)["manifests"][0]["digest"], written.manifest);
        let manifest = open(&written.manifest);
        let layers = manifest["layers"].as_array().unwrap();
        assert_eq!(layers[0]["digest"], format!("sha256:{}", base.packed.compressed.sha256));
        let configuration = open(manifest["config"]["digest"].as_str().unwrap());
        assert_eq!(configuration["config"]["User"], "65535:65535");
        assert_eq!(configuration["rootfs"]["diff_ids"].as_array().unwrap().len(), layers.len());
    }
}
