//! A process that cannot be mistaken for a later one with the same number.

use std::os::fd::{AsFd, OwnedFd};
use std::time::{Duration, Instant};

use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use rustix::process::{Pid, PidfdFlags, Signal, pidfd_open, pidfd_send_signal};
use serde::{Deserialize, Serialize};

/// A process by number and start time.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Process {
    /// Its number in the machine's process namespace.
    pub(crate) pid: i32,
    /// Its start time, in clock ticks since the machine booted (field 22 of `/proc/PID/stat`).
    pub(crate) start: u64,
}

impl Process {
    /// The live process with that number.
    pub(crate) fn find(pid: i32) -> Option<Self> {
        Some(Self { pid, start: start_time(pid)? })
    }

    /// The calling process.
    pub(crate) fn own() -> std::io::Result<Self> {
        let pid = std::process::id().cast_signed();
        Self::find(pid).ok_or_else(|| std::io::Error::other("/proc shows no entry for the running process"))
    }

    /// Whether it still runs (a zombie does not).
    pub(crate) fn is_alive(self) -> bool {
        start_time(self.pid) == Some(self.start)
    }

    /// Ends it at once; a process that is gone is fine.
    pub(crate) fn kill(self) {
        if let Some(handle) = self.handle() {
            let _ = pidfd_send_signal(handle, Signal::KILL);
        }
    }

    /// Waits until it has ended; false when the deadline passed first.
    pub(crate) fn wait(self, deadline: Instant) -> bool {
        let Some(handle) = self.handle() else { return true };
        let left = deadline.saturating_duration_since(Instant::now());
        wait_readable(handle.as_fd(), left)
    }

    /// A handle that stays with this very process; none when it has ended.
    fn handle(self) -> Option<OwnedFd> {
        let handle = pidfd_open(Pid::from_raw(self.pid)?, PidfdFlags::empty()).ok()?;
        // Only after the handle is held the start time proves that it is the right process.
        self.is_alive().then_some(handle)
    }
}

/// Waits until a descriptor is readable; false when the time is up.
pub(crate) fn wait_readable(descriptor: std::os::fd::BorrowedFd<'_>, time: Duration) -> bool {
    let milliseconds = i32::try_from(time.as_millis()).unwrap_or(i32::MAX);
    let mut descriptors = [PollFd::new(descriptor, PollFlags::POLLIN)];
    loop {
        match poll(&mut descriptors, PollTimeout::try_from(milliseconds).unwrap_or(PollTimeout::MAX)) {
            Err(nix::Error::EINTR) => {}
            Ok(0) | Err(_) => return false,
            Ok(_) => return true,
        }
    }
}

/// Lets a moment pass before something that tells nobody of its changes is looked at again; the caller has a deadline.
pub(crate) fn look_again_after(time: Duration) {
    let milliseconds = u16::try_from(time.as_millis()).unwrap_or(u16::MAX);
    // Ends early on a signal, which does no harm.
    let _ = poll(&mut [], PollTimeout::from(milliseconds));
}

/// All processes of the machine.
pub(crate) fn all() -> Vec<i32> {
    let Ok(entries) = fs_err::read_dir("/proc") else { return Vec::new() };
    entries.filter_map(|entry| entry.ok()?.file_name().to_str()?.parse().ok()).collect()
}

fn start_time(pid: i32) -> Option<u64> {
    let stat = fs_err::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    // The program's name may hold blanks and parentheses; the fields begin after its last one.
    let mut fields = stat.rsplit_once(')')?.1.split_ascii_whitespace();
    if matches!(fields.next()?, "Z" | "X") {
        return None;
    }
    fields.nth(18)?.parse().ok()
}
