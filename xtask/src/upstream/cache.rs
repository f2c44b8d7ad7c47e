//! The folder in the user's cache that holds mirrors by content address, and the parts they are made from.

use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::Context as _;

/// How long a failed attempt at the official hosts is believed.
const UNREACHABLE_FOR: Duration = Duration::from_hours(1);
/// Unfinished work of a builder; whoever holds the lock may remove what others left.
const UNFINISHED: &str = ".building-";

/// `$XDG_CACHE_HOME/garboard/mirror`.
pub(super) struct Folder {
    path: PathBuf,
}

/// Held by the one builder at work; the kernel lets go of it when the process ends, however it ends.
pub(super) struct Lock {
    _file: fs_err::File,
}

impl Folder {
    /// The folder of the user who runs this.
    pub(super) fn of_user() -> anyhow::Result<Self> {
        Self::at(crate::cache::of_user()?.join("mirror"))
    }

    /// A folder at a given place.
    pub(super) fn at(path: PathBuf) -> anyhow::Result<Self> {
        fs_err::create_dir_all(path.join("parts"))?;
        Ok(Self { path })
    }

    /// The finished mirror of that address. Only a finished one carries the bare address as its name.
    pub(super) fn find(&self, address: &str) -> Option<PathBuf> {
        Some(self.path.join(address)).filter(|path| path.is_dir())
    }

    /// A cached part (a base layer, a package) by its key.
    pub(super) fn part(&self, key: &str) -> PathBuf {
        self.path.join("parts").join(key)
    }

    /// Waits for other builders; `waiting` is called once if there is one.
    pub(super) fn lock(&self, waiting: impl FnOnce()) -> anyhow::Result<Lock> {
        let file = fs_err::File::options().create(true).append(true).open(self.path.join(".lock"))?;
        if file.file().try_lock().is_err() {
            waiting();
            file.file().lock().with_context(|| format!("cannot lock `{}`", file.path().display()))?;
        }
        Ok(Lock { _file: file })
    }

    /// An empty folder to work in, on the same file system; leftovers of killed builders are removed first.
    pub(super) fn begin(&self, _lock: &Lock) -> anyhow::Result<PathBuf> {
        for entry in fs_err::read_dir(&self.path)? {
            let entry = entry?;
            if entry.file_name().to_string_lossy().starts_with(UNFINISHED) {
                fs_err::remove_dir_all(entry.path())?;
            }
        }
        let path = self.path.join(format!("{UNFINISHED}{}", std::process::id()));
        fs_err::create_dir(&path)?;
        Ok(path)
    }

    /// Gives a finished folder its name, at once or not at all.
    pub(super) fn publish(&self, _lock: &Lock, work: &Path, address: &str) -> anyhow::Result<PathBuf> {
        let path = self.path.join(address);
        fs_err::rename(work, &path)?;
        fs_err::File::open(&self.path)?.sync_all()?;
        Ok(path)
    }

    /// Whether the official hosts were found out of reach a short while ago.
    pub(super) fn unreachable_lately(&self) -> bool {
        fs_err::metadata(self.stamp())
            .and_then(|metadata| metadata.modified())
            .ok()
            .and_then(|at| at.elapsed().ok())
            .is_some_and(|age| age < UNREACHABLE_FOR)
    }

    /// Remembers that they are out of reach now.
    pub(super) fn remember_unreachable(&self) -> anyhow::Result<()> {
        fs_err::File::create(self.stamp())?.write_all(b"the official hosts did not answer\n")?;
        Ok(())
    }

    fn stamp(&self) -> PathBuf {
        self.path.join(".official-unreachable")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn unfinished_work_is_never_found_and_is_removed_by_the_next_builder() {
        let place = tempfile::tempdir().unwrap();
        let folder = Folder::at(place.path().join("mirror")).unwrap();
        fs_err::create_dir(folder.path.join(".building-1")).unwrap();
        assert!(folder.find("address").is_none());
        let lock = folder.lock(|| panic!("nobody else builds")).unwrap();
        let work = folder.begin(&lock).unwrap();
        assert!(!folder.path.join(".building-1").exists());
        let published = folder.publish(&lock, &work, "address").unwrap();
        assert_eq!(folder.find("address"), Some(published));
    }

    #[test]
    fn a_second_builder_waits_for_the_first() {
        let place = tempfile::tempdir().unwrap();
        let folder = Folder::at(place.path().join("mirror")).unwrap();
        let first = folder.lock(|| ()).unwrap();
        let (waiting, waits) = std::sync::mpsc::channel();
        std::thread::scope(|scope| {
            let second = scope.spawn(|| folder.lock(move || waiting.send(()).unwrap()).map(drop));
            waits.recv_timeout(Duration::from_secs(10)).unwrap();
            assert!(!second.is_finished());
            drop(first);
            second.join().unwrap().unwrap();
        });
    }
}
