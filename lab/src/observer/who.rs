//! Whose doing an event is.

use std::collections::HashMap;
use std::sync::Mutex;
use std::time::Instant;

use super::events::lock;

/// A process as it was when we last saw it.
#[derive(Debug, Clone, Default)]
pub(super) struct Doer {
    pub(super) program: String,
    pub(super) cgroup: String,
}

/// What is known of the host's processes: events arrive after the fact, when a short-lived one may be gone.
pub(super) struct Who {
    /// The name of the host's cgroups.
    host: String,
    began: Instant,
    seen: Mutex<HashMap<i32, Doer>>,
}

impl Who {
    pub(super) fn new(host: String) -> Self {
        Self { host, began: Instant::now(), seen: Mutex::default() }
    }

    /// Microseconds since the watch began.
    pub(super) fn now(&self) -> u128 {
        self.began.elapsed().as_micros()
    }

    /// Looks at a process that is held in the middle of a system call, and remembers it.
    pub(super) fn look(&self, pid: i32) -> Doer {
        let doer = Doer {
            program: fs_err::read_link(format!("/proc/{pid}/exe"))
                .map(|path| path.to_string_lossy().into_owned())
                .unwrap_or_default(),
            cgroup: self.cgroup(pid),
        };
        lock(&self.seen).insert(pid, doer.clone());
        doer
    }

    /// Remembers that a process becomes another program.
    pub(super) fn becomes(&self, pid: i32, program: String) {
        let cgroup = self.cgroup(pid);
        lock(&self.seen).insert(pid, Doer { program, cgroup });
    }

    /// A process that did something a moment ago: as last seen, or as it is now.
    pub(super) fn doer(&self, pid: i32) -> Doer {
        if let Some(doer) = lock(&self.seen).get(&pid) {
            return doer.clone();
        }
        self.look(pid)
    }

    /// The cgroup in systemd's hierarchy, without the part that is this machine's.
    fn cgroup(&self, pid: i32) -> String {
        let membership = fs_err::read_to_string(format!("/proc/{pid}/cgroup")).unwrap_or_default();
        let path = membership
            .lines()
            .find_map(|line| line.split_once(":name=systemd:"))
            .or_else(|| membership.lines().find_map(|line| line.split_once("0::")))
            .map(|(_, path)| path)
            .unwrap_or_default();
        let own = path.strip_prefix('/').and_then(|path| path.strip_prefix(&self.host));
        // systemd-nspawn puts the host's own root one below.
        own.map_or(path, |own| own.strip_prefix("/payload").unwrap_or(own)).to_owned()
    }
}
