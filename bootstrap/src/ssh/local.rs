//! This machine as a host: commands are started, not sent.

use async_trait::async_trait;
use tokio::process::Command;

use super::counted::Counters;
use super::stream::Stream;
use super::{Connection, OfferedKeys, SshError, Target, Transport, child};

/// Starts commands on this machine; for tests and for looking at a host from the host itself.
#[derive(Debug, Clone, Copy, Default)]
pub struct Local;

#[async_trait]
impl Transport for Local {
    async fn connect(&self, _target: &Target) -> Result<Box<dyn Connection>, SshError> {
        Ok(Box::new(LocalConnection { counters: Counters::default() }))
    }

    async fn host_keys(&self, target: &Target) -> Result<OfferedKeys, SshError> {
        // Nobody is asked on the way to oneself.
        Err(SshError::NoHostKey { address: target.address.clone(), kinds: Vec::new() })
    }
}

struct LocalConnection {
    counters: Counters,
}

#[async_trait]
impl Connection for LocalConnection {
    async fn open(&self, command: &str) -> Result<Stream, SshError> {
        // As sshd does: the login's shell reads the command line.
        let mut shell = Command::new("/bin/sh");
        shell.arg("-c").arg(command);
        child::open(shell, &self.counters, |_, _| None).map_err(|source| SshError::Local { source })
    }

    fn bytes_sent(&self) -> u64 {
        self.counters.sent()
    }

    fn bytes_received(&self) -> u64 {
        self.counters.received()
    }

    fn login(&self) -> &'static str {
        "this machine"
    }

    async fn close(&self) {}
}
