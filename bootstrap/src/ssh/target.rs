//! What a transport needs to know about a host.

use std::path::PathBuf;

use garboard_inventory::{Host, Jump, SecretReference};

/// The login where neither the inventory nor `~/.ssh/config` names one.
pub(super) const USER: &str = "root";
/// The port where neither the inventory nor `~/.ssh/config` names one.
pub(super) const PORT: u16 = 22;

/// A host to connect to. What is `None` or empty is looked up in `~/.ssh/config`, then defaults apply.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Target {
    /// Its name in the inventory.
    pub name: String,
    /// An address or a name, also of a `Host` block in `~/.ssh/config`.
    pub address: String,
    /// The login.
    pub user: Option<String>,
    /// The port of sshd.
    pub port: Option<u16>,
    /// Private key files, in the order to try them.
    pub identity: Vec<PathBuf>,
    /// The passphrase of the private keys.
    pub passphrase: Option<SecretReference>,
    /// The password of the login. Without it sshd is never given one.
    pub password: Option<SecretReference>,
    /// Hosts to pass on the way, in this order.
    pub proxy_jump: Vec<Jump>,
    /// A shell command whose standard input and output lead to sshd; `%h`, `%p`, `%r`, `%n` are replaced.
    pub proxy_command: Option<String>,
    /// The only host key that is right: `SHA256:…`.
    pub host_key: Option<String>,
}

impl Target {
    /// A host of the inventory. What it says wins over `~/.ssh/config`.
    pub fn of(host: &Host) -> Self {
        let ssh = &host.ssh;
        Self {
            name: host.name.clone(),
            address: host.address.clone(),
            user: ssh.user.clone(),
            port: ssh.port,
            identity: ssh.identity.clone(),
            passphrase: ssh.passphrase.clone(),
            password: ssh.password.clone(),
            proxy_jump: ssh.proxy_jump.clone(),
            proxy_command: ssh.proxy_command.clone(),
            host_key: host.host_key.clone(),
        }
    }
}
