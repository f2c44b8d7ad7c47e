//! Every program executed on a host.

use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::path::Path;
use std::sync::Arc;

use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::fanotify::{
    EventFFlags, Fanotify, FanotifyResponse, InitFlags, MarkFlags, MaskFlags, Response,
};

use super::changes::refused;
use super::event::{Event, Kind};
use super::events::Events;
use super::who::Who;
use crate::hash::Tree;
use crate::{Error, Result};

/// A watch on executions and opens. The kernel holds a process until we answer, so that we can look at it while it is there.
pub(super) struct Programs {
    group: Fanotify,
    who: Arc<Who>,
    events: Arc<Events>,
}

impl Programs {
    pub(super) fn watch(root: &Path, trees: &[Tree], who: Arc<Who>, events: Arc<Events>) -> Result<Self> {
        let flags = InitFlags::FAN_CLASS_CONTENT
            | InitFlags::FAN_CLOEXEC
            | InitFlags::FAN_UNLIMITED_QUEUE
            | InitFlags::FAN_UNLIMITED_MARKS;
        let file_flags = EventFFlags::O_RDONLY | EventFFlags::O_LARGEFILE | EventFFlags::O_CLOEXEC;
        let group =
            Fanotify::init(flags, file_flags).map_err(Error::system("watch executions (fanotify_init)"))?;
        let mask = MaskFlags::FAN_OPEN_EXEC_PERM | MaskFlags::FAN_OPEN_PERM;
        for tree in trees {
            // A folder of this machine's file system is watched as a mount: others' opens must not wait for us.
            let scope =
                if tree.is_shared { MarkFlags::FAN_MARK_MOUNT } else { MarkFlags::FAN_MARK_FILESYSTEM };
            let path = tree.below(root);
            group
                .mark(MarkFlags::FAN_MARK_ADD | scope, mask, nix::fcntl::AT_FDCWD, Some(&path))
                .map_err(refused(&path))?;
        }
        Ok(Self { group, who, events })
    }

    /// Answers until `stop` is closed.
    pub(super) fn run(self, stop: &OwnedFd) -> Result<()> {
        loop {
            let mut descriptors = [
                PollFd::new(self.group.as_fd(), PollFlags::POLLIN),
                PollFd::new(stop.as_fd(), PollFlags::POLLIN),
            ];
            match poll(&mut descriptors, PollTimeout::NONE) {
                Ok(_) | Err(nix::Error::EINTR) => {}
                Err(source) => return Err(Error::System { action: "wait for executions".into(), source }),
            }
            let [group, stop] = descriptors.map(|descriptor| descriptor.any().unwrap_or_default());
            if group {
                self.answer()?;
            } else if stop {
                return Ok(());
            }
        }
    }

    fn answer(&self) -> Result<()> {
        // A file that cannot be opened for us is an error that concerns this one event, and the kernel has answered it.
        let Ok(events) = self.group.read_events() else { return Ok(()) };
        for event in events {
            let Some(file) = event.fd() else { continue };
            let pid = event.pid();
            if event.mask().contains(MaskFlags::FAN_OPEN_EXEC_PERM) {
                let path = path_of(file);
                // The loader of shared libraries is opened in the same way, after the program.
                if is_loader(&path) {
                    self.allow(file)?;
                    continue;
                }
                let before = self.who.look(pid);
                self.who.becomes(pid, path.clone());
                self.events.push(Event {
                    at: self.who.now(),
                    kind: Kind::Execute,
                    path,
                    from: None,
                    pid,
                    program: before.program,
                    cgroup: before.cgroup,
                });
            } else {
                self.who.look(pid);
            }
            self.allow(file)?;
        }
        Ok(())
    }

    fn allow(&self, file: BorrowedFd<'_>) -> Result<()> {
        let response = FanotifyResponse::new(file, Response::FAN_ALLOW);
        self.group.write_response(response).map_err(Error::system("let a process on the host go on"))
    }
}

fn is_loader(path: &str) -> bool {
    path.rsplit('/').next().is_some_and(|name| name.starts_with("ld-linux") || name.starts_with("ld-musl"))
}

fn path_of(file: BorrowedFd<'_>) -> String {
    use std::os::fd::AsRawFd as _;
    let link = format!("/proc/self/fd/{}", file.as_raw_fd());
    fs_err::read_link(link).map_or_else(|_| "?".into(), |path| path.to_string_lossy().into_owned())
}
