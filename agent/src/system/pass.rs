//! One pass over many steps: what is expensive to ask is asked once.

use std::collections::HashMap;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use garboard_protocol::Digest;

use super::{Command, CommandError, FileLock, KernelClock, Look, Metadata, Output, Space};
use crate::store::Records;

/// What commands answered.
#[derive(Debug, Default)]
pub struct Answers(Mutex<HashMap<Command, Output>>);

/// A read-only view that remembers the answers of commands, and digests by their records. It is as old as its first
/// answer: the engine forgets the answers after each change.
pub struct Pass<'a> {
    look: &'a dyn Look,
    records: &'a Records,
    answers: &'a Answers,
}

impl<'a> Pass<'a> {
    /// A view of `look` through what is known.
    pub fn new(look: &'a dyn Look, records: &'a Records, answers: &'a Answers) -> Self {
        Self { look, records, answers }
    }
}

impl Look for Pass<'_> {
    fn metadata(&self, path: &Path) -> io::Result<Option<Metadata>> {
        self.look.metadata(path)
    }

    fn read(&self, path: &Path) -> io::Result<Vec<u8>> {
        self.look.read(path)
    }

    fn open(&self, path: &Path) -> io::Result<Box<dyn io::Read + Send>> {
        self.look.open(path)
    }

    fn read_link(&self, path: &Path) -> io::Result<PathBuf> {
        self.look.read_link(path)
    }

    fn list(&self, path: &Path) -> io::Result<Vec<String>> {
        self.look.list(path)
    }

    fn digest(&self, path: &Path) -> io::Result<(Digest, u64)> {
        self.records.digest(self.look, path)
    }

    fn ask(&self, command: &Command) -> Result<Output, CommandError> {
        let mut answers = self.answers.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(output) = answers.get(command) {
            return Ok(output.clone());
        }
        let output = self.look.ask(command)?;
        answers.insert(command.clone(), output.clone());
        Ok(output)
    }

    fn space(&self, path: &Path) -> io::Result<Space> {
        self.look.space(path)
    }

    fn lock_of(&self, path: &Path) -> io::Result<FileLock> {
        self.look.lock_of(path)
    }

    fn now(&self) -> i128 {
        self.look.now()
    }

    fn kernel_clock(&self) -> io::Result<KernelClock> {
        self.look.kernel_clock()
    }
}
