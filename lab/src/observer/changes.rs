//! Every change in a host's file systems.

use std::os::fd::{AsFd, OwnedFd};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::fanotify::{EventFFlags, Fanotify, InitFlags, MarkFlags, MaskFlags};

use super::event::{Event, Kind};
use super::events::Events;
use super::folders::Folders;
use super::record::{Handle, Record, parse};
use super::who::Who;
use crate::hash::Tree;
use crate::{Error, Result};

/// `FAN_REPORT_FID | FAN_REPORT_DIR_FID | FAN_REPORT_NAME | FAN_REPORT_TARGET_FID`
const REPORT: u32 = 0x200 | 0x400 | 0x800 | 0x1000;

/// A watch on changes.
pub(super) struct Changes {
    group: Fanotify,
    folders: Folders,
    /// Whether the file system holds other things than the host's, of which nothing is told.
    is_shared: bool,
    who: Arc<Who>,
    events: Arc<Events>,
}

impl Changes {
    /// Watches the file systems that are the host's alone.
    pub(super) fn watch_own(root: &Path, trees: &[Tree], who: Arc<Who>, events: Arc<Events>) -> Result<Self> {
        Self::watch(root, trees, false, who, events)
    }

    /// Watches the folders of this machine's file system that the host has mounted.
    pub(super) fn watch_shared(
        root: &Path,
        trees: &[Tree],
        who: Arc<Who>,
        events: Arc<Events>,
    ) -> Result<Self> {
        Self::watch(root, trees, true, who, events)
    }

    fn watch(
        root: &Path,
        trees: &[Tree],
        is_shared: bool,
        who: Arc<Who>,
        events: Arc<Events>,
    ) -> Result<Self> {
        let flags = InitFlags::FAN_CLASS_NOTIF
            | InitFlags::FAN_CLOEXEC
            | InitFlags::FAN_NONBLOCK
            | InitFlags::FAN_UNLIMITED_QUEUE
            | InitFlags::FAN_UNLIMITED_MARKS
            | InitFlags::from_bits_retain(REPORT);
        let group = Fanotify::init(flags, EventFFlags::O_RDONLY)
            .map_err(Error::system("watch changes (fanotify_init)"))?;
        let mask = MaskFlags::FAN_CREATE
            | MaskFlags::FAN_DELETE
            | MaskFlags::FAN_RENAME
            | MaskFlags::FAN_MODIFY
            | MaskFlags::FAN_CLOSE_WRITE
            | MaskFlags::FAN_ATTRIB
            | MaskFlags::FAN_ONDIR;
        let trees: Vec<&Tree> = trees.iter().filter(|tree| tree.is_shared == is_shared).collect();
        for tree in &trees {
            let path = tree.below(root);
            let flags = MarkFlags::FAN_MARK_ADD | MarkFlags::FAN_MARK_FILESYSTEM;
            group.mark(flags, mask, nix::fcntl::AT_FDCWD, Some(&path)).map_err(refused(&path))?;
        }
        // Listed after the watch began: a folder made in between is in both, one made earlier is not missed.
        let folders = Folders::of(root, &trees)?;
        Ok(Self { group, folders, is_shared, who, events })
    }

    /// Reads events until `stop` is closed, and then those that are there.
    pub(super) fn run(mut self, stop: &OwnedFd) -> Result<()> {
        let mut buffer = vec![0; 256 * 1024];
        loop {
            let mut descriptors = [
                PollFd::new(self.group.as_fd(), PollFlags::POLLIN),
                PollFd::new(stop.as_fd(), PollFlags::POLLIN),
            ];
            match poll(&mut descriptors, PollTimeout::NONE) {
                Ok(_) | Err(nix::Error::EINTR) => {}
                Err(source) => return Err(Error::System { action: "wait for changes".into(), source }),
            }
            let stopped = descriptors[1].any().unwrap_or_default();
            loop {
                let length = match nix::unistd::read(&self.group, &mut buffer) {
                    Ok(length) => length,
                    Err(nix::Error::EAGAIN) => break,
                    Err(nix::Error::EINTR) => continue,
                    Err(source) => {
                        return Err(Error::System { action: "read changes (fanotify)".into(), source });
                    }
                };
                for record in parse(&buffer[..length]) {
                    self.take(record)?;
                }
            }
            if stopped {
                return Ok(());
            }
        }
    }

    fn take(&mut self, record: Record) -> Result<()> {
        let mask = MaskFlags::from_bits_retain(record.mask);
        if mask.contains(MaskFlags::FAN_Q_OVERFLOW) {
            return Err(Error::Refused { message: "the watch missed events: too many at once".into() });
        }
        let is_folder = mask.contains(MaskFlags::FAN_ONDIR);
        let Some((folder, name)) = record.place else { return Ok(()) };
        let Some(path) = self.name(&folder, &name) else { return Ok(()) };
        let new_path = record.new_place.as_ref().and_then(|(folder, name)| self.name(folder, name));
        if is_folder && let Some(target) = record.target {
            // From now on things may happen in it.
            if let Some((folder, name)) = record.new_place {
                self.folders.put(target, folder, name);
            } else if mask.contains(MaskFlags::FAN_CREATE) {
                self.folders.put(target, folder, name);
            }
        }
        let doer = self.who.doer(record.pid);
        // The kernel merges events of one process on one thing; each becomes one of ours, in the order of a file's life.
        let kinds = [
            (MaskFlags::FAN_CREATE, Kind::Create),
            (MaskFlags::FAN_MODIFY | MaskFlags::FAN_CLOSE_WRITE, Kind::Write),
            (MaskFlags::FAN_ATTRIB, Kind::Attributes),
            (MaskFlags::FAN_RENAME, Kind::Rename),
            (MaskFlags::FAN_DELETE, Kind::Delete),
        ];
        for (bits, kind) in kinds {
            // What is written to a device goes to the device; no file changes.
            let to_device =
                kind == Kind::Write && path.starts_with("/dev/") && !path.starts_with("/dev/shm/");
            if !mask.intersects(bits) || to_device {
                continue;
            }
            let (path, from) = match (&new_path, kind) {
                (Some(new), Kind::Rename) => (new.clone(), Some(path.clone())),
                _ => (path.clone(), None),
            };
            self.events.push(Event {
                at: self.who.now(),
                kind,
                path,
                from,
                pid: record.pid,
                program: doer.program.clone(),
                cgroup: doer.cgroup.clone(),
            });
        }
        Ok(())
    }

    /// The path of a name in a folder; none for what is not the host's.
    fn name(&self, folder: &Handle, name: &str) -> Option<String> {
        let folder = match self.folders.path(folder) {
            Some(folder) => folder,
            None if self.is_shared => return None,
            None => PathBuf::from("?"),
        };
        // An event on a folder itself names it `.`.
        let path = if name == "." || name.is_empty() { folder } else { folder.join(name) };
        Some(path.to_string_lossy().into_owned())
    }
}

/// An adapter for `map_err`: the kernel does not let us watch there.
pub(super) fn refused(path: &Path) -> impl FnOnce(nix::Error) -> Error {
    Error::system(format!("watch `{}` (fanotify_mark)", path.display()))
}
