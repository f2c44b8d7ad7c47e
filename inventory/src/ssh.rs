//! How a host is reached, resolved.

use std::path::PathBuf;

use serde::Serialize;

use crate::secret::SecretReference;
use crate::syntax::Jump;

/// Who speaks SSH.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash, Serialize, schemars::JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum SshTransport {
    /// This program itself.
    #[default]
    Russh,
    /// The `ssh` program of this machine.
    Openssh,
}

/// How a host is reached.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Ssh {
    /// The login, where the inventory names one.
    pub user: Option<String>,
    /// The port of sshd, where the inventory names one.
    pub port: Option<u16>,
    /// Private key files in the order to try them. From [`crate::load`]: absolute if the inventory's path was, with
    /// `~` expanded; from [`crate::parse`]: as written. Empty: the SSH agent and the usual files.
    pub identity: Vec<PathBuf>,
    /// The passphrase of the private keys.
    pub passphrase: Option<SecretReference>,
    /// The password of the login, where sshd is to be given one.
    pub password: Option<SecretReference>,
    /// Hosts to pass on the way, in this order; empty: what `~/.ssh/config` says.
    pub proxy_jump: Vec<Jump>,
    /// A program whose standard input and output lead to sshd; `%h`, `%p`, `%r` still stand in it.
    pub proxy_command: Option<String>,
    /// The password `sudo` asks the login for.
    pub sudo_password: Option<SecretReference>,
    /// Who speaks SSH.
    pub transport: SshTransport,
}
