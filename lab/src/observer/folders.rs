//! Which folder an event is about: the kernel names it by a file handle.

use std::collections::HashMap;
use std::path::{Path, PathBuf};

use nix::sys::inotify::{AddWatchFlags, InitFlags, Inotify};

use super::record::Handle;
use crate::hash::Tree;
use crate::{Result, limits};

/// The folders of a host by their handles. Each knows its parent, so that a rename moves all below it.
#[derive(Default)]
pub(super) struct Folders {
    places: HashMap<Handle, Place>,
}

struct Place {
    parent: Option<Handle>,
    /// The name in the parent; the whole path where there is none.
    name: String,
}

impl Folders {
    /// All folders of these trees.
    pub(super) fn of(root: &Path, trees: &[&Tree]) -> Result<Self> {
        // To be told a folder's handle by the kernel in a way that needs no unsafe call: a watch on the folder, which is
        // listed with its handle in /proc/self/fdinfo.
        let watches = Inotify::init(InitFlags::IN_CLOEXEC).map_err(limits::of_inotify)?;
        let mut paths = HashMap::new();
        for tree in trees {
            for (path, real) in tree.folders(root) {
                let flags =
                    AddWatchFlags::IN_DELETE_SELF | AddWatchFlags::IN_ONLYDIR | AddWatchFlags::IN_DONT_FOLLOW;
                // It may be gone by now; then nothing happens in it.
                if let Ok(watch) = watches.add_watch(&real, flags) {
                    paths.insert(watch.as_raw(), path);
                }
            }
        }
        let mut places = HashMap::new();
        for (watch, handle) in listed_handles(&watches)? {
            if let Some(path) = paths.remove(&watch) {
                places.insert(handle, Place { parent: None, name: path.to_string_lossy().into_owned() });
            }
        }
        Ok(Self { places })
    }

    /// The path of a folder, if it is one of ours.
    pub(super) fn path(&self, handle: &Handle) -> Option<PathBuf> {
        let mut names = Vec::new();
        let mut place = self.places.get(handle)?;
        // A cycle cannot be: each step goes to a folder that was there before. The limit is for a lie of the kernel's.
        for _ in 0..4096 {
            names.push(place.name.as_str());
            match &place.parent {
                None => return Some(names.iter().rev().collect()),
                Some(parent) => place = self.places.get(parent)?,
            }
        }
        None
    }

    /// A folder came to be, or got another name.
    pub(super) fn put(&mut self, handle: Handle, parent: Handle, name: String) {
        self.places.insert(handle, Place { parent: Some(parent), name });
    }

    /// How many are known.
    #[cfg(test)]
    pub(super) fn len(&self) -> usize {
        self.places.len()
    }
}

/// Watch number and handle of each watch of an inotify instance.
fn listed_handles(watches: &Inotify) -> Result<Vec<(i32, Handle)>> {
    use std::os::fd::{AsFd as _, AsRawFd as _};
    let listing = fs_err::read_to_string(format!("/proc/self/fdinfo/{}", watches.as_fd().as_raw_fd()))?;
    Ok(listing.lines().filter_map(parse).collect())
}

/// `inotify wd:3 ino:9e7e sdev:800013 mask:800afce ignored_mask:0 fhandle-bytes:8 fhandle-type:1 f_handle:7e9e0000640d1b6d`
fn parse(line: &str) -> Option<(i32, Handle)> {
    let field = |name: &str| {
        line.split_ascii_whitespace().find_map(|word| word.strip_prefix(name)?.strip_prefix(':'))
    };
    let watch = i32::from_str_radix(field("wd")?, 16).ok()?;
    let kind = i32::from_str_radix(field("fhandle-type")?, 16).ok()?;
    let digits = field("f_handle")?;
    let bytes = (0..digits.len() / 2).map(|at| u8::from_str_radix(digits.get(2 * at..2 * at + 2)?, 16).ok());
    Some((watch, Handle { kind, bytes: bytes.collect::<Option<_>>()? }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_kernels_listing_of_a_watch_is_read() {
        let line = "inotify wd:1f ino:9e7e sdev:800013 mask:800afce ignored_mask:0 fhandle-bytes:8 fhandle-type:1 f_handle:7e9e0000640d1b6d";
        let bytes = vec![0x7e, 0x9e, 0, 0, 0x64, 0x0d, 0x1b, 0x6d];
        assert_eq!(parse(line), Some((31, Handle { kind: 1, bytes })));
    }

    #[test]
    fn a_renamed_folder_takes_those_below_it_along() {
        let handle = |number: u8| Handle { kind: 1, bytes: vec![number] };
        let mut folders = Folders::default();
        folders.places.insert(handle(0), Place { parent: None, name: "/".into() });
        folders.put(handle(1), handle(0), "a".into());
        folders.put(handle(2), handle(1), "b".into());
        assert_eq!(folders.path(&handle(2)), Some("/a/b".into()));
        folders.put(handle(1), handle(0), "c".into());
        assert_eq!(folders.path(&handle(2)), Some("/c/b".into()));
        assert_eq!(folders.path(&handle(9)), None);
        assert_eq!(folders.len(), 3);
    }
}
