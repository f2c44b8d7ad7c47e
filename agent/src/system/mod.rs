//! The seam to the host: everything a step, a fact or reset may see or do passes through these two traits.
//!
//! [`Look`] cannot change anything: a probe gets only `&dyn Look`, so `plan` cannot write, by type. [`System`] adds the
//! changes. `real` is the host; `fake` is an in-memory host with injectable errors, for tests.

pub mod fake;
mod pass;
mod real;

pub use pass::{Answers, Pass};
pub use real::{Real, keep_secrets};

use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use garboard_protocol::Digest;

/// What a path is (symbolic links are not followed).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// A regular file.
    File,
    /// A folder.
    Directory,
    /// A symbolic link.
    Symlink,
    /// A device, socket or pipe.
    Other,
}

/// `lstat` of a path.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Metadata {
    /// What it is.
    pub kind: Kind,
    /// Permission bits (with setuid, setgid, sticky).
    pub mode: u32,
    /// Owning user.
    pub user: u32,
    /// Owning group.
    pub group: u32,
    /// In bytes.
    pub size: u64,
    /// Inode number.
    pub inode: u64,
    /// Device the inode is on; differs across a mount.
    pub device: u64,
    /// Time of the last change of inode or content, nanoseconds since 1970.
    pub changed: i128,
}

/// A command: a program and its arguments, never a shell string. The locale is fixed to `C`.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Command {
    /// Found on `PATH` of the agent (`/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin`) unless absolute.
    pub program: String,
    /// Its arguments.
    pub arguments: Vec<String>,
    /// Given to its standard input.
    pub input: Option<Vec<u8>>,
    /// Added to the fixed environment.
    pub environment: Vec<(String, String)>,
    /// Longest it may run; then its process group is killed.
    pub timeout: Duration,
    /// Exit codes that are no failure; `[0]` by default.
    pub expected: Vec<i32>,
    /// How much of each of its outputs is kept, from the end; [`garboard_protocol::limits::OUTPUT_BYTES`] by default.
    pub kept_bytes: usize,
}

impl Command {
    /// `program` with `arguments`, 30 s, exit code 0 expected.
    pub fn new<Argument: Into<String>>(program: &str, arguments: impl IntoIterator<Item = Argument>) -> Self {
        Self {
            program: program.to_owned(),
            arguments: arguments.into_iter().map(Into::into).collect(),
            input: None,
            environment: Vec::new(),
            timeout: Duration::from_secs(30),
            expected: vec![0],
            kept_bytes: garboard_protocol::limits::OUTPUT_BYTES,
        }
    }

    /// With another time limit.
    #[must_use]
    pub fn timeout(mut self, timeout: Duration) -> Self {
        self.timeout = timeout;
        self
    }

    /// With something on its standard input.
    #[must_use]
    pub fn input(mut self, input: impl Into<Vec<u8>>) -> Self {
        self.input = Some(input.into());
        self
    }

    /// With these exit codes taken as success.
    #[must_use]
    pub fn expect(mut self, codes: &[i32]) -> Self {
        self.expected = codes.to_vec();
        self
    }

    /// With its output kept whole (up to 64 MiB): for lists that are parsed.
    #[must_use]
    pub fn whole(mut self) -> Self {
        self.kept_bytes = 64 * 1024 * 1024;
        self
    }

    /// For messages: program and arguments with spaces between.
    pub fn display(&self) -> String {
        std::iter::once(self.program.as_str())
            .chain(self.arguments.iter().map(String::as_str))
            .collect::<Vec<_>>()
            .join(" ")
    }
}

/// What a command printed; each at most [`garboard_protocol::limits::OUTPUT_BYTES`], kept from the end, unless asked for whole.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Output {
    /// Exit code.
    pub code: i32,
    /// Standard output.
    pub stdout: String,
    /// Standard error.
    pub stderr: String,
}

/// Why a command gave no success.
#[derive(Debug, thiserror::Error)]
pub enum CommandError {
    /// It could not be started; `NotFound` when the program is not there.
    #[error("cannot run `{command}`")]
    Start {
        /// As typed.
        command: String,
        /// Why.
        source: io::Error,
    },
    /// It ended with another code than expected.
    #[error("`{command}` ended with exit code {code}: {stderr}")]
    Exit {
        /// As typed.
        command: String,
        /// 128 + n when signal n ended it.
        code: i32,
        /// The end of what it printed, standard error first.
        stderr: String,
    },
    /// It took too long and was killed.
    #[error("`{command}` did not end within {} s and was killed; it had printed: {printed}", timeout.as_secs())]
    Timeout {
        /// As typed.
        command: String,
        /// The limit.
        timeout: Duration,
        /// The end of its output.
        printed: String,
    },
    /// What should go to its standard input could not be read; the command was killed.
    #[error("cannot feed `{command}`")]
    Input {
        /// As typed.
        command: String,
        /// Why.
        source: io::Error,
    },
}

/// Writes a command's standard input.
pub type Feed<'a> = &'a mut dyn FnMut(&mut dyn io::Write) -> io::Result<()>;

/// How a long command is kept company while it runs.
#[derive(Default)]
pub struct Live<'a> {
    /// Writes its standard input (instead of [`Command::input`]) while it runs. An error of the feed itself kills the
    /// command and becomes [`CommandError::Input`]; a broken pipe is the command's own failure.
    pub feed: Option<Feed<'a>>,
    /// Told each line of its standard output and error as it comes, without the line's end.
    pub line: Option<&'a mut dyn FnMut(&str)>,
}

/// Whether somebody holds a lock on a file (`fcntl(2)`, advisory record locks).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FileLock {
    /// Nobody, or there is no such file.
    Free,
    /// The process of this number.
    HeldBy(u32),
    /// A process that cannot be seen from here.
    Held,
}

/// The kernel's clock.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct KernelClock {
    /// `CLOCK_BOOTTIME`: since the boot, sleep included. Setting the clock does not change it.
    pub since_boot: Duration,
    /// The kernel was told that its clock follows a source: `adjtimex(2)` without `STA_UNSYNC`.
    pub synchronised: bool,
}

/// Space of a file system.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Space {
    /// Free for root, in bytes.
    pub free: u64,
    /// Whole, in bytes.
    pub total: u64,
}

/// The read-only view of a host.
pub trait Look: Send + Sync {
    /// `lstat`; `None` when nothing is there.
    fn metadata(&self, path: &Path) -> io::Result<Option<Metadata>>;
    /// The content of a file.
    fn read(&self, path: &Path) -> io::Result<Vec<u8>>;
    /// A file to be read in pieces.
    fn open(&self, path: &Path) -> io::Result<Box<dyn io::Read + Send>>;
    /// The target of a symbolic link.
    fn read_link(&self, path: &Path) -> io::Result<PathBuf>;
    /// Names in a folder, sorted.
    fn list(&self, path: &Path) -> io::Result<Vec<String>>;
    /// Digest and size of a file's content. In a probe pass the engine's view answers from its records while size, inode
    /// and ctime are those of the record; the real host always hashes.
    fn digest(&self, path: &Path) -> io::Result<(Digest, u64)>;
    /// Runs a command that only looks (`systemctl show`, `nft list ruleset`…). The caller vouches for that.
    fn ask(&self, command: &Command) -> Result<Output, CommandError>;
    /// Space at a path.
    fn space(&self, path: &Path) -> io::Result<Space>;
    /// Who holds a lock on a file that another one could not be had beside.
    fn lock_of(&self, path: &Path) -> io::Result<FileLock>;
    /// Wall clock, nanoseconds since 1970.
    fn now(&self) -> i128;
    /// What else the kernel says of its clock.
    fn kernel_clock(&self) -> io::Result<KernelClock>;

    /// The content of a file as text, or `None` when it is not there.
    fn read_text(&self, path: &Path) -> io::Result<Option<String>> {
        match self.read(path) {
            Ok(bytes) => Ok(Some(String::from_utf8_lossy(&bytes).into_owned())),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(error),
        }
    }
}

/// Where [`System::write`], `install` and `write_stream` prepare the new content of `path`. A crash may leave this file; the
/// next write of `path` replaces it, and striking `path` from the baseline removes it.
pub fn temporary(path: &Path) -> PathBuf {
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    path.with_file_name(format!(".{name}.garboard-new"))
}

/// A host that can be changed. Every change of a file is durable when the call returns.
pub trait System: Look {
    /// This host as a read-only view.
    fn look(&self) -> &dyn Look;
    /// Replaces or makes a file: temp in the same folder (its name is [`temporary`]), fsync, rename, fsync of the folder.
    /// Owner root.
    fn write(&self, path: &Path, content: &[u8], mode: u32) -> io::Result<()>;
    /// Like `write`, with the content of another file (a blob), checked against `digest` while it is copied.
    fn install(&self, from: &Path, digest: Digest, path: &Path, mode: u32) -> io::Result<()>;
    /// Like `write`, content from a reader; gives digest and size of what was written.
    fn write_stream(&self, path: &Path, content: &mut dyn io::Read, mode: u32) -> io::Result<(Digest, u64)>;
    /// Appends to a file, made with `mode` when missing; fsync (also of the folder, when made).
    fn append(&self, path: &Path, content: &[u8], mode: u32) -> io::Result<()>;
    /// Writes into a file that exists, in place, without temp or fsync: `/proc/sys`, `/sys`.
    fn poke(&self, path: &Path, content: &[u8]) -> io::Result<()>;
    /// Makes one folder.
    fn create_directory(&self, path: &Path, mode: u32) -> io::Result<()>;
    /// Sets permission bits.
    fn set_mode(&self, path: &Path, mode: u32) -> io::Result<()>;
    /// Sets the owner.
    fn set_owner(&self, path: &Path, user: u32, group: u32) -> io::Result<()>;
    /// Makes a symbolic link.
    fn symlink(&self, target: &Path, path: &Path) -> io::Result<()>;
    /// Removes a file or link (not a folder).
    fn remove_file(&self, path: &Path) -> io::Result<()>;
    /// Removes an empty folder.
    fn remove_directory(&self, path: &Path) -> io::Result<()>;
    /// Runs a command that changes the host.
    fn run(&self, command: &Command) -> Result<Output, CommandError>;
    /// Like `run`, streaming: see [`Live`].
    fn run_live(&self, command: &Command, live: Live<'_>) -> Result<Output, CommandError>;
    /// Comes back when a process that could write to `path` closes it, when the lock on it is free, or after `longest`.
    /// Takes no lock itself: a lock held for a moment would turn away whoever comes in that moment.
    fn wait_for_lock(&self, path: &Path, longest: Duration) -> io::Result<()>;
    /// Unmounts lazily what is mounted at `path`.
    fn unmount(&self, path: &Path) -> io::Result<()>;
    /// Sets the live host name.
    fn set_hostname(&self, name: &str) -> io::Result<()>;
    /// Sets the wall clock, nanoseconds since 1970.
    fn set_clock(&self, nanoseconds: i128) -> io::Result<()>;
    /// Sets the clock that runs while the machine is off, nanoseconds since 1970.
    fn set_hardware_clock(&self, nanoseconds: i128) -> io::Result<()>;
    /// How long each of many small writes took until it was on the disk of `folder`. Ends after `longest`, or when enough were
    /// made; nothing of them stays.
    fn sync_latencies(&self, folder: &Path, longest: Duration) -> io::Result<Vec<Duration>>;
}
