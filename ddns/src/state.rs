//! What outlasts the process: one file, replaced as a whole, and the lock of the one service that may write it.

use std::collections::BTreeMap;
use std::io::Write as _;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};

use nix::errno::Errno;
use nix::fcntl::{Flock, FlockArg};
use serde::{Deserialize, Serialize};

use crate::machine::NameState;
use crate::quorum::Outside;

const FILE: &str = "state.json";
const LOCK: &str = "lock";
const VERSION: u32 = 1;

/// All that is remembered.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Stored {
    version: u32,
    /// How this network hangs on the internet, as far as it is known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub outside: Option<Outside>,
    /// By name.
    pub names: BTreeMap<String, Entry>,
}

/// One name.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Entry {
    /// The key of its provider in the configuration.
    pub provider: String,
    /// Where it stands.
    pub state: NameState,
}

impl Default for Stored {
    fn default() -> Self {
        Self { version: VERSION, outside: None, names: BTreeMap::new() }
    }
}

/// Why the state cannot be had or kept.
#[derive(Debug, thiserror::Error)]
pub enum StateError {
    /// The disk.
    #[error("the state cannot be read or kept, and nothing is sent without it: {0}")]
    Io(#[from] std::io::Error),
    /// Somebody else wrote it, or half of it is gone.
    #[error(
        "`{}` is not a state of garboard-ddns ({problem}); move it away, and each name is updated once more",
        path.display()
    )]
    Format {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        problem: String,
    },
    /// Two services would undo each other's work.
    #[error("another garboard-ddns works with `{}` already; `systemctl status garboard-ddns` shows it", .0.display())]
    Locked(PathBuf),
}

/// What is remembered in a folder, without the right to change it; `None`: nothing was ever written.
///
/// # Errors
/// See [`StateError`].
pub fn read(folder: &Path) -> Result<Option<Stored>, StateError> {
    let path = folder.join(FILE);
    let text = match fs_err::read_to_string(&path) {
        Ok(text) => text,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(error.into()),
    };
    let format = |problem: String| StateError::Format { path: path.clone(), problem };
    let stored: Stored = serde_json::from_str(&text).map_err(|error| format(error.to_string()))?;
    if stored.version != VERSION {
        return Err(format(format!("version {}", stored.version)));
    }
    Ok(Some(stored))
}

/// Whether a service works with this folder now.
///
/// # Errors
/// The lock cannot be looked at.
pub fn is_in_use(folder: &Path) -> Result<bool, StateError> {
    let file = match fs_err::File::open(folder.join(LOCK)) {
        Ok(file) => file.into_parts().0,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(false),
        Err(error) => return Err(error.into()),
    };
    match Flock::lock(file, FlockArg::LockSharedNonblock) {
        Ok(_) => Ok(false),
        Err((_, Errno::EWOULDBLOCK)) => Ok(true),
        Err((_, error)) => Err(StateError::Io(error.into())),
    }
}

/// The folder, held by this process alone.
#[derive(Debug)]
pub struct Folder {
    path: PathBuf,
    _lock: Flock<std::fs::File>,
}

impl Folder {
    /// Takes the folder; it must exist.
    ///
    /// # Errors
    /// See [`StateError`].
    pub fn take(path: &Path) -> Result<Self, StateError> {
        let mut options = fs_err::OpenOptions::new();
        options.write(true).create(true).truncate(false);
        options.options_mut().mode(0o600);
        let file = options.open(path.join(LOCK))?.into_parts().0;
        match Flock::lock(file, FlockArg::LockExclusiveNonblock) {
            Ok(lock) => Ok(Self { path: path.to_owned(), _lock: lock }),
            Err((_, Errno::EWOULDBLOCK)) => Err(StateError::Locked(path.to_owned())),
            Err((_, error)) => Err(StateError::Io(error.into())),
        }
    }

    /// What is remembered.
    ///
    /// # Errors
    /// See [`StateError`].
    pub fn read(&self) -> Result<Stored, StateError> {
        Ok(read(&self.path)?.unwrap_or_default())
    }

    /// Replaces it; on the disk when this returns.
    ///
    /// # Errors
    /// See [`StateError`].
    pub fn write(&self, stored: &Stored) -> Result<(), StateError> {
        let mut text = serde_json::to_vec_pretty(stored).map_err(std::io::Error::other)?;
        text.push(b'\n');
        replace(&self.path.join(FILE), &text, 0o600)?;
        Ok(())
    }
}

/// A file with new content, or with the old one; never with a part of either.
///
/// # Errors
/// The disk.
pub(crate) fn replace(path: &Path, content: &[u8], mode: u32) -> std::io::Result<()> {
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let mut name = path.file_name().unwrap_or_default().to_owned();
    name.push(".new");
    let temporary = folder.join(name);
    let mut options = fs_err::OpenOptions::new();
    options.write(true).create(true).truncate(true);
    options.options_mut().mode(mode);
    let mut file = options.open(&temporary)?;
    file.write_all(content)?;
    file.sync_all()?;
    fs_err::rename(&temporary, path)?;
    fs_err::File::open(folder)?.sync_all()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn two_services_do_not_share_a_folder() {
        let folder = tempfile::tempdir().unwrap();
        assert!(!is_in_use(folder.path()).unwrap());
        let first = Folder::take(folder.path()).unwrap();
        assert!(matches!(Folder::take(folder.path()), Err(StateError::Locked(_))));
        assert!(is_in_use(folder.path()).unwrap());
        drop(first);
        assert!(Folder::take(folder.path()).is_ok());
    }

    #[test]
    fn a_state_that_is_not_ours_is_named_and_kept() {
        let folder = tempfile::tempdir().unwrap();
        assert_eq!(read(folder.path()).unwrap(), None);
        let mut stored = Stored::default();
        let entry = Entry { provider: "desec".to_owned(), state: NameState::new("a".to_owned()) };
        stored.names.insert("home.example.org".to_owned(), entry);
        Folder::take(folder.path()).unwrap().write(&stored).unwrap();
        assert_eq!(read(folder.path()).unwrap(), Some(stored));
        for text in ["{}", "{\"version\": 1, \"nam", "{\"version\": 9, \"names\": {}}"] {
            fs_err::write(folder.path().join(FILE), text).unwrap();
            assert!(matches!(read(folder.path()), Err(StateError::Format { .. })), "{text}");
            assert_eq!(fs_err::read_to_string(folder.path().join(FILE)).unwrap(), text);
        }
    }
}
