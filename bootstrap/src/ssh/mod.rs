//! Ways to a host: a transport connects, a connection opens byte streams to commands.
//!
//! Three of them: [`Native`] speaks SSH itself, [`OpenSsh`] has the user's `ssh` speak it, [`Local`] runs commands on
//! this machine. Nothing outside this module knows which one is at work, and no type of the SSH library leaves `native`.

mod child;
mod counted;
mod cuttable;
mod error;
mod local;
mod native;
mod offered;
pub(crate) mod openssh;
mod proxy_command;
mod stream;
mod target;
mod user_config;

use async_trait::async_trait;

pub use error::SshError;
pub use local::Local;
pub use native::{Native, NativeOptions};
pub use offered::{OfferedKey, OfferedKeys};
pub use openssh::{OpenSsh, OpenSshOptions};
pub use stream::{Ending, ExitStatus, Stream};
pub use target::Target;

/// Connects to hosts.
#[async_trait]
pub trait Transport: Send + Sync {
    /// Connects and logs in. The host's key has been checked when this returns.
    async fn connect(&self, target: &Target) -> Result<Box<dyn Connection>, SshError>;

    /// Asks for the host's own keys, over the same way, without logging in and without judging them: one short
    /// connection for each kind of key. Jump hosts on the way are logged in to, and their keys checked, as always.
    async fn host_keys(&self, target: &Target) -> Result<OfferedKeys, SshError>;
}

/// A login on a host. Dropping it ends it, once the streams opened on it are dropped too.
#[async_trait]
pub trait Connection: Send + Sync {
    /// Starts a command line, which the login's shell reads; several can run at once.
    async fn open(&self, command: &str) -> Result<Stream, SshError>;

    /// Bytes sent to the host so far, encryption included.
    fn bytes_sent(&self) -> u64;

    /// Bytes received from the host so far, encryption included.
    fn bytes_received(&self) -> u64;

    /// Who logged in where, for messages: `root@192.168.1.11`.
    fn login(&self) -> &str;

    /// Says goodbye. What still runs on the host loses its stream.
    async fn close(&self);
}
