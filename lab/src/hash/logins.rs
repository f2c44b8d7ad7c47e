//! Logins that are just ending.

use std::os::fd::AsFd;
use std::time::{Duration, Instant};

use nix::sys::inotify::{AddWatchFlags, InitFlags, Inotify};

use crate::process::wait_readable;
use crate::{Error, Result, cgroup};

/// A session's end takes its manager of user services with it within this time.
const DEADLINE: Duration = Duration::from_secs(15);
/// Not all kernels tell that a cgroup went away.
const LOOK: Duration = Duration::from_millis(50);

/// Waits while a login has cgroups on the host. One that lasts is then part of the state, as it is of the host.
pub(super) fn wait_gone(name: &str) -> Result<()> {
    let deadline = Instant::now() + DEADLINE;
    let events = Inotify::init(InitFlags::IN_CLOEXEC).map_err(Error::system("watch cgroups"))?;
    loop {
        let groups = cgroup::tree(name)?;
        let of_logins = groups.iter().filter(|(_, below)| {
            let name = below.file_name().unwrap_or_default().to_string_lossy();
            name.starts_with("user-") && name.ends_with(".slice")
        });
        let mut any = false;
        for (folder, _) in of_logins {
            any = true;
            // It may go before it is watched.
            if let Some(parent) = folder.parent() {
                let _ = events.add_watch(parent, AddWatchFlags::IN_DELETE);
            }
        }
        if !any || Instant::now() > deadline {
            return Ok(());
        }
        wait_readable(events.as_fd(), LOOK);
    }
}
