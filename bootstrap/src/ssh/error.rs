//! Why a host could not be reached or logged in to.

use std::io;
use std::path::PathBuf;
use std::sync::Arc;

use super::offered::OfferedKey;
use crate::problem::{Exit, Problem};
use crate::secrets::SecretFault;

/// Where a key is pinned that the user's own file pins.
pub(super) const IN_INVENTORY: &str = "the inventory";

/// Why a host could not be reached or logged in to. The text does not say which host of the inventory it is;
/// [`SshError::problem`] adds that.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SshError {
    /// The address has no meaning.
    #[error("the address `{address}` cannot be resolved")]
    Resolve {
        /// As in the inventory, or `HostName` of `~/.ssh/config`.
        address: String,
        /// From the resolver.
        source: io::Error,
    },
    /// Nothing answers there.
    #[error("cannot connect to `{address}` port {port}")]
    Connect {
        /// Where to.
        address: String,
        /// Where to.
        port: u16,
        /// From the network.
        source: io::Error,
    },
    /// It took too long.
    #[error("no SSH connection to `{address}` port {port} within {seconds} s")]
    TimedOut {
        /// Where to.
        address: String,
        /// Where to.
        port: u16,
        /// The limit.
        seconds: u64,
        /// What the proxy command said, if there is one.
        said: String,
    },
    /// The proxy command cannot be started, or a token in it means nothing.
    #[error("cannot start the proxy command `{command}`")]
    Proxy {
        /// As written.
        command: String,
        /// Why.
        source: io::Error,
    },
    /// Connected, but no conversation came about.
    #[error("the SSH conversation with `{address}` port {port} failed: {cause}{}", proxy_said(.said))]
    Conversation {
        /// Where to.
        address: String,
        /// Where to.
        port: u16,
        /// From the SSH library, or the server.
        cause: String,
        /// What the proxy command said, if there is one.
        said: String,
    },
    /// The host's key is pinned nowhere.
    #[error("the host key of `{address}` is not pinned: it shows {} `{}`", .key.algorithm, .key.fingerprint)]
    UnknownHostKey {
        /// Where.
        address: String,
        /// What the host shows.
        key: Box<OfferedKey>,
    },
    /// The host has no key of the kinds it was asked for.
    #[error("`{address}` has no host key of a kind that can be used{}", in_brackets(.kinds))]
    NoHostKey {
        /// Where.
        address: String,
        /// The kinds it has.
        kinds: Vec<String>,
    },
    /// The host's key is another one than the pinned one.
    #[error("the host key of `{address}` has changed: {pinned_in} has {}, it shows `{found}`", quoted(.expected))]
    ChangedHostKey {
        /// Where.
        address: String,
        /// The pinned fingerprints.
        expected: Vec<String>,
        /// Where they are pinned.
        pinned_in: String,
        /// The fingerprint shown.
        found: String,
    },
    /// The host's key is marked `@revoked`.
    #[error("the host key `{fingerprint}` of `{address}` is revoked in `{}`", path.display())]
    RevokedHostKey {
        /// Where.
        address: String,
        /// `SHA256:…`.
        fingerprint: String,
        /// The known-hosts file.
        path: PathBuf,
    },
    /// The authority whose certificate the host shows is marked `@revoked`.
    #[error("the authority `{fingerprint}`, which vouches for the host key of `{address}`, is revoked in `{}`", path.display())]
    RevokedAuthority {
        /// Where.
        address: String,
        /// `SHA256:…` of the authority.
        fingerprint: String,
        /// The known-hosts file.
        path: PathBuf,
    },
    /// A `@cert-authority` line counts for the host, but the certificate it shows does not hold.
    #[error("the host certificate of `{address}` does not hold: {cause}")]
    HostCertificate {
        /// Where.
        address: String,
        /// What is wrong with it.
        cause: String,
    },
    /// A person has given another fingerprint than that of the key shown.
    #[error("the host key of `{address}` is not the one you gave: that is `{expected}`, it shows `{found}`")]
    WrongHostKey {
        /// Where.
        address: String,
        /// As given.
        expected: String,
        /// The fingerprint shown.
        found: String,
    },
    /// A confirmed host key cannot be recorded.
    #[error("cannot write the host key into `{}`", path.display())]
    Record {
        /// Our own known-hosts file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// A known-hosts file cannot be used.
    #[error("cannot use the host keys in `{}`", path.display())]
    KnownHosts {
        /// The file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// `~/.ssh/config` cannot be used.
    #[error("cannot use `{}`: {cause}", path.display())]
    UserConfig {
        /// The file.
        path: PathBuf,
        /// Why.
        cause: String,
    },
    /// A private key cannot be used.
    #[error("cannot use the private key `{}`: {cause}", path.display())]
    Identity {
        /// The file.
        path: PathBuf,
        /// Why.
        cause: String,
        /// What to do.
        help: String,
    },
    /// The password of the login cannot be had.
    #[error("cannot get the password of `{user}` on `{address}`")]
    Password {
        /// Where.
        address: String,
        /// The login.
        user: String,
        /// Why.
        source: SecretFault,
    },
    /// A jump host is not passed.
    #[error("cannot log in to the jump host `{hop}`")]
    Jump {
        /// As `~/.ssh/config` or the inventory names it.
        hop: String,
        /// Why.
        source: Arc<SshError>,
    },
    /// A jump host leads no further.
    #[error("the jump host `{hop}` does not lead to `{address}` port {port}: {cause}")]
    Forward {
        /// As `~/.ssh/config` or the inventory names it.
        hop: String,
        /// Where to.
        address: String,
        /// Where to.
        port: u16,
        /// From its sshd.
        cause: String,
        /// It is not allowed to, rather than not able to.
        refused: bool,
    },
    /// There is no key to try.
    #[error("there is no private key to log in with as `{user}` on `{address}`{}", in_brackets(.notes))]
    NoIdentity {
        /// Where.
        address: String,
        /// The login.
        user: String,
        /// Keys that were left out, and why.
        notes: Vec<String>,
    },
    /// sshd takes none of our keys.
    #[error("`{address}` does not let `{user}` in with {}{}", list(.tried), in_brackets(.notes))]
    Denied {
        /// Where.
        address: String,
        /// The login.
        user: String,
        /// The keys tried.
        tried: Vec<String>,
        /// What else is to be known: keys left out, ways sshd would take.
        notes: Vec<String>,
    },
    /// The server opens no more channels.
    #[error("`{login}` opens no further channel: {cause}")]
    Channel {
        /// Whose connection.
        login: String,
        /// From the SSH library.
        cause: String,
    },
    /// The `ssh` program does not do its work.
    #[error("the `ssh` program of this machine cannot be used: {cause}")]
    OpenSsh {
        /// Why.
        cause: String,
    },
    /// A command cannot be started on this machine.
    #[error("cannot start a command on this machine")]
    Local {
        /// Why.
        source: io::Error,
    },
}

impl SshError {
    /// What a command that meets it ends with. A host key that is not the pinned one refuses the run.
    pub fn exit(&self) -> Exit {
        match self {
            Self::UnknownHostKey { .. }
            | Self::ChangedHostKey { .. }
            | Self::WrongHostKey { .. }
            | Self::RevokedHostKey { .. }
            | Self::RevokedAuthority { .. }
            | Self::HostCertificate { .. } => Exit::Refused,
            Self::Jump { source, .. } => source.exit(),
            _ => Exit::Failed,
        }
    }

    /// The whole story, for `host` of the inventory.
    pub fn problem(&self, host: &str) -> Problem {
        let problem = Problem::from_error(self.exit(), self).host(host);
        match self.help_for(host) {
            Some(help) => problem.help(help),
            None => problem,
        }
    }
}

fn quoted(texts: &[String]) -> String {
    let texts: Vec<_> = texts.iter().map(|text| format!("`{text}`")).collect();
    texts.join(" or ")
}

fn list(texts: &[String]) -> String {
    if texts.is_empty() { "any key".to_owned() } else { texts.join(", ") }
}

fn in_brackets(notes: &[String]) -> String {
    if notes.is_empty() { String::new() } else { format!(" ({})", notes.join("; ")) }
}

fn proxy_said(said: &str) -> String {
    if said.is_empty() { String::new() } else { format!(" (the proxy command said: {said})") }
}
