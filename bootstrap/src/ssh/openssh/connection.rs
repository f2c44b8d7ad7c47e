//! A login that `ssh` keeps, and commands over it.

use std::process::Stdio;
use std::sync::atomic::{AtomicBool, Ordering};

use async_trait::async_trait;
use tokio::process::Command;

use super::OpenSshOptions;
use super::arguments::{Arguments, Resolved};
use super::said::last_line;
use crate::ssh::counted::Counters;
use crate::ssh::stream::{ExitStatus, Stream};
use crate::ssh::{Connection, SshError, child};

/// What `ssh` ends with when it is not the command that ended.
const LOST: i32 = 255;

pub(super) struct OpenSshConnection {
    program: std::path::PathBuf,
    arguments: Arguments,
    name: String,
    host_key: Option<String>,
    counters: Counters,
    closed: AtomicBool,
}

impl OpenSshConnection {
    pub(super) fn new(options: &OpenSshOptions, arguments: Arguments, resolved: &Resolved) -> Self {
        let name = format!("{}@{}", resolved.user, arguments.address());
        let (program, counters) = (options.program.clone(), Counters::default());
        let host_key = fs_err::read_to_string(arguments.host_key_note()).ok();
        Self { program, arguments, name, host_key, counters, closed: AtomicBool::new(false) }
    }
}

#[async_trait]
impl Connection for OpenSshConnection {
    async fn open(&self, command: &str) -> Result<Stream, SshError> {
        let mut ssh = Command::new(&self.program);
        ssh.args(self.arguments.command(command));
        let opened = child::open(ssh, &self.counters, |status, said| match status.code() {
            Some(LOST) => Some(ExitStatus::Lost(Some(last_line(said)).filter(|line| !line.is_empty()))),
            _ => None,
        });
        opened.map_err(|source| SshError::OpenSsh { cause: source.to_string() })
    }

    fn bytes_sent(&self) -> u64 {
        self.counters.sent()
    }

    fn bytes_received(&self) -> u64 {
        self.counters.received()
    }

    fn login(&self) -> &str {
        &self.name
    }

    fn host_key(&self) -> Option<&str> {
        self.host_key.as_deref()
    }

    async fn close(&self) {
        if !self.closed.swap(true, Ordering::SeqCst) {
            // An error only says that it has ended already.
            let _ = Command::new(&self.program)
                .args(self.arguments.exit())
                .stdin(Stdio::null())
                .stdout(Stdio::null())
                .stderr(Stdio::null())
                .status()
                .await;
        }
    }
}

impl Drop for OpenSshConnection {
    fn drop(&mut self) {
        if !*self.closed.get_mut() {
            // Quick: it is one message over a socket. The folder with the socket goes after it.
            let _ = std::process::Command::new(&self.program)
                .args(self.arguments.exit())
                .stdin(Stdio::null())
                .stdout(Stdio::null())
                .stderr(Stdio::null())
                .status();
        }
    }
}
