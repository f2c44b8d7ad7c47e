//! Logins that are just ending.

use std::time::{Duration, Instant};

use crate::process::look_again_after;
use crate::{Result, cgroup};

/// A session's end takes its manager of user services with it within this time.
const DEADLINE: Duration = Duration::from_secs(15);
/// Not all kernels tell that a cgroup went away.
const LOOK: Duration = Duration::from_millis(25);

/// Waits while a login has cgroups on the host. One that lasts is then part of the state, as it is of the host.
pub(super) fn wait_gone(name: &str) -> Result<()> {
    let deadline = Instant::now() + DEADLINE;
    loop {
        let any = cgroup::tree(name)?.iter().any(|(_, below)| {
            let name = below.file_name().unwrap_or_default().to_string_lossy();
            name.starts_with("user-") && name.ends_with(".slice")
        });
        if !any || Instant::now() > deadline {
            return Ok(());
        }
        look_again_after(LOOK);
    }
}
