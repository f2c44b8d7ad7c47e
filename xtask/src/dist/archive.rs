//! A tar archive that is the same for the same files: sorted, of one time, nobody's.

use flate2::{Compression, GzBuilder};
use tar::{Builder, EntryType, Header};

/// A file for an archive.
#[derive(Clone)]
pub(super) struct Entry {
    /// Below the archive's folder.
    pub(super) path: String,
    pub(super) mode: u32,
    pub(super) content: Vec<u8>,
}

/// An archive, finished.
#[derive(PartialEq, Eq)]
pub(super) struct Packed {
    /// `NAME.tar.gz`.
    pub(super) name: String,
    pub(super) bytes: Vec<u8>,
}

/// Packs the files below a folder called `name`. `time` in seconds since 1970.
pub(super) fn pack(name: &str, mut entries: Vec<Entry>, time: u64) -> anyhow::Result<Packed> {
    entries.sort_by(|one, other| one.path.cmp(&other.path));
    // No name and no time in gzip's own header either.
    let mut archive = Builder::new(GzBuilder::new().mtime(0).write(Vec::new(), Compression::best()));
    for entry in entries {
        let mut header = Header::new_ustar();
        header.set_entry_type(EntryType::Regular);
        header.set_mode(entry.mode);
        header.set_uid(0);
        header.set_gid(0);
        header.set_mtime(time);
        header.set_size(u64::try_from(entry.content.len())?);
        archive.append_data(&mut header, format!("{name}/{}", entry.path), &entry.content[..])?;
    }
    let bytes = archive.into_inner()?.finish()?;
    Ok(Packed { name: format!("{name}.tar.gz"), bytes })
}

#[cfg(test)]
mod tests {
    use flate2::read::GzDecoder;
    use tar::Archive;

    use super::{Entry, pack};

    fn entry(path: &str, mode: u32) -> Entry {
        Entry { path: path.to_owned(), mode, content: path.as_bytes().to_vec() }
    }

    #[test]
    fn the_order_in_which_files_come_does_not_matter() {
        let one = pack("garboard-1", vec![entry("b", 0o644), entry("a/c", 0o755)], 1_700_000_000).unwrap();
        let other = pack("garboard-1", vec![entry("a/c", 0o755), entry("b", 0o644)], 1_700_000_000).unwrap();
        assert!(one == other);
    }

    #[test]
    fn every_file_is_of_the_commits_time_and_of_root() {
        let packed = pack("garboard-1", vec![entry("b", 0o644), entry("a/c", 0o755)], 1_700_000_000).unwrap();
        assert_eq!(packed.name, "garboard-1.tar.gz");
        let mut archive = Archive::new(GzDecoder::new(&packed.bytes[..]));
        let found: Vec<_> = archive
            .entries()
            .unwrap()
            .map(|entry| {
                let entry = entry.unwrap();
                let header = entry.header();
                assert_eq!((header.uid().unwrap(), header.gid().unwrap()), (0, 0));
                assert_eq!(header.mtime().unwrap(), 1_700_000_000);
                (entry.path().unwrap().display().to_string(), header.mode().unwrap())
            })
            .collect();
        assert_eq!(found, [("garboard-1/a/c".to_owned(), 0o755), ("garboard-1/b".to_owned(), 0o644)]);
        // Bytes 4 to 7 of a gzip header are its time (RFC 1952).
        assert_eq!(packed.bytes[4..8], [0; 4]);
    }
}
