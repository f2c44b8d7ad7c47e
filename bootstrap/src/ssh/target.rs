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

#[cfg(test)]
mod tests {
    use super::Target;

    #[test]
    fn what_the_inventory_says_is_told_from_what_it_leaves_open() {
        let text = "
cluster: { name: a, kubernetes: v1.36.3 }
hosts:
  cp1: { address: 10.0.0.1, role: control_plane, ssh: { user: root, port: 22 } }
  w1: { address: 10.0.0.2, role: worker }
";
        let inventory = garboard_inventory::parse("garboard.yaml", text).unwrap();
        let targets: Vec<_> = inventory.hosts.iter().map(Target::of).collect();
        assert_eq!((targets[0].user.as_deref(), targets[0].port), (Some("root"), Some(22)));
        assert_eq!((targets[1].user.as_deref(), targets[1].port), (None, None));
    }
}
