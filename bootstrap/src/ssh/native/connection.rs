//! A connection to a host: one login, and further ones where sshd allows fewer channels than are needed.

use std::sync::Arc;

use async_trait::async_trait;
use russh::Disconnect;
use tokio::sync::Mutex;

use super::super::counted::Counters;
use super::super::user_config::Destination;
use super::super::{Connection, SshError, Stream};
use super::connect::{Login, connect};
use super::{Shared, channel};

/// Logins on one host; a run needs no more than some five channels at a time.
const MOST_LOGINS: usize = 6;

/// A host's connection.
pub(super) struct NativeConnection {
    shared: Arc<Shared>,
    destination: Destination,
    name: String,
    counters: Counters,
    first: Login,
    /// Where sshd opened no further channel on the ones before.
    more: Mutex<Vec<Login>>,
}

impl NativeConnection {
    /// Connects, checks the host's key, logs in.
    pub(super) async fn open(shared: Arc<Shared>, destination: Destination) -> Result<Self, SshError> {
        let counters = Counters::default();
        let first = connect(&shared, &destination, &counters).await?;
        let name = format!("{}@{}", destination.user, destination.address);
        Ok(Self { shared, destination, name, counters, first, more: Mutex::default() })
    }

    fn failed(&self, login: &Login, error: &russh::Error) -> SshError {
        let cause = login.gone.why().unwrap_or_else(|| error.to_string());
        SshError::Channel { login: self.name.clone(), cause }
    }

    /// A channel on a further login. `refused` is why there is none on the first.
    async fn elsewhere(&self, command: &str, refused: SshError) -> Result<Stream, SshError> {
        let mut more = self.more.lock().await;
        for login in more.iter() {
            if let Ok(stream) = start(login, command).await {
                return Ok(stream);
            }
        }
        more.retain(|login| !login.is_closed());
        if more.len() + 1 >= MOST_LOGINS {
            return Err(refused);
        }
        tracing::debug!(login = self.name, "sshd opens no further channel: one more connection");
        let login = connect(&self.shared, &self.destination, &self.counters).await?;
        let opened = start(&login, command).await;
        let opened = opened.map_err(|error| self.failed(&login, &error));
        more.push(login);
        opened
    }
}

async fn start(login: &Login, command: &str) -> Result<Stream, russh::Error> {
    let channel = login.handle.channel_open_session().await?;
    channel::exec(channel, command, login.gone.clone()).await
}

#[async_trait]
impl Connection for NativeConnection {
    async fn open(&self, command: &str) -> Result<Stream, SshError> {
        match start(&self.first, command).await {
            Ok(stream) => Ok(stream),
            Err(error @ russh::Error::ChannelOpenFailure(_)) => {
                self.elsewhere(command, self.failed(&self.first, &error)).await
            }
            Err(error) => Err(self.failed(&self.first, &error)),
        }
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
        self.first.host_key()
    }

    async fn close(&self) {
        let more = self.more.lock().await;
        for login in std::iter::once(&self.first).chain(more.iter()) {
            // An error only says that the other side was quicker.
            let _ = login.handle.disconnect(Disconnect::ByApplication, "", "en").await;
        }
    }
}
