//! The file trees of a host.

use std::collections::BTreeMap;
use std::io::Read as _;
use std::os::unix::fs::{FileTypeExt as _, MetadataExt as _};
use std::path::{Path, PathBuf};

use fs_err::File;
use sha2::{Digest as _, Sha256};

use super::{Fact, mounts::Mount};
use crate::base::hex;
use crate::record::write_json;
use crate::{Error, Lab, Result, base};

/// The file systems whose content is a host's own; all others are the kernel's, or mounted by what the section of mounts shows.
const TREES: [&str; 9] = [
    "/",
    "/dev",
    "/dev/shm",
    "/run",
    "/run/lock",
    "/tmp",
    "/var/lib/containerd",
    "/var/lib/kubelet",
    "/var/lib/etcd",
];

/// A file system, or a part of one, that is a host's own.
#[derive(Debug, Clone)]
pub(crate) struct Tree {
    /// Where the host has it mounted.
    pub(crate) point: PathBuf,
    /// Whether the rest of the file system is this machine's.
    pub(crate) is_shared: bool,
    /// Where other mounts lie on the host.
    mounts: Vec<PathBuf>,
}

impl Tree {
    /// Its path from here.
    pub(crate) fn below(&self, root: &Path) -> PathBuf {
        root.join(self.point.strip_prefix("/").unwrap_or(&self.point))
    }

    /// All its folders, as the host names them and as we reach them.
    pub(crate) fn folders(&self, root: &Path) -> Vec<(PathBuf, PathBuf)> {
        let mut found = vec![(self.point.clone(), self.below(root))];
        let mut next = 0;
        while let Some((path, real)) = found.get(next).cloned() {
            next += 1;
            // It may be gone since its parent was read.
            let Ok(entries) = fs_err::read_dir(&real) else { continue };
            for entry in entries.flatten() {
                let path = path.join(entry.file_name());
                if entry.file_type().is_ok_and(|kind| kind.is_dir()) && !self.mounts.contains(&path) {
                    found.push((path, entry.path()));
                }
            }
        }
        found
    }
}

/// The trees that a host has mounted.
pub(crate) fn own_trees(leader: i32) -> Result<Vec<Tree>> {
    let mounts = super::mounts::read(leader)?;
    let points: Vec<PathBuf> = mounts.iter().map(|mount| PathBuf::from(&mount.point)).collect();
    let own = TREES.iter().map(Path::new).filter(|tree| points.iter().any(|point| point == tree));
    let tree = |point: &Path| Tree {
        point: point.to_owned(),
        is_shared: point.starts_with("/var/lib"),
        mounts: points.clone(),
    };
    Ok(own.map(tree).collect())
}

/// One fact a file: kind, mode, owner, and the digest of its content or its target. No times, no sizes.
pub(super) fn read(lab: &Lab, host: &str, leader: i32, mounts: &[Mount]) -> Result<Vec<Fact>> {
    let folder = lab.places.host(lab.name(), host);
    let mut walk = Walk {
        root: PathBuf::from(format!("/proc/{leader}/root")),
        upper: folder.join("upper"),
        image: image_digests(lab, host)?,
        mounts,
        facts: Vec::new(),
    };
    walk.visit(Path::new("/"))?;
    Ok(walk.facts)
}

struct Walk<'a> {
    root: PathBuf,
    /// The part of the root that differs from the base image.
    upper: PathBuf,
    /// Path to digest of the base image's files.
    image: BTreeMap<String, String>,
    mounts: &'a [Mount],
    facts: Vec<Fact>,
}

impl Walk<'_> {
    fn visit(&mut self, path: &Path) -> Result<()> {
        let real = self.root.join(path.strip_prefix("/").unwrap_or(path));
        let metadata = match fs_err::symlink_metadata(&real) {
            Ok(metadata) => metadata,
            // Gone since its folder was read.
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(()),
            Err(error) => return Err(error.into()),
        };
        let kind = metadata.file_type();
        let (word, content) = if kind.is_dir() {
            ("folder", String::new())
        } else if kind.is_symlink() {
            ("link", fs_err::read_link(&real)?.to_string_lossy().into_owned())
        } else if kind.is_file() && self.is_mounted(path) {
            // Of another file system, as a network namespace held by its name is: there may be nothing to read, and the
            // section of mounts tells what it is.
            ("mounted file", String::new())
        } else if kind.is_file() {
            ("file", self.digest(path, &real)?)
        } else if kind.is_fifo() {
            ("fifo", String::new())
        } else if kind.is_socket() {
            ("socket", String::new())
        } else {
            ("device", format!("{:x}", metadata.rdev()))
        };
        let mode = metadata.mode() & 0o7777;
        let value = format!("{word} {mode:04o} {}:{} {content}", metadata.uid(), metadata.gid());
        self.facts.push(Fact::new("tree", path.to_string_lossy(), value));
        if kind.is_dir() && self.is_own(path) {
            for entry in fs_err::read_dir(&real)? {
                self.visit(&path.join(entry?.file_name()))?;
            }
        }
        Ok(())
    }

    /// Whether a folder's content belongs to the host: it is no mount point, or one of its own trees.
    fn is_own(&self, path: &Path) -> bool {
        !self.is_mounted(path) || TREES.iter().any(|tree| Path::new(tree) == path)
    }

    fn is_mounted(&self, path: &Path) -> bool {
        self.mounts.iter().any(|mount| Path::new(&mount.point) == path)
    }

    fn digest(&self, path: &Path, real: &Path) -> Result<String> {
        // A file of the root that is not in the overlay's upper part is the image's.
        let below = path.strip_prefix("/").unwrap_or(path);
        if let Some(digest) = self.image.get(&*path.to_string_lossy())
            && fs_err::symlink_metadata(self.upper.join(below)).is_err()
        {
            return Ok(digest.clone());
        }
        match digest(real) {
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(String::new()),
            other => Ok(other?),
        }
    }
}

/// The digests of the files of a host's base image: computed once and kept beside it.
fn image_digests(lab: &Lab, host: &str) -> Result<BTreeMap<String, String>> {
    let root = base::root(&lab.places, lab.record.base(lab.host(host)?)?);
    let kept = root.with_file_name("digests.json");
    match fs_err::read(&kept) {
        Ok(bytes) => {
            return serde_json::from_slice(&bytes).map_err(|source| Error::Damaged { path: kept, source });
        }
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {}
        Err(error) => return Err(error.into()),
    }
    let mut digests = BTreeMap::new();
    collect(&root, &root, &mut digests)?;
    write_json(&kept, &digests)?;
    Ok(digests)
}

fn collect(root: &Path, folder: &Path, digests: &mut BTreeMap<String, String>) -> Result<()> {
    for entry in fs_err::read_dir(folder)? {
        let entry = entry?;
        let kind = entry.file_type()?;
        if kind.is_dir() {
            collect(root, &entry.path(), digests)?;
        } else if kind.is_file() {
            let path = entry.path();
            let below = path.strip_prefix(root).unwrap_or(&path);
            digests.insert(format!("/{}", below.display()), digest(&entry.path())?);
        }
    }
    Ok(())
}

/// The SHA-256 of a file's content.
pub(crate) fn digest(path: &Path) -> std::io::Result<String> {
    let mut file = File::open(path)?;
    let mut digest = Sha256::new();
    let mut buffer = vec![0; 128 * 1024];
    loop {
        match file.read(&mut buffer)? {
            0 => return Ok(hex(&digest.finalize())),
            length => digest.update(&buffer[..length]),
        }
    }
}
