//! SSH spoken by this program itself, over TCP, jump hosts or the user's proxy command.

mod authenticate;
mod certificate;
mod channel;
mod connect;
mod connection;
mod hops;
mod host_key;
mod identity;
mod judgement;
mod keys;
mod known_hosts;
mod offered;
mod pattern;
mod record;

use std::path::PathBuf;
use std::sync::Arc;

use async_trait::async_trait;

use super::user_config::Here;
use super::{Confirmation, Connection, OfferedKeys, SshError, Target, Transport};
use crate::secrets::Secrets;
use connection::NativeConnection;
use hops::Hops;
use keys::Keys;

pub(crate) use judgement::{Pinned, Refusal, Shown};
#[cfg(fuzzing)]
pub use known_hosts::is_known_host;
pub(super) use known_hosts::written;
pub(crate) use known_hosts::{Files, KnownHosts, Line, fingerprint};
pub use record::Record;

/// Speaks SSH itself.
#[derive(Clone)]
pub struct Native {
    shared: Arc<Shared>,
}

/// What this transport uses of the laptop.
#[derive(Debug, Clone, Default)]
pub struct NativeOptions {
    /// The folder above `.ssh`, for `config` and the usual keys; `None`: neither is looked at.
    pub home: Option<PathBuf>,
    /// The user's own name: the login on jump hosts for which nothing names one.
    pub user: Option<String>,
    /// Our own known-hosts file: a host that it knows is known by nothing else.
    pub own_known_hosts: Option<PathBuf>,
    /// Further known-hosts files. One that is not there is empty.
    pub known_hosts: Vec<PathBuf>,
    /// Who decides about host keys that none of them knows; without them such a key is refused.
    pub confirmation: Option<Arc<Confirmation>>,
    /// The socket of the user's SSH agent.
    pub agent_socket: Option<PathBuf>,
    /// Passphrases and passwords.
    pub secrets: Arc<Secrets>,
}

impl NativeOptions {
    /// As `ssh` would on this machine, with a known-hosts file of our own.
    pub fn of_this_machine(
        own_known_hosts: PathBuf,
        secrets: Arc<Secrets>,
        confirmation: Option<Arc<Confirmation>>,
    ) -> Self {
        let home = std::env::home_dir();
        let users = home.as_ref().map(|home| home.join(".ssh/known_hosts"));
        let known_hosts = users.into_iter().chain([PathBuf::from("/etc/ssh/ssh_known_hosts")]).collect();
        let agent_socket =
            std::env::var_os("SSH_AUTH_SOCK").filter(|path| !path.is_empty()).map(PathBuf::from);
        let user = std::env::var("USER").or_else(|_| std::env::var("LOGNAME")).ok();
        Self {
            home,
            user: user.filter(|user| !user.is_empty()),
            own_known_hosts: Some(own_known_hosts),
            known_hosts,
            confirmation,
            agent_socket,
            secrets,
        }
    }

    pub(crate) fn files(&self) -> Files<'_> {
        Files { own: self.own_known_hosts.as_deref(), others: &self.known_hosts }
    }

    pub(super) fn here(&self) -> Here<'_> {
        Here { home: self.home.as_deref(), user: self.user.as_deref() }
    }
}

/// What all connections of one transport have in common.
struct Shared {
    options: NativeOptions,
    keys: Keys,
    hops: Hops,
}

impl Native {
    /// With these files and this agent.
    pub fn new(options: NativeOptions) -> Self {
        Self { shared: Arc::new(Shared { options, keys: Keys::default(), hops: Hops::default() }) }
    }

    pub(super) fn files(&self) -> Files<'_> {
        self.shared.options.files()
    }
}

impl std::fmt::Debug for Native {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("Native").field("options", &self.shared.options).finish_non_exhaustive()
    }
}

#[async_trait]
impl Transport for Native {
    async fn connect(&self, target: &Target) -> Result<Box<dyn Connection>, SshError> {
        let destination = super::user_config::resolve(target, self.shared.options.here())?;
        Ok(Box::new(NativeConnection::open(Arc::clone(&self.shared), destination).await?))
    }

    async fn host_keys(&self, target: &Target) -> Result<OfferedKeys, SshError> {
        let destination = super::user_config::resolve(target, self.shared.options.here())?;
        offered::offered(&self.shared, &destination).await
    }
}
