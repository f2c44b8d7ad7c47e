//! One image as a tar stream in OCI image layout: what `ctr images import -` reads. Nothing is put on disk for it.

use std::io::{self, Read, Write};

use garboard_protocol::digest::Hasher;
use garboard_protocol::step::{Blob, ImageSource};
use serde_json::json;

use super::Context;

/// Writes the stream. Every blob is hashed on its way; one that is not what its name says stops the import with an error
/// before its image exists.
pub(crate) fn write(image: &ImageSource, context: &Context<'_>, output: &mut dyn Write) -> io::Result<()> {
    let index = context.system.read(&context.blob(image.index.digest))?;
    let mut tar = tar::Builder::new(output);
    member(&mut tar, "oci-layout", br#"{"imageLayoutVersion":"1.0.0"}"#)?;
    let annotated = |name: &str| {
        json!({
            "mediaType": media_type(&index),
            "digest": image.index.digest,
            "size": image.index.size,
            "annotations": { "io.containerd.image.name": name },
        })
    };
    let manifests = [annotated(&image.reference), annotated(&digest_name(image))];
    let top = json!({ "schemaVersion": 2, "manifests": manifests });
    member(&mut tar, "index.json", top.to_string().as_bytes())?;
    let mut written = Vec::new();
    for blob in image.blobs() {
        // Layers may repeat, and an image without an index of its own has its manifest in the index's place.
        if !written.contains(&blob.digest) {
            stream(&mut tar, blob, context)?;
            written.push(blob.digest);
        }
    }
    tar.into_inner()?.flush()
}

/// `NAME@DIGEST` of an image's reference.
pub(crate) fn digest_name(image: &ImageSource) -> String {
    let reference = image.reference.split('@').next().unwrap_or(&image.reference);
    let name = match reference.rsplit_once(':') {
        // A colon before the last slash belongs to a port.
        Some((name, tag)) if !tag.contains('/') => name,
        _ => reference,
    };
    format!("{name}@{}", image.index.digest)
}

/// This host's architecture as images name it.
pub(crate) fn architecture() -> &'static str {
    match std::env::consts::ARCH {
        "x86_64" => "amd64",
        "aarch64" => "arm64",
        other => other,
    }
}

fn media_type(document: &[u8]) -> String {
    #[derive(serde::Deserialize)]
    #[serde(rename_all = "camelCase")]
    struct Document {
        media_type: Option<String>,
        manifests: Option<serde::de::IgnoredAny>,
    }
    let index = "application/vnd.oci.image.index.v1+json".to_owned();
    match serde_json::from_slice(document) {
        Ok(Document { media_type: Some(media_type), .. }) => media_type,
        Ok(Document { manifests: None, .. }) => "application/vnd.oci.image.manifest.v1+json".to_owned(),
        // What is no JSON does not have its digest either; the stream's hashing says so.
        _ => index,
    }
}

fn stream(tar: &mut tar::Builder<&mut dyn Write>, blob: Blob, context: &Context<'_>) -> io::Result<()> {
    let file = context.system.open(&context.blob(blob.digest))?;
    let mut hashed = Hashed { reader: file.take(blob.size), hasher: Hasher::default() };
    let mut header = header(blob.size);
    tar.append_data(&mut header, format!("blobs/sha256/{}", blob.digest.hex()), &mut hashed)?;
    let (found, size) = hashed.hasher.finish();
    if (found, size) != (blob.digest, blob.size) {
        let message =
            format!("the blob {} on this host is damaged: its content is {found}, {size} bytes", blob.digest);
        return Err(io::Error::new(io::ErrorKind::InvalidData, message));
    }
    Ok(())
}

fn member(tar: &mut tar::Builder<&mut dyn Write>, name: &str, content: &[u8]) -> io::Result<()> {
    tar.append_data(&mut header(content.len() as u64), name, content)
}

fn header(size: u64) -> tar::Header {
    let mut header = tar::Header::new_gnu();
    header.set_size(size);
    header.set_mode(0o644);
    header.set_entry_type(tar::EntryType::Regular);
    header
}

struct Hashed<R> {
    reader: R,
    hasher: Hasher,
}

impl<R: Read> Read for Hashed<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let count = self.reader.read(buffer)?;
        self.hasher.update(&buffer[..count]);
        Ok(count)
    }
}

#[cfg(test)]
mod tests {
    use super::digest_name;
    use garboard_protocol::Digest;
    use garboard_protocol::step::{Blob, ImageSource};

    #[test]
    fn the_digest_replaces_the_tag_and_leaves_a_port() {
        let blob = Blob { digest: Digest::of(b"index"), size: 5 };
        for (reference, name) in [
            ("registry.k8s.io/coredns/coredns:v1", "registry.k8s.io/coredns/coredns"),
            ("localhost:5000/a", "localhost:5000/a"),
        ] {
            let image = ImageSource {
                reference: reference.to_owned(),
                index: blob,
                manifest: blob,
                config: blob,
                layers: Vec::new(),
            };
            assert_eq!(digest_name(&image), format!("{name}@{}", blob.digest));
        }
    }
}
