//! Others who install packages: who they are, and waiting until they are done. Nobody is ever stopped, and no lock is taken
//! here: apt and dpkg take theirs by themselves.

use std::path::Path;
use std::time::{Duration, Instant};

use crate::steps::StepError;
use crate::steps::path::failed;
use crate::system::{Command, CommandError, FileLock, Live, Look, Output, System};

/// The locks of dpkg and apt, in the order in which apt takes them.
const FILES: [&str; 4] = [
    "/var/lib/dpkg/lock-frontend",
    "/var/lib/dpkg/lock",
    "/var/lib/apt/lists/lock",
    "/var/cache/apt/archives/lock",
];
/// Who lets go of a lock without closing its file gives no event: it is looked for again after so long.
const LOOK_AGAIN: Duration = Duration::from_secs(10);
/// How apt and dpkg say that somebody was faster, in the locale `C`.
const TAKEN: [&str; 4] = [
    "Could not get lock",
    "Unable to acquire the dpkg",
    "Unable to lock",
    "lock was locked by another process",
];

/// How long others are waited for, in all, and who is told.
pub(crate) struct Patience<'a> {
    until: Instant,
    seconds: u64,
    waiting: &'a dyn Fn(&str),
}

impl<'a> Patience<'a> {
    /// From now on.
    pub(crate) fn new(seconds: u64, waiting: &'a dyn Fn(&str)) -> Self {
        Self { until: Instant::now() + Duration::from_secs(seconds), seconds, waiting }
    }

    fn left(&self) -> Duration {
        self.until.saturating_duration_since(Instant::now())
    }

    /// Comes back when nobody is at work on packages.
    pub(crate) fn wait(&self, system: &dyn System) -> Result<(), StepError> {
        let mut told = None;
        while let Some((path, lock)) = held(system.look())? {
            let holder = name(lock, system.look());
            let left = self.left();
            if left.is_zero() {
                return Err(StepError::Failed {
                    message: format!(
                        "{holder} holds `{path}`, and did not let go of it within {} s",
                        self.seconds
                    ),
                    help: Some(help(lock)),
                });
            }
            if told.as_ref() != Some(&(path, lock)) {
                let rounded = left.as_millis().div_ceil(1000);
                (self.waiting)(&format!("waits for {holder}, which holds `{path}`, for at most {rounded} s"));
                told = Some((path, lock));
            }
            let longest = left.min(LOOK_AGAIN);
            system.wait_for_lock(Path::new(path), longest).map_err(failed("wait for the lock", path))?;
        }
        Ok(())
    }
}

/// Runs a command of apt or dpkg when nobody else is at work; again when somebody was faster.
pub(crate) fn with_locks(
    system: &dyn System,
    patience: &Patience<'_>,
    command: &Command,
    line: &mut dyn FnMut(&str),
) -> Result<Output, StepError> {
    loop {
        patience.wait(system)?;
        match system.run_live(command, Live { feed: None, line: Some(line) }) {
            Err(CommandError::Exit { stderr, .. })
                if TAKEN.iter().any(|words| stderr.contains(words)) && !patience.left().is_zero() => {}
            other => return Ok(other?),
        }
    }
}

/// The first lock that somebody holds.
fn held(look: &dyn Look) -> Result<Option<(&'static str, FileLock)>, StepError> {
    for path in FILES {
        let found = look.lock_of(Path::new(path)).map_err(failed("look for the holder of", path))?;
        if found != FileLock::Free {
            return Ok(Some((path, found)));
        }
    }
    Ok(None)
}

/// The process by its own short name: arguments may hold what is nobody's business.
fn name(holder: FileLock, look: &dyn Look) -> String {
    let FileLock::HeldBy(pid) = holder else { return "a process that cannot be seen from here".to_owned() };
    let comm = look.read_text(Path::new(&format!("/proc/{pid}/comm"))).ok().flatten();
    let comm = comm.as_deref().map(str::trim).filter(|name| !name.is_empty());
    format!("`{}` (process {pid})", comm.unwrap_or("a process that has ended"))
}

fn help(holder: FileLock) -> String {
    let first = match holder {
        FileLock::HeldBy(pid) => format!("look at it with `ps -fp {pid}`"),
        _ => "look at what installs packages there".to_owned(),
    };
    format!("{first}; nothing was stopped and nothing changed: run again when it is done")
}
