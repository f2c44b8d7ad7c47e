//! Work inside another network namespace, on a thread of its own.

use std::path::PathBuf;

use fs_err::File;
use nix::sched::{CloneFlags, setns};

use crate::{Error, Result};

/// The name of a lab's own namespace, the one with the bridge.
pub(crate) fn of_lab(lab: &str) -> String {
    format!("garboard-{lab}")
}

/// The name of a host's namespace; also of its container and its cgroups. A lab's name holds no dot, so the two parts stay apart.
pub(crate) fn of_host(lab: &str, host: &str) -> String {
    format!("garboard-{lab}.{host}")
}

/// The name of the namespace of a lab's router, which a lab with a home has. No host is called so.
pub(crate) fn of_router(lab: &str) -> String {
    of_host(lab, "router")
}

/// The name of the namespace of the internet behind that router.
pub(crate) fn of_internet(lab: &str) -> String {
    of_host(lab, "internet")
}

/// Where `ip netns` keeps a namespace.
pub(crate) fn path(namespace: &str) -> PathBuf {
    PathBuf::from("/run/netns").join(namespace)
}

/// Moves the calling thread into a network namespace, for good.
pub(crate) fn enter(namespace: &str) -> Result<()> {
    let file = File::open(path(namespace))?;
    setns(file, CloneFlags::CLONE_NEWNET)
        .map_err(Error::system(format!("enter the network namespace `{namespace}`")))
}

/// Runs `work` inside a network namespace. Sockets made there stay there, also after they left the thread.
pub(crate) fn inside<T: Send>(namespace: &str, work: impl FnOnce() -> Result<T> + Send) -> Result<T> {
    std::thread::scope(|scope| {
        let thread = scope.spawn(|| {
            enter(namespace)?;
            work()
        });
        match thread.join() {
            Ok(result) => result,
            Err(panic) => std::panic::resume_unwind(panic),
        }
    })
}
