//! Archives whose bytes depend on their content only: no times, no owners, a fixed order and compression.

use std::io::{BufWriter, Read, Write};
use std::path::Path;

use flate2::write::GzEncoder;
use flate2::{Compression, GzBuilder};
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

/// What identifies content.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Content {
    /// SHA-256, 64 lower-case hexadecimal digits.
    pub(super) sha256: String,
    /// Bytes.
    pub(super) size: u64,
}

/// A finished archive.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Packed {
    /// The gzipped archive.
    pub(super) compressed: Content,
    /// The tar within, which an image's configuration names.
    pub(super) unpacked: Content,
}

/// Passes bytes on and keeps count.
struct Hashing<W> {
    inner: W,
    hash: Sha256,
    size: u64,
}

impl<W> Hashing<W> {
    fn new(inner: W) -> Self {
        Self { inner, hash: Sha256::new(), size: 0 }
    }

    fn finish(self) -> (W, Content) {
        (self.inner, Content { sha256: hex(&self.hash.finalize()), size: self.size })
    }
}

impl<W: Write> Write for Hashing<W> {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        let written = self.inner.write(bytes)?;
        self.hash.update(&bytes[..written]);
        self.size += written as u64;
        Ok(written)
    }

    fn flush(&mut self) -> std::io::Result<()> {
        self.inner.flush()
    }
}

type Compressed = GzEncoder<Hashing<BufWriter<fs_err::File>>>;

/// A gzipped tar in the making.
pub(super) struct Archive {
    tar: tar::Builder<Hashing<Compressed>>,
}

impl Archive {
    /// Starts a new file.
    pub(super) fn create(path: &Path) -> std::io::Result<Self> {
        let file = Hashing::new(BufWriter::new(fs_err::File::create(path)?));
        let gzip = GzBuilder::new().mtime(0).operating_system(255).write(file, Compression::default());
        Ok(Self { tar: tar::Builder::new(Hashing::new(gzip)) })
    }

    /// Adds a folder.
    pub(super) fn directory(&mut self, name: &str, mode: u32) -> std::io::Result<()> {
        let mut header = header(tar::EntryType::Directory, mode, 0);
        self.append(&mut header, name, std::io::empty())
    }

    /// Adds a file of exactly `size` bytes.
    pub(super) fn file(
        &mut self,
        name: &str,
        mode: u32,
        size: u64,
        content: impl Read,
    ) -> std::io::Result<()> {
        let mut header = header(tar::EntryType::Regular, mode, size);
        self.append(&mut header, name, content)
    }

    /// Adds a program from disk, executable.
    pub(super) fn program(&mut self, name: &str, path: &Path) -> std::io::Result<()> {
        let file = fs_err::File::open(path)?;
        let size = file.metadata()?.len();
        self.file(name, 0o755, size, file)
    }

    /// Adds a symbolic (or hard) link.
    pub(super) fn link(
        &mut self,
        kind: tar::EntryType,
        name: &str,
        target: impl AsRef<Path>,
    ) -> std::io::Result<()> {
        let mut header = header(kind, 0o777, 0);
        header.set_link_name_literal(target.as_ref().as_os_str().as_encoded_bytes())?;
        self.append(&mut header, name, std::io::empty())
    }

    /// Closes the file and tells what it holds.
    pub(super) fn finish(self) -> std::io::Result<Packed> {
        let (gzip, unpacked) = self.tar.into_inner()?.finish();
        let (mut file, compressed) = gzip.finish()?.finish();
        file.flush()?;
        Ok(Packed { compressed, unpacked })
    }

    /// Names are kept as given (`./bridge` stays so, as upstream has it); the library would normalise them.
    fn append(&mut self, header: &mut tar::Header, name: &str, content: impl Read) -> std::io::Result<()> {
        let mut field = [0_u8; 100];
        let Some(place) = field.get_mut(..name.len()) else {
            return self.tar.append_data(header, name, content);
        };
        place.copy_from_slice(name.as_bytes());
        header.as_old_mut().name = field;
        header.set_cksum();
        self.tar.append(header, content)
    }
}

fn header(kind: tar::EntryType, mode: u32, size: u64) -> tar::Header {
    let mut header = tar::Header::new_gnu();
    header.set_entry_type(kind);
    header.set_mode(mode);
    header.set_size(size);
    header.set_uid(0);
    header.set_gid(0);
    header.set_mtime(0);
    header
}

/// What a file on disk holds.
pub(super) fn content_of(path: &Path) -> std::io::Result<Content> {
    let mut hashing = Hashing::new(std::io::sink());
    std::io::copy(&mut fs_err::File::open(path)?, &mut hashing)?;
    Ok(hashing.finish().1)
}

/// What some bytes in memory are.
pub(super) fn content_of_bytes(bytes: &[u8]) -> Content {
    Content { sha256: hex(&Sha256::digest(bytes)), size: bytes.len() as u64 }
}

/// Lower-case hexadecimal digits.
pub(super) fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::with_capacity(bytes.len() * 2), |mut text, byte| {
        for nibble in [byte >> 4, byte & 0xf] {
            text.extend(char::from_digit(nibble.into(), 16));
        }
        text
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Longer than the header's field.
    fn long() -> String {
        format!("{}deep", "long/".repeat(30))
    }

    fn pack(path: &Path) -> Packed {
        let mut archive = Archive::create(path).unwrap();
        archive.directory("bin", 0o755).unwrap();
        archive.file("./bin/tool", 0o755, 4, &b"tool"[..]).unwrap();
        archive.link(tar::EntryType::Symlink, "bin/alias", "tool").unwrap();
        archive.file(&long(), 0o644, 1, &b"x"[..]).unwrap();
        archive.finish().unwrap()
    }

    #[test]
    fn the_same_members_give_the_same_bytes_and_the_digests_are_of_the_file() {
        let place = tempfile::tempdir().unwrap();
        let (first, second) = (place.path().join("first"), place.path().join("second"));
        let packed = pack(&first);
        assert_eq!(packed, pack(&second));
        assert_eq!(fs_err::read(&first).unwrap(), fs_err::read(&second).unwrap());
        assert_eq!(packed.compressed, content_of(&first).unwrap());
    }

    #[test]
    fn members_keep_their_names_and_links() {
        let place = tempfile::tempdir().unwrap();
        pack(&place.path().join("archive"));
        let file = fs_err::File::open(place.path().join("archive")).unwrap();
        let mut tar = tar::Archive::new(flate2::read::GzDecoder::new(file));
        let members: Vec<_> = tar
            .entries()
            .unwrap()
            .map(|entry| {
                let entry = entry.unwrap();
                let target = entry.link_name_bytes().map(|name| String::from_utf8_lossy(&name).into_owned());
                (
                    String::from_utf8_lossy(&entry.path_bytes()).into_owned(),
                    target,
                    entry.header().mtime().unwrap(),
                )
            })
            .collect();
        assert_eq!(members[1], ("./bin/tool".to_owned(), None, 0));
        assert_eq!(members[2], ("bin/alias".to_owned(), Some("tool".to_owned()), 0));
        assert_eq!(members[3].0, long());
    }
}
