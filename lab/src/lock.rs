//! Locks between invocations: an advisory lock on a file, let go of when its holder ends, however it ends.

use std::path::Path;

use fs_err::File;
use nix::fcntl::{Flock, FlockArg};

use crate::{Error, Result};

/// A held lock.
#[derive(Debug)]
pub(crate) struct Lock {
    _file: Flock<std::fs::File>,
}

impl Lock {
    /// Takes the lock, waiting for whoever holds it.
    pub(crate) fn wait(path: &Path) -> Result<Self> {
        let file = open(path)?;
        let file = Flock::lock(file, FlockArg::LockExclusive)
            .map_err(|(_, source)| Error::System { action: format!("lock `{}`", path.display()), source })?;
        Ok(Self { _file: file })
    }

    /// Takes the lock if nobody holds it.
    pub(crate) fn try_take(path: &Path) -> Result<Option<Self>> {
        match Flock::lock(open(path)?, FlockArg::LockExclusiveNonblock) {
            Ok(file) => Ok(Some(Self { _file: file })),
            Err((_, nix::Error::EWOULDBLOCK)) => Ok(None),
            Err((_, source)) => Err(Error::System { action: format!("lock `{}`", path.display()), source }),
        }
    }
}

fn open(path: &Path) -> Result<std::fs::File> {
    if let Some(parent) = path.parent() {
        fs_err::create_dir_all(parent)?;
    }
    Ok(File::options().create(true).truncate(false).write(true).open(path)?.into_parts().0)
}
