//! One executor a host: a file lock that ends with the process, whatever ends it.

use std::io::{self, Seek as _, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, MetadataExt as _, OpenOptionsExt as _};
use std::path::Path;

use fs_err as fs;
use nix::fcntl::{Flock, FlockArg};
use serde::{Deserialize, Serialize};

use crate::store::Layout;

/// Who holds a host; the content of the lock file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Holder {
    /// Name of the run.
    pub run: String,
    /// `user@laptop`.
    pub owner: String,
    /// RFC 3339.
    pub since: String,
    /// Process id of the executor.
    pub pid: u32,
}

impl std::fmt::Display for Holder {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(formatter, "held by {} since {} (run {})", self.owner, self.since, self.run)
    }
}

/// The lock; given back when dropped.
#[derive(Debug)]
pub struct Lock(#[expect(dead_code, reason = "held, never looked at")] Flock<std::fs::File>);

/// Why the lock was not had.
#[derive(Debug, thiserror::Error)]
pub enum LockError {
    /// Another executor is at work.
    #[error("another run works on this host: {}", holder.as_ref().map_or_else(|| "it has not said whose".to_owned(), ToString::to_string))]
    Held {
        /// Who; `None` when it has not written it yet.
        holder: Option<Holder>,
    },
    /// The lock file cannot be used.
    #[error("cannot lock `{path}`")]
    Io {
        /// The lock file.
        path: String,
        /// Why.
        source: io::Error,
    },
}

impl Lock {
    /// Takes the lock of the host, or says who has it.
    pub fn take(layout: &Layout, holder: &Holder) -> Result<Self, LockError> {
        let path = layout.lock();
        let failed = |source| LockError::Io { path: path.to_string_lossy().into_owned(), source };
        if !layout.run.is_dir() {
            std::fs::DirBuilder::new().recursive(true).mode(0o700).create(&layout.run).map_err(failed)?;
        }
        loop {
            let file = open(&path).map_err(failed)?;
            let mut lock = match Flock::lock(file, FlockArg::LockExclusiveNonblock) {
                Ok(lock) if is_at(&lock, &path).map_err(failed)? => lock,
                // An executor that left has removed the file: a lock on it locks nobody out.
                Ok(_) => continue,
                Err((_, nix::Error::EWOULDBLOCK)) => {
                    let holder = fs::read(&path).ok().and_then(|text| serde_json::from_slice(&text).ok());
                    return Err(LockError::Held { holder });
                }
                Err((_, errno)) => return Err(failed(errno.into())),
            };
            write(&mut lock, holder).map_err(failed)?;
            return Ok(Self(lock));
        }
    }
}

fn open(path: &Path) -> io::Result<std::fs::File> {
    std::fs::OpenOptions::new().read(true).write(true).create(true).truncate(false).mode(0o600).open(path)
}

/// Whether the open `file` still is the one at `path`.
fn is_at(file: &std::fs::File, path: &Path) -> io::Result<bool> {
    let ours = file.metadata()?.ino();
    Ok(fs::symlink_metadata(path).is_ok_and(|there| there.ino() == ours))
}

fn write(file: &mut std::fs::File, holder: &Holder) -> io::Result<()> {
    file.set_len(0)?;
    file.rewind()?;
    file.write_all(&serde_json::to_vec(holder).map_err(io::Error::other)?)
}

#[cfg(test)]
mod tests {
    use super::{Holder, Lock, LockError};
    use crate::store::Layout;

    fn holder(run: &str) -> Holder {
        Holder { run: run.into(), owner: "me@laptop".into(), since: "2026-11-21T09:00:00Z".into(), pid: 7 }
    }

    #[test]
    fn a_second_executor_learns_who_holds_the_host() {
        let root = tempfile::tempdir().unwrap();
        let layout = Layout::below(root.path());
        let first = Lock::take(&layout, &holder("a-rather-long-name")).unwrap();
        let error = Lock::take(&layout, &holder("b")).unwrap_err();
        assert!(
            matches!(&error, LockError::Held { holder: Some(found) } if *found == holder("a-rather-long-name"))
        );
        assert!(error.to_string().contains("held by me@laptop since 2026-11-21T09:00:00Z"), "{error}");
        drop(first);
        let _second = Lock::take(&layout, &holder("b")).unwrap();
        let error = Lock::take(&layout, &holder("c")).unwrap_err();
        assert!(error.to_string().contains("(run b)"), "what the first wrote is still there: {error}");
    }

    #[test]
    fn a_lock_file_that_was_removed_or_replaced_is_not_the_one_at_its_path() {
        let root = tempfile::tempdir().unwrap();
        let path = root.path().join("lock");
        let file = super::open(&path).unwrap();
        assert!(super::is_at(&file, &path).unwrap());
        fs_err::remove_file(&path).unwrap();
        assert!(!super::is_at(&file, &path).unwrap());
        let _newer = super::open(&path).unwrap();
        assert!(!super::is_at(&file, &path).unwrap());
    }
}
