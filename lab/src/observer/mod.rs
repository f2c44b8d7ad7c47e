//! Watching a host from outside: every change in its file systems and every program executed on it, with who did it.
//!
//! fanotify(7) tells it, so that nothing runs on the host for the sake of being watched. Watched are the file systems that
//! are the host's own (its root, `/run`, `/tmp`, …) as they are mounted when the watch begins; a reboot ends them, and the watch
//! with them.

mod changes;
mod event;
mod events;
mod folders;
mod programs;
mod record;
mod who;

use std::path::PathBuf;
use std::sync::Arc;

use nix::unistd::pipe;

pub use event::{Event, Kind};

use crate::{Error, Lab, Result, hash, namespace};

/// A watch that is going on. Dropping it ends it.
pub struct Observer {
    /// Closed to end the watch: both threads wait for it beside their events.
    stop: Option<std::os::fd::OwnedFd>,
    threads: Vec<std::thread::JoinHandle<Result<()>>>,
    events: Arc<events::Events>,
}

impl Observer {
    /// Begins to watch a host; what happens after the return is seen.
    ///
    /// # Errors
    /// When the host is a virtual machine or off, or this kernel refuses fanotify on its file systems.
    pub fn start(lab: &Lab, host: &str) -> Result<Self> {
        if lab.host(host)?.machine.vm().is_some() {
            return Err(Error::Refused {
                message: format!(
                    "host `{host}` is a virtual machine, into whose file systems nobody sees from outside; \
                     compare its state (`garboard lab hash --list`) instead"
                ),
            });
        }
        let leader = lab.leader(host)?;
        let root = PathBuf::from(format!("/proc/{}/root", leader.pid));
        let trees = hash::own_trees(leader.pid)?;
        let who = Arc::new(who::Who::new(namespace::of_host(lab.name(), host)));
        let events = Arc::new(events::Events::default());
        let (wait, stop) = pipe().map_err(Error::system("make a pipe"))?;

        // Programs first: a process that changes something was executed before. Answered from now on: a host that waits for
        // an answer stands still.
        let waits = [wait.try_clone()?, wait.try_clone()?];
        let programs = programs::Programs::watch(&root, &trees, who.clone(), events.clone())?;
        let mut threads = vec![std::thread::spawn(move || programs.run(&wait))];
        let own = changes::Changes::watch_own(&root, &trees, who.clone(), events.clone())?;
        let shared = changes::Changes::watch_shared(&root, &trees, who, events.clone())?;
        for (changes, wait) in [own, shared].into_iter().zip(waits) {
            threads.push(std::thread::spawn(move || changes.run(&wait)));
        }
        Ok(Self { stop: Some(stop), threads, events })
    }

    /// Ends the watch; gives what was seen, in order.
    ///
    /// # Errors
    /// When the watch broke, so that something may have been missed.
    pub fn stop(mut self) -> Result<Vec<Event>> {
        self.stop = None;
        for thread in std::mem::take(&mut self.threads) {
            match thread.join() {
                Ok(result) => result?,
                Err(panic) => std::panic::resume_unwind(panic),
            }
        }
        Ok(self.events.take())
    }
}
