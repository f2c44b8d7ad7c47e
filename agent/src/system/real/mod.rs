//! The host itself.

mod clock;
mod command;
mod file;
mod latency;
mod lock;
mod secrecy;

pub use secrecy::keep_secrets;

use std::io;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use fs_err as fs;
use garboard_protocol::Digest;
use nix::mount::{MntFlags, umount2};

use super::{
    Command, CommandError, FileLock, KernelClock, Kind, Live, Look, Metadata, Output, Space, System,
};

/// The host, or for tests a folder that stands for its root (commands are then still the machine's own).
#[derive(Debug, Clone)]
pub struct Real {
    root: PathBuf,
}

impl Real {
    /// This host.
    pub fn host() -> Self {
        Self::below("/")
    }

    /// The files below `root`.
    pub fn below(root: impl Into<PathBuf>) -> Self {
        Self { root: root.into() }
    }

    fn at(&self, path: &Path) -> PathBuf {
        self.root.join(path.strip_prefix("/").unwrap_or(path))
    }
}

impl Look for Real {
    fn metadata(&self, path: &Path) -> io::Result<Option<Metadata>> {
        match fs::symlink_metadata(self.at(path)) {
            Ok(found) => Ok(Some(metadata(&found))),
            Err(error) if matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory) => {
                Ok(None)
            }
            Err(error) => Err(error),
        }
    }

    fn read(&self, path: &Path) -> io::Result<Vec<u8>> {
        fs::read(self.at(path))
    }

    fn open(&self, path: &Path) -> io::Result<Box<dyn io::Read + Send>> {
        Ok(Box::new(fs::File::open(self.at(path))?))
    }

    fn read_link(&self, path: &Path) -> io::Result<PathBuf> {
        fs::read_link(self.at(path))
    }

    fn list(&self, path: &Path) -> io::Result<Vec<String>> {
        let mut names = fs::read_dir(self.at(path))?
            .map(|entry| Ok(entry?.file_name().to_string_lossy().into_owned()))
            .collect::<io::Result<Vec<_>>>()?;
        names.sort();
        Ok(names)
    }

    fn digest(&self, path: &Path) -> io::Result<(Digest, u64)> {
        Digest::of_reader(&mut fs::File::open(self.at(path))?)
    }

    fn ask(&self, command: &Command) -> Result<Output, CommandError> {
        command::run(command, Live::default())
    }

    fn space(&self, path: &Path) -> io::Result<Space> {
        let found = nix::sys::statvfs::statvfs(&self.at(path))?;
        let block = found.fragment_size();
        Ok(Space { free: found.blocks_free() * block, total: found.blocks() * block })
    }

    fn lock_of(&self, path: &Path) -> io::Result<FileLock> {
        lock::of(&self.at(path))
    }

    fn now(&self) -> i128 {
        SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_nanos().cast_signed())
    }

    fn kernel_clock(&self) -> io::Result<KernelClock> {
        clock::read()
    }
}

impl System for Real {
    fn look(&self) -> &dyn Look {
        self
    }

    fn write(&self, path: &Path, content: &[u8], mode: u32) -> io::Result<()> {
        file::replace(&self.at(path), mode, |file| io::Write::write_all(file, content))
    }

    fn install(&self, from: &Path, digest: Digest, path: &Path, mode: u32) -> io::Result<()> {
        let mut source = fs::File::open(self.at(from))?;
        file::replace(&self.at(path), mode, |file| {
            let (found, _) = file::copy(&mut source, file)?;
            if found == digest {
                return Ok(());
            }
            let message = format!("`{}` holds {found}, expected {digest}", from.display());
            Err(io::Error::new(io::ErrorKind::InvalidData, message))
        })
    }

    fn write_stream(&self, path: &Path, content: &mut dyn io::Read, mode: u32) -> io::Result<(Digest, u64)> {
        file::replace(&self.at(path), mode, |file| file::copy(content, file))
    }

    fn append(&self, path: &Path, content: &[u8], mode: u32) -> io::Result<()> {
        file::append(&self.at(path), content, mode)
    }

    fn poke(&self, path: &Path, content: &[u8]) -> io::Result<()> {
        let mut file = fs::OpenOptions::new().write(true).open(self.at(path))?;
        // One write: the kernel takes the value of one call.
        io::Write::write_all(&mut file, content)
    }

    fn create_directory(&self, path: &Path, mode: u32) -> io::Result<()> {
        let path = self.at(path);
        fs::create_dir(&path)?;
        file::set_mode(&path, mode)?;
        file::sync_folder_of(&path)
    }

    fn set_mode(&self, path: &Path, mode: u32) -> io::Result<()> {
        file::set_mode(&self.at(path), mode)
    }

    fn set_owner(&self, path: &Path, user: u32, group: u32) -> io::Result<()> {
        fs_err::os::unix::fs::lchown(self.at(path), Some(user), Some(group))
    }

    fn symlink(&self, target: &Path, path: &Path) -> io::Result<()> {
        let path = self.at(path);
        fs_err::os::unix::fs::symlink(target, &path)?;
        file::sync_folder_of(&path)
    }

    fn remove_file(&self, path: &Path) -> io::Result<()> {
        let path = self.at(path);
        fs::remove_file(&path)?;
        file::sync_folder_of(&path)
    }

    fn remove_directory(&self, path: &Path) -> io::Result<()> {
        let path = self.at(path);
        fs::remove_dir(&path)?;
        file::sync_folder_of(&path)
    }

    fn run(&self, command: &Command) -> Result<Output, CommandError> {
        command::run(command, Live::default())
    }

    fn run_live(&self, command: &Command, live: Live<'_>) -> Result<Output, CommandError> {
        command::run(command, live)
    }

    fn wait_for_lock(&self, path: &Path, longest: Duration) -> io::Result<()> {
        lock::wait(&self.at(path), longest)
    }

    fn unmount(&self, path: &Path) -> io::Result<()> {
        let flags = MntFlags::MNT_DETACH | MntFlags::UMOUNT_NOFOLLOW;
        umount2(&self.at(path), flags).map_err(|errno| file::named(errno, "unmount", path))
    }

    fn set_hostname(&self, name: &str) -> io::Result<()> {
        Ok(nix::unistd::sethostname(name)?)
    }

    fn set_clock(&self, nanoseconds: i128) -> io::Result<()> {
        clock::set(nanoseconds)
    }

    fn set_hardware_clock(&self, nanoseconds: i128) -> io::Result<()> {
        clock::set_hardware(nanoseconds)
    }

    fn sync_latencies(&self, folder: &Path, longest: Duration) -> io::Result<Vec<Duration>> {
        latency::of_syncs(&self.at(folder), longest)
    }
}

fn metadata(found: &std::fs::Metadata) -> Metadata {
    let kind = if found.is_file() {
        Kind::File
    } else if found.is_dir() {
        Kind::Directory
    } else if found.is_symlink() {
        Kind::Symlink
    } else {
        Kind::Other
    };
    Metadata {
        kind,
        mode: found.mode() & 0o7777,
        user: found.uid(),
        group: found.gid(),
        size: found.size(),
        inode: found.ino(),
        device: found.dev(),
        changed: i128::from(found.ctime()) * 1_000_000_000 + i128::from(found.ctime_nsec()),
    }
}
