//! SSH spoken by this program itself, over TCP or the user's proxy command.

mod authenticate;
mod channel;
mod connect;
mod host_key;
mod identity;
mod known_hosts;

use std::path::PathBuf;

use async_trait::async_trait;

use super::{Connection, SshError, Target, Transport};

/// Speaks SSH itself.
#[derive(Debug, Clone)]
pub struct Native {
    options: NativeOptions,
}

/// What this transport uses of the laptop.
#[derive(Debug, Clone, Default)]
pub struct NativeOptions {
    /// The folder above `.ssh`, for `config` and the usual keys; `None`: neither is looked at.
    pub home: Option<PathBuf>,
    /// Known-hosts files, the most trusted first. One that is not there is empty.
    pub known_hosts: Vec<PathBuf>,
    /// The socket of the user's SSH agent.
    pub agent_socket: Option<PathBuf>,
}

impl NativeOptions {
    /// As `ssh` would on this machine, with `known_hosts` of our own before the user's and the system's.
    pub fn of_this_machine(known_hosts: PathBuf) -> Self {
        let home = std::env::home_dir();
        let users = home.as_ref().map(|home| home.join(".ssh/known_hosts"));
        let known_hosts = [Some(known_hosts), users, Some("/etc/ssh/ssh_known_hosts".into())]
            .into_iter()
            .flatten()
            .collect();
        let agent_socket =
            std::env::var_os("SSH_AUTH_SOCK").filter(|path| !path.is_empty()).map(PathBuf::from);
        Self { home, known_hosts, agent_socket }
    }
}

impl Native {
    /// With these files and this agent.
    pub fn new(options: NativeOptions) -> Self {
        Self { options }
    }
}

#[async_trait]
impl Transport for Native {
    async fn connect(&self, target: &Target) -> Result<Box<dyn Connection>, SshError> {
        let destination = super::user_config::resolve(target, self.options.home.as_deref())?;
        Ok(Box::new(connect::connect(&self.options, &destination).await?))
    }
}
