//! What the user can do about a host that could not be reached or logged in to.

use std::io;

use super::SshError;
use super::confirmation::how_to_compare;
use super::error::IN_INVENTORY;

impl SshError {
    /// What the user can do, for any host.
    pub fn help(&self) -> Option<String> {
        self.help_for("HOST")
    }

    /// What the user can do; `host` is its name in the inventory.
    pub(super) fn help_for(&self, host: &str) -> Option<String> {
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
}
