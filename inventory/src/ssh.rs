//! How a host is reached, resolved.

use std::path::PathBuf;

use serde::Serialize;

use crate::secret::SecretReference;

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
    /// A program whose standard input and output lead to sshd; `%h`, `%p`, `%r` still stand in it.
    pub proxy_command: Option<String>,
    /// The password `sudo` asks the login for.
    pub sudo_password: Option<SecretReference>,
}
