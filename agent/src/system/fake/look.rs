//! The read-only side of a host in memory.

use std::io;
use std::path::{Path, PathBuf};

use garboard_protocol::Digest;

use super::Fake;
use crate::system::{Command, CommandError, FileLock, KernelClock, Kind, Look, Metadata, Output, Space};

impl Look for Fake {
    fn metadata(&self, path: &Path) -> io::Result<Option<Metadata>> {
        Ok(self.state().nodes.get(path).map(super::Node::metadata))
    }

    fn read(&self, path: &Path) -> io::Result<Vec<u8>> {
        let state = self.state();
        let mut node = state.get(path)?;
        // As `open(2)` does; a loop of links is no content.
        for _ in 0..40 {
            match node.kind {
                Kind::File => return Ok(node.content.clone()),
                Kind::Directory => return Err(io::Error::from_raw_os_error(nix::libc::EISDIR)),
                Kind::Symlink => {
                    let target = path.with_file_name(String::from_utf8_lossy(&node.content).as_ref());
                    node = state.get(&target)?;
                }
                Kind::Other => break,
            }
        }
        Err(io::ErrorKind::InvalidInput.into())
    }

    fn open(&self, path: &Path) -> io::Result<Box<dyn io::Read + Send>> {
        Ok(Box::new(io::Cursor::new(self.read(path)?)))
    }

    fn read_link(&self, path: &Path) -> io::Result<PathBuf> {
        let state = self.state();
        let node = state.get(path)?;
        if node.kind != Kind::Symlink {
            return Err(io::ErrorKind::InvalidInput.into());
        }
        Ok(String::from_utf8_lossy(&node.content).into_owned().into())
    }

    fn list(&self, path: &Path) -> io::Result<Vec<String>> {
        let state = self.state();
        if state.get(path)?.kind != Kind::Directory {
            return Err(io::ErrorKind::NotADirectory.into());
        }
        let children = state.nodes.keys().filter(|child| child.parent() == Some(path));
        Ok(children.filter_map(|child| Some(child.file_name()?.to_string_lossy().into_owned())).collect())
    }

    fn digest(&self, path: &Path) -> io::Result<(Digest, u64)> {
        let content = self.read(path)?;
        Ok((Digest::of(&content), content.len() as u64))
    }

    fn ask(&self, command: &Command) -> Result<Output, CommandError> {
        self.execute(command, "ask")
    }

    fn space(&self, path: &Path) -> io::Result<Space> {
        let state = self.state();
        state.get(path)?;
        Ok(state.space.unwrap_or(Space { free: 50_000_000_000, total: 60_000_000_000 }))
    }

    fn lock_of(&self, path: &Path) -> io::Result<FileLock> {
        Ok(self.state().locks.get(path).copied().unwrap_or(FileLock::Free))
    }

    fn now(&self) -> i128 {
        let state = self.state();
        super::BEGIN + state.ticks + state.clock_ahead
    }

    fn kernel_clock(&self) -> io::Result<KernelClock> {
        let state = self.state();
        let ticks = u64::try_from(state.ticks).unwrap_or(0);
        Ok(KernelClock {
            since_boot: super::SINCE_BOOT + std::time::Duration::from_nanos(ticks),
            synchronised: state.synchronised,
        })
    }
}
