//! Ways to a host: a transport connects, a connection opens byte streams to commands.
//!
//! Three of them: [`Native`] speaks SSH itself, [`OpenSsh`] has the user's `ssh` speak it, [`Local`] runs commands on
//! this machine. Nothing outside this module knows which one is at work, and no type of the SSH library leaves `native`.

mod child;
mod confirmation;
mod counted;
mod cuttable;
mod error;
mod fix;
mod local;
mod native;
mod offered;
pub(crate) mod openssh;
mod proxy_command;
mod stream;
mod target;
mod transports;
mod user_config;

use async_trait::async_trait;

pub use confirmation::Confirmation;
pub(crate) use confirmation::{Answer, as_ssh_keygen, ask, how_to_compare};
pub use error::SshError;
pub use local::Local;
#[cfg(fuzzing)]
pub use native::is_known_host;
pub(crate) use native::{Files, KnownHosts, Line, fingerprint};
pub use native::{Native, NativeOptions, Record};
pub use offered::{OfferedKey, OfferedKeys};
pub use openssh::{OpenSsh, OpenSshOptions};
pub use stream::{Ending, ExitStatus, Stream};
pub use target::Target;
pub use transports::Transports;

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

    /// `SHA256:…` of the key that the host has shown. `None` where nobody shows one: on this machine.
    fn host_key(&self) -> Option<&str> {
        None
    }

    /// Says goodbye. What still runs on the host loses its stream.
    async fn close(&self);
}
