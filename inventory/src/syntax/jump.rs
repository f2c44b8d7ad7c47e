//! Jump hosts: `[USER@]HOST[:PORT]`, several with `,` between them, as `ProxyJump` in `ssh_config(5)`.

use serde::Serialize;

use super::address::{login, port};
use super::name::is_domain;
use crate::fault::{Flaw, quote};

/// A host on the way to others.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize)]
pub struct Jump {
    /// The login there, where it is written.
    pub user: Option<String>,
    /// An address or a name, also of a `Host` block in `~/.ssh/config`.
    pub host: String,
    /// The port of its sshd, where it is written.
    pub port: Option<u16>,
}

/// The hops in the order in which they are passed; at least one.
pub(crate) fn jumps(text: &str) -> Result<Vec<Jump>, Flaw> {
    text.split(',').map(|hop| jump(hop.trim())).collect()
}

fn jump(text: &str) -> Result<Jump, Flaw> {
    let no_jump = || {
        Flaw::new(format!("{} is no jump host", quote(text)))
            .help("write it like `gate.lan` or `user@gate.lan:22`")
    };
    let text = text.strip_prefix("ssh://").unwrap_or(text);
    let (user, rest) = match text.rsplit_once('@') {
        Some((user, rest)) => (Some(login(user)?), rest),
        None => (None, text),
    };
    let (host, number) = match rest.split_once(':') {
        Some((host, number)) => (host, Some(port(number)?)),
        None => (rest, None),
    };
    // Names of `Host` blocks are no host names: `my_gate` is one.
    let plain = |character: char| character.is_ascii_alphanumeric() || "._-".contains(character);
    let named = !host.is_empty() && !host.starts_with('-') && host.chars().all(plain);
    if !is_domain(host) && !named {
        return Err(no_jump());
    }
    Ok(Jump { user, host: host.to_owned(), port: number })
}

impl std::fmt::Display for Jump {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        if let Some(user) = &self.user {
            write!(formatter, "{user}@")?;
        }
        formatter.write_str(&self.host)?;
        if let Some(port) = self.port {
            write!(formatter, ":{port}")?;
        }
        Ok(())
    }
}

impl Jump {
    /// Reads the value of a `ProxyJump`.
    ///
    /// # Errors
    /// What is wrong with it, in one sentence.
    pub fn parse(text: &str) -> Result<Vec<Self>, String> {
        jumps(text).map_err(|flaw| flaw.message)
    }
}

#[cfg(test)]
mod tests {
    use super::jumps;

    #[test]
    fn hops_have_logins_and_ports_of_their_own() {
        let read = jumps("pi@gate.lan:2222, my_gate,10.0.0.1").unwrap();
        let read: Vec<_> =
            read.iter().map(|hop| (hop.user.as_deref(), hop.host.as_str(), hop.port)).collect();
        assert_eq!(
            read,
            [(Some("pi"), "gate.lan", Some(2222)), (None, "my_gate", None), (None, "10.0.0.1", None)]
        );
        for bad in ["", "a,,b", "gate:0", "-oProxyCommand=x", "@gate", "a b", "gate:22:33", "$(x)"] {
            assert!(jumps(bad).is_err(), "{bad:?} was taken");
        }
    }
}
