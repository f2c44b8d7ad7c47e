//! Why a host could not be reached or logged in to.

use std::io;
use std::path::PathBuf;
use std::sync::Arc;

use super::confirmation::how_to_compare;
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

    /// What the user can do, for any host.
    pub fn help(&self) -> Option<String> {
        self.help_for("HOST")
    }

    /// What the user can do; `host` is its name in the inventory.
    fn help_for(&self, host: &str) -> Option<String> {
        Some(match self {
            Self::Resolve { .. } => "correct the host's `address`, or make the name resolvable".to_owned(),
            Self::Connect { source, .. } if source.kind() == io::ErrorKind::ConnectionRefused => {
                "start sshd there (`systemctl enable --now ssh`), or correct `ssh.port`".to_owned()
            }
            Self::Connect { address, .. } => {
                format!("see that the machine is on and reachable: `ping {address}`; correct its `address` otherwise")
            }
            Self::TimedOut { said, .. } if !said.is_empty() => {
                format!("the proxy command said: {said}")
            }
            Self::TimedOut { .. } => {
                "see that the machine is on, and that no firewall drops the connection".to_owned()
            }
            Self::Proxy { .. } => {
                "correct `ssh.proxy_command`; `%h`, `%n`, `%p`, `%r` and `%%` stand for host, name, port, login, and `%`"
                    .to_owned()
            }
            Self::Conversation { .. } => {
                "see whether `ssh` gets through to it; what sshd has to say is in `journalctl -u ssh` on the host"
                    .to_owned()
            }
            Self::NoHostKey { .. } => {
                "give the host an Ed25519, ECDSA or RSA key: `ssh-keygen -A` there, then restart its sshd".to_owned()
            }
            Self::UnknownHostKey { key, .. } => format!(
                "compare it with `{}` on the host's own console, then `garboard trust {host}`, or add to the host in the \
                 inventory: `host_key: \"{}\"`",
                how_to_compare(&key.algorithm),
                key.fingerprint
            ),
            Self::ChangedHostKey { found, pinned_in, .. } => {
                let pin = if pinned_in == IN_INVENTORY {
                    format!("put into the inventory: `host_key: \"{found}\"`")
                } else {
                    format!("`garboard trust {host}`")
                };
                format!(
                    "somebody may be in between; only if the host was installed anew (another SD card), and its own console \
                     shows the same fingerprint (`ssh-keygen -lf` with each `/etc/ssh/ssh_host_*_key.pub`): {pin}"
                )
            }
            Self::WrongHostKey { .. } => {
                "nothing was pinned; somebody may be in between, or it is another machine at that address".to_owned()
            }
            Self::RevokedAuthority { .. } => {
                format!(
                    "its certificates count no longer: have the host's key signed by another authority, or pin the key itself \
                     with `garboard trust {host}`"
                )
            }
            Self::HostCertificate { .. } => format!(
                "have the host's key signed anew (`ssh-keygen -s AUTHORITY -h -n NAMES`), or pin the key itself with \
                 `garboard trust {host}`"
            ),
            Self::Record { .. } => "make the folder writable for you, and see that its disk is not full".to_owned(),
            Self::RevokedHostKey { .. } => {
                "this key is known to be in wrong hands: give the host new keys (`ssh-keygen -A`)".to_owned()
            }
            Self::KnownHosts { path, .. } => {
                format!("make `{}` readable, or repair the line", path.display())
            }
            Self::UserConfig { .. } => {
                "correct the file; what `ssh:` in the inventory says wins over it".to_owned()
            }
            Self::Identity { help, .. } => help.clone(),
            Self::NoIdentity { .. } => {
                "name a key with `ssh.identity`, or load one with `ssh-add`; `ssh-keygen -t ed25519` makes one".to_owned()
            }
            Self::Denied { address, user, .. } => {
                format!(
                    "let the key in with `ssh-copy-id {user}@{address}`, or correct `ssh.user` and `ssh.identity`; sshd \
                     tells nobody but its own log why (`journalctl -u ssh` there): a key whose time is over \
                     (`expiry-time` in authorized_keys) and a locked or expired account (`chage -l {user}`) are refused \
                     in the same way"
                )
            }
            Self::Jump { source, hop } => return source.help_at_jump_host(hop).or_else(|| source.help_for(host)),
            Self::Forward { refused: true, .. } => {
                "its sshd must allow `AllowTcpForwarding`, and its `PermitOpen` the way".to_owned()
            }
            Self::Forward { hop, .. } => {
                format!("see from `{hop}` that the machine is on and its sshd answers; correct its `address` otherwise")
            }
            Self::Password { .. } => "correct `ssh.password` in the inventory, or its source".to_owned(),
            Self::Channel { .. } => "raise `MaxSessions` in the host's sshd_config (10 by default)".to_owned(),
            Self::OpenSsh { .. } => {
                "install OpenSSH's client, 8.5 or later, and see what `ssh -G HOST` says; or leave out `transport: openssh`"
                    .to_owned()
            }
            Self::Local { .. } => return None,
        })
    }

    /// The same where the key of a jump host is meant, which no inventory pins.
    fn help_at_jump_host(&self, hop: &str) -> Option<String> {
        Some(match self {
            Self::UnknownHostKey { key, .. } => format!(
                "compare it with `{}` on the jump host, then log in there once with `ssh {hop}`, which records it; on a terminal \
                 Garboard asks",
                how_to_compare(&key.algorithm)
            ),
            Self::ChangedHostKey { pinned_in, .. } => format!(
                "somebody may be in between; only if the jump host was installed anew, and shows the same fingerprint itself: \
                 take its line out of {pinned_in} (`ssh-keygen -R` does it)"
            ),
            _ => return None,
        })
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
