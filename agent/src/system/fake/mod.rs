//! A host in memory, for tests: files with owners, modes and times, scripted commands, a record of every call, and faults
//! at a chosen change.

mod files;
mod look;
mod system;

use std::collections::BTreeMap;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use super::{Command, CommandError, FileLock, Kind, Look, Output, Space, temporary};
use files::Node;

/// When the clock of the host begins, nanoseconds since 1970 (2025-11-21 10:13:20 UTC); each change is a tick of one.
const BEGIN: i128 = 1_763_720_000_000_000_000;

/// What a scripted command does; `None`: this script does not know it.
pub type Script = Box<dyn Fn(&Fake, &Command) -> Option<Result<Output, CommandError>> + Send + Sync>;

/// How long the host has been running then.
const SINCE_BOOT: Duration = Duration::from_secs(100);

/// The host.
#[derive(Default)]
pub struct Fake {
    state: Mutex<State>,
    scripts: Mutex<Vec<std::sync::Arc<Script>>>,
}

#[derive(Default)]
struct State {
    nodes: BTreeMap<PathBuf, Node>,
    ticks: i128,
    inodes: u64,
    hostname: String,
    space: Option<Space>,
    calls: Vec<String>,
    changes: u64,
    fault: Option<Fault>,
    locks: BTreeMap<PathBuf, FileLock>,
    /// How far the clock is from where it began, nanoseconds.
    clock_ahead: i128,
    synchronised: bool,
    sync_latency: Duration,
}

/// What happens at one change, counted from 1.
#[derive(Debug, Clone, Copy)]
struct Fault {
    at: u64,
    errno: i32,
    /// Nothing works any more after it.
    is_power_cut: bool,
}

impl Fake {
    /// A host with these text files (0644) and the folders above them (0755).
    pub fn with(files: &[(&str, &str)]) -> Self {
        let fake = Self::default();
        fake.put_directory("/");
        for (path, content) in files {
            fake.put(path, content.as_bytes(), 0o644);
        }
        fake
    }

    /// Puts a file there, unrecorded.
    pub fn put(&self, path: &str, content: &[u8], mode: u32) {
        self.put_parents(path);
        self.state().place(Path::new(path), Node::file(content, mode));
    }

    /// Puts a folder there, unrecorded.
    pub fn put_directory(&self, path: &str) {
        self.put_parents(path);
        if !self.state().nodes.contains_key(Path::new(path)) {
            self.state().place(Path::new(path), Node::directory(0o755));
        }
    }

    /// Puts a symbolic link there, unrecorded.
    pub fn put_link(&self, path: &str, target: &str) {
        self.put_parents(path);
        self.state().place(Path::new(path), Node::link(Path::new(target)));
    }

    /// Puts what is at `path` on another file system than the first, which is device 1; unrecorded.
    pub fn put_on_device(&self, path: &str, device: u64) {
        if let Some(node) = self.state().nodes.get_mut(Path::new(path)) {
            node.device = device;
        }
    }

    fn put_parents(&self, path: &str) {
        if let Some(parent) = Path::new(path).parent() {
            self.put_directory(&parent.to_string_lossy());
        }
    }

    /// Takes a path away, with all below it, unrecorded.
    pub fn take(&self, path: &str) {
        self.state().nodes.retain(|known, _| !known.starts_with(path));
    }

    /// Adds a script; the newest that knows a command answers it.
    pub fn script(
        &self,
        script: impl Fn(&Self, &Command) -> Option<Result<Output, CommandError>> + Send + Sync + 'static,
    ) {
        let mut scripts = self.scripts.lock().unwrap_or_else(PoisonError::into_inner);
        scripts.push(std::sync::Arc::new(Box::new(script)));
    }

    /// Lets every command that begins with `words` succeed and print `stdout`.
    pub fn answer(&self, words: &str, stdout: &str) {
        let (words, stdout) = (words.to_owned(), stdout.to_owned());
        self.script(move |_, command| {
            let shown = command.display();
            let rest = shown.strip_prefix(&words)?;
            (rest.is_empty() || rest.starts_with(' '))
                .then(|| Ok(Output { code: 0, stdout: stdout.clone(), stderr: String::new() }))
        });
    }

    /// Sets what [`Look::space`] says.
    pub fn set_space(&self, space: Space) {
        self.state().space = Some(space);
    }

    /// Sets the clock ahead of where it would be, in milliseconds, unrecorded, and whether it follows a source.
    pub fn put_clock(&self, ahead_milliseconds: i128, synchronised: bool) {
        let mut state = self.state();
        state.clock_ahead = ahead_milliseconds * 1_000_000;
        state.synchronised = synchronised;
    }

    /// Sets how long two of the writes take to reach the disk; the others take a microsecond.
    pub fn set_sync_latency(&self, latency: Duration) {
        self.state().sync_latency = latency;
    }

    /// Lets somebody lock a file, until he is waited for.
    pub fn lock(&self, path: &str, lock: FileLock) {
        self.state().locks.insert(path.into(), lock);
    }

    /// The `nth` change from now (1: the next) fails with `errno`, once; a write leaves half of its temp file.
    pub fn fail_change(&self, nth: u64, errno: i32) {
        let mut state = self.state();
        state.fault = Some(Fault { at: state.changes + nth, errno, is_power_cut: false });
    }

    /// The power goes in the middle of the `nth` change from now, and nothing works until [`Fake::restore_power`].
    pub fn cut_power(&self, nth: u64) {
        let mut state = self.state();
        state.fault = Some(Fault { at: state.changes + nth, errno: nix::libc::EIO, is_power_cut: true });
    }

    /// Ends a power cut.
    pub fn restore_power(&self) {
        self.state().fault = None;
    }

    /// Every call since the last [`Fake::forget_calls`] that could change something: `write /etc/hosts`, `run systemctl …`.
    pub fn changes(&self) -> Vec<String> {
        self.state().calls.iter().filter(|call| !call.starts_with("ask ")).cloned().collect()
    }

    /// Every command, asked or run, with its word before it.
    pub fn commands(&self) -> Vec<String> {
        let state = self.state();
        state
            .calls
            .iter()
            .filter(|call| call.starts_with("ask ") || call.starts_with("run "))
            .cloned()
            .collect()
    }

    /// Begins a new record.
    pub fn forget_calls(&self) {
        self.state().calls.clear();
    }

    /// Content of a file as text.
    pub fn content(&self, path: &str) -> Option<String> {
        self.read_text(Path::new(path)).ok().flatten()
    }

    /// Every path, with a line about what is there; for comparing two states of a host.
    pub fn tree(&self) -> BTreeMap<PathBuf, String> {
        self.state().nodes.iter().map(|(path, node)| (path.clone(), node.summary())).collect()
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Records a change and makes it, unless a fault is due: then `broken` is what is left of it.
    fn change<T>(
        &self,
        call: String,
        make: impl FnOnce(&mut State) -> io::Result<T>,
        broken: impl FnOnce(&mut State),
    ) -> io::Result<T> {
        let mut state = self.state();
        state.calls.push(call);
        state.changes += 1;
        if let Some(fault) = state.fault
            && (fault.at == state.changes || fault.is_power_cut && fault.at < state.changes)
        {
            if fault.at == state.changes {
                broken(&mut state);
            }
            return Err(io::Error::from_raw_os_error(fault.errno));
        }
        make(&mut state)
    }

    fn change_whole<T>(&self, call: String, make: impl FnOnce(&mut State) -> io::Result<T>) -> io::Result<T> {
        self.change(call, make, |_| ())
    }

    fn replace(&self, path: &Path, content: &[u8], mode: u32) -> io::Result<()> {
        self.change(
            format!("write {}", path.display()),
            |state| {
                state.parent_of(path)?;
                if state.nodes.get(path).is_some_and(|node| node.kind == Kind::Directory) {
                    return Err(io::Error::from_raw_os_error(nix::libc::EISDIR));
                }
                state.nodes.remove(&temporary(path));
                state.place(path, Node::file(content, mode));
                Ok(())
            },
            |state| state.place(&temporary(path), Node::file(&content[..content.len() / 2], 0o600)),
        )
    }

    fn execute(&self, command: &Command, word: &str) -> Result<Output, CommandError> {
        let shown = command.display();
        let failed = |source| CommandError::Start { command: shown.clone(), source };
        if word == "run" {
            self.change_whole(format!("run {shown}"), |_| Ok(())).map_err(failed)?;
        } else {
            self.state().calls.push(format!("ask {shown}"));
        }
        let scripts = self.scripts.lock().unwrap_or_else(PoisonError::into_inner).clone();
        let known = scripts.iter().rev().find_map(|script| script(self, command));
        let output = known.unwrap_or_else(|| Err(failed(io::ErrorKind::NotFound.into())))?;
        if command.expected.contains(&output.code) {
            return Ok(output);
        }
        Err(CommandError::Exit { command: shown, code: output.code, stderr: output.stderr })
    }
}
