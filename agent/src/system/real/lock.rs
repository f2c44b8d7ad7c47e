//! Record locks of other processes: who holds one, and waiting until it may be gone, without taking it.

use std::io;
use std::path::Path;
use std::time::{Duration, Instant};

use fs_err as fs;
use nix::fcntl::{FcntlArg, fcntl};
use nix::libc;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::inotify::{AddWatchFlags, InitFlags, Inotify};
use std::os::fd::AsFd as _;

use crate::system::FileLock;

pub(super) fn of(path: &Path) -> io::Result<FileLock> {
    let file = match fs::File::open(path) {
        Ok(file) => file,
        Err(error) if matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory) => {
            return Ok(FileLock::Free);
        }
        Err(error) => return Err(error),
    };
    // A lock for writing on the whole file: whichever lock another process holds stands in its way.
    let mut lock = libc::flock {
        l_type: kind(libc::F_WRLCK),
        l_whence: kind(libc::SEEK_SET),
        l_start: 0,
        l_len: 0,
        l_pid: 0,
    };
    fcntl(&file, FcntlArg::F_GETLK(&mut lock))?;
    if lock.l_type == kind(libc::F_UNLCK) {
        return Ok(FileLock::Free);
    }
    // 0: of another PID namespace; -1: of an open file, whoever has it (fcntl_locking(2)).
    let pid = u32::try_from(lock.l_pid).ok().filter(|pid| *pid > 0);
    Ok(pid.map_or(FileLock::Held, FileLock::HeldBy))
}

/// The constants are numbers of another width than the field on some systems.
fn kind(constant: libc::c_int) -> libc::c_short {
    libc::c_short::try_from(constant).unwrap_or_default()
}

pub(super) fn wait(path: &Path, longest: Duration) -> io::Result<()> {
    let until = Instant::now() + longest;
    let inotify = Inotify::init(InitFlags::IN_CLOEXEC | InitFlags::IN_NONBLOCK)?;
    // Whoever locks a file for writing has opened it for that, and ends the lock by closing it at the latest.
    let closed = AddWatchFlags::IN_CLOSE_WRITE | AddWatchFlags::IN_DELETE_SELF | AddWatchFlags::IN_MOVE_SELF;
    match inotify.add_watch(path, closed) {
        Ok(_) => {}
        Err(nix::Error::ENOENT) => return Ok(()),
        Err(errno) => return Err(errno.into()),
    }
    // Let go of between the caller's look and the watch.
    if of(path)? == FileLock::Free {
        return Ok(());
    }
    loop {
        let left = until.saturating_duration_since(Instant::now());
        let timeout = PollTimeout::try_from(left).unwrap_or(PollTimeout::MAX);
        match poll(&mut [PollFd::new(inotify.as_fd(), PollFlags::POLLIN)], timeout) {
            Err(nix::Error::EINTR) => {}
            Err(errno) => return Err(errno.into()),
            Ok(_) => return Ok(()),
        }
    }
}
