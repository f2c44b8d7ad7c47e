//! Known-hosts files, and the judgement on a key a host shows.
//!
//! The format is that of `SSH_KNOWN_HOSTS FILE FORMAT` in `sshd(8)`. A file that is not there is empty; one that
//! cannot be read stops the connection. A line that cannot be read can only make a host unknown, which is refused too,
//! so it is passed over, as `ssh` does; a `@revoked` line that cannot be read stops the connection.

use std::io;
use std::path::{Path, PathBuf};

use russh::keys::ssh_key::known_hosts::{Entry, Marker};
use russh::keys::ssh_key::public::KeyData;
use russh::keys::{Algorithm, HashAlg, PublicKey, PublicKeyOrCertificate};

use super::super::SshError;
use super::super::offered::OfferedKey;
use super::super::user_config::Destination;
use super::certificate::vouched;
use super::pattern::names_host;

/// Known-hosts files.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Files<'a> {
    /// Ours. A host that it has keys of has no others, whatever the other files say.
    pub(crate) own: Option<&'a Path>,
    /// The user's and the machine's.
    pub(crate) others: &'a [PathBuf],
}

/// A line that names the host.
#[derive(Debug, Clone)]
pub(crate) struct Line {
    pub(crate) path: PathBuf,
    /// From 1.
    pub(crate) number: usize,
    pub(crate) key: PublicKey,
}

/// The lines that name one host, from all files.
#[derive(Debug, Default)]
pub(crate) struct KnownHosts {
    /// How the host stands in the files.
    names: Vec<String>,
    pub(crate) keys: Vec<Line>,
    /// Whose certificates count for the host.
    authorities: Vec<Line>,
    pub(crate) revoked: Vec<Line>,
    /// Keys that do not count: ours has others.
    pub(crate) outdone: Vec<Line>,
}

/// Why a key is right.
#[derive(Debug, Clone)]
pub(super) enum Accepted {
    /// It is a recorded key itself.
    Key(PublicKey),
    /// This authority vouches for it.
    Authority(PublicKey),
}

impl KnownHosts {
    /// Reads the lines that name a host: any of its names, as they stand in such files.
    pub(crate) fn named(files: Files<'_>, names: &[String]) -> Result<Self, SshError> {
        let mut known = Self::default();
        let mut of_own = 0;
        for path in files.own.into_iter().chain(files.others.iter().map(PathBuf::as_path)) {
            match fs_err::read(path) {
                Ok(bytes) => known.add(path, &String::from_utf8_lossy(&bytes), names)?,
                Err(error) if error.kind() == io::ErrorKind::NotFound => {}
                Err(source) => return Err(SshError::KnownHosts { path: path.to_owned(), source }),
            }
            if files.own == Some(path) {
                of_own = known.keys.len();
            }
        }
        if of_own > 0 {
            known.outdone = known.keys.split_off(of_own);
            known.authorities.clear();
        }
        Ok(known)
    }

    fn add(&mut self, path: &Path, text: &str, names: &[String]) -> Result<(), SshError> {
        self.names = names.to_vec();
        for (index, line) in text.lines().enumerate() {
            let line = line.trim();
            if line.is_empty() || line.starts_with('#') {
                continue;
            }
            let Some(entry) = entry(line) else {
                if line.starts_with("@revoked") {
                    let message = format!("line {}, a `@revoked` one, cannot be read", index + 1);
                    let source = io::Error::new(io::ErrorKind::InvalidData, message);
                    return Err(SshError::KnownHosts { path: path.to_owned(), source });
                }
                tracing::debug!(path = %path.display(), line = index + 1, "unreadable known-hosts line");
                continue;
            };
            let is_about = |name: &str| names_host(entry.host_patterns(), name);
            let found = Line { path: path.to_owned(), number: index + 1, key: entry.public_key().clone() };
            match entry.marker() {
                // An authority speaks for a host, whatever the port.
                Some(Marker::CertAuthority)
                    if names.iter().any(|name| is_about(name) || is_about(plain(name))) =>
                {
                    self.authorities.push(found);
                }
                Some(Marker::Revoked) if names.iter().any(|name| is_about(name)) => self.revoked.push(found),
                None if names.iter().any(|name| is_about(name)) => self.keys.push(found),
                _ => {}
            }
        }
        Ok(())
    }

    /// The algorithms of the recorded keys: to be asked for first, so that the host shows a key we can compare.
    pub(super) fn algorithms(&self) -> Vec<Algorithm> {
        self.keys.iter().map(|line| line.key.algorithm()).collect()
    }

    /// Whether a certificate would say anything.
    pub(super) fn has_authorities(&self) -> bool {
        !self.authorities.is_empty()
    }

    /// What is recorded, as lines for `name` alone.
    pub(super) fn lines(&self, name: &str) -> String {
        let authorities = self.authorities.iter().map(|line| Accepted::Authority(line.key.clone()));
        let keys = self.keys.iter().map(|line| Accepted::Key(line.key.clone()));
        authorities.chain(keys).map(|accepted| accepted.line(name)).collect()
    }

    /// Whether what is shown at `address` is right, and why.
    pub(super) fn judge(&self, address: &str, shown: &PublicKeyOrCertificate) -> Result<Accepted, SshError> {
        let (key, address) = (key_of(shown), address.to_owned());
        if let Some(line) = find(&self.revoked, key.key_data()) {
            return Err(SshError::RevokedHostKey {
                address,
                fingerprint: fingerprint(&key),
                path: line.path.clone(),
            });
        }
        let mut refused = None;
        if let PublicKeyOrCertificate::Certificate(certificate) = shown {
            let authority = certificate.signature_key();
            if let Some(line) = find(&self.revoked, authority) {
                let (fingerprint, path) = (fingerprint(&line.key), line.path.clone());
                return Err(SshError::RevokedAuthority { address, fingerprint, path });
            }
            if let Some(line) = find(&self.authorities, authority) {
                let names: Vec<_> = self.names.iter().map(|name| plain(name)).collect();
                match vouched(certificate, &line.key, &names) {
                    Ok(()) => return Ok(Accepted::Authority(line.key.clone())),
                    Err(cause) => refused = Some(cause),
                }
            }
        }
        if find(&self.keys, key.key_data()).is_some() {
            return Ok(Accepted::Key(key));
        }
        match (refused, self.keys.first()) {
            (Some(cause), _) => Err(SshError::HostCertificate { address, cause }),
            (None, None) => Err(SshError::UnknownHostKey { address, key: Box::new((&key).into()) }),
            // Also for a key of another kind than the recorded ones: whoever sits in between would show such a one.
            (None, Some(line)) => Err(SshError::ChangedHostKey {
                address,
                expected: self.keys.iter().map(|line| fingerprint(&line.key)).collect(),
                pinned_in: format!("`{}`", line.path.display()),
                found: fingerprint(&key),
            }),
        }
    }
}

impl Accepted {
    /// As a line of a known-hosts file, for `name` alone.
    pub(super) fn line(&self, name: &str) -> String {
        let (marker, key) = match self {
            Self::Key(key) => ("", key),
            Self::Authority(key) => ("@cert-authority ", key),
        };
        format!("{marker}{name} {}\n", OfferedKey::from(key).public_key)
    }
}

/// A line that is no comment, if it can be read.
pub(super) fn entry(line: &str) -> Option<Entry> {
    // The parser knows single blanks only.
    line.split_whitespace().collect::<Vec<_>>().join(" ").parse().ok()
}

/// The key itself, also of a certificate.
pub(super) fn key_of(shown: &PublicKeyOrCertificate) -> PublicKey {
    match shown {
        PublicKeyOrCertificate::PublicKey { key, .. } => key.clone(),
        PublicKeyOrCertificate::Certificate(certificate) => {
            PublicKey::new(certificate.public_key().clone(), "")
        }
    }
}

fn find<'a>(lines: &'a [Line], key: &KeyData) -> Option<&'a Line> {
    lines.iter().find(|line| line.key.key_data() == key)
}

/// For the fuzzer: whether the text of one known-hosts file makes `key` (`ssh-ed25519 AAAA…`) right for `name` at
/// port 22; `None` where the text stops the connection.
#[cfg(fuzzing)]
pub fn is_known_host(text: &str, name: &str, key: &str) -> Option<bool> {
    let mut known = KnownHosts::default();
    known.add(Path::new("known_hosts"), text, &[written(name, super::super::target::PORT)]).ok()?;
    let key = key.parse::<PublicKey>().ok()?;
    Some(known.judge(name, &PublicKeyOrCertificate::from(key)).is_ok())
}

/// `SHA256:` and 43 characters of base64, as `ssh-keygen -l` shows it.
pub(crate) fn fingerprint(key: &PublicKey) -> String {
    key.fingerprint(HashAlg::Sha256).to_string()
}

impl From<&PublicKey> for OfferedKey {
    fn from(key: &PublicKey) -> Self {
        let mut key = key.clone();
        key.set_comment("");
        Self {
            algorithm: key.algorithm().to_string(),
            fingerprint: fingerprint(&key),
            public_key: key.to_openssh().unwrap_or_default(),
        }
    }
}

/// All names of a host, as they stand in known-hosts files.
pub(super) fn names(destination: &Destination) -> Vec<String> {
    let port = if destination.is_alias { super::super::target::PORT } else { destination.port };
    destination.names.iter().map(|name| written(name, port)).collect()
}

/// How a host stands in known-hosts files.
pub(crate) fn written(name: &str, port: u16) -> String {
    let name = name.to_lowercase();
    if port == super::super::target::PORT { name } else { format!("[{name}]:{port}") }
}

/// The name alone: `[gate.lan]:2222` → `gate.lan`.
fn plain(name: &str) -> &str {
    let inside = name.strip_prefix('[').and_then(|rest| rest.rsplit_once("]:"));
    inside.map_or(name, |(name, _)| name)
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use russh::keys::PublicKey;

    use super::{KnownHosts, written};
    use crate::ssh::SshError;

    const ED25519: &str = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIJdD7y3aLq454yWBdwLWbieU1ebz9/cu7/QEXn9OIeZJ";
    const ECDSA: &str = "ecdsa-sha2-nistp256 AAAAE2VjZHNhLXNoYTItbmlzdHAyNTYAAAAIbmlzdHAyNTYAAABBBJItnwwC8ymueEPKdgtiLj37aZf2m4Jl3CZ5nUMYU/23SUIe8efFJYdkuX8BR4Xc5ZzJy9g/lQ7HXSU3rxM+hn0=";

    fn judge(text: &str, name: &str, port: u16, key: &str) -> Result<(), SshError> {
        let mut known = KnownHosts::default();
        known.add(Path::new("known_hosts"), text, &[written(name, port)])?;
        known.judge(name, &key.parse::<PublicKey>().unwrap().into()).map(|_| ())
    }

    #[test]
    fn plain_names_patterns_and_ports_are_found() {
        for (line, name, port) in [
            ("node.lan", "Node.LAN", 22),
            ("*.lan,!gate.lan", "node.lan", 22),
            ("10.0.0.?", "10.0.0.7", 22),
            ("[node.lan]:2222", "node.lan", 2222),
            ("a,node.lan", "node.lan", 22),
        ] {
            let text = format!("# my hosts\n\n{line} \t {ED25519} comment # here\n");
            judge(&text, name, port, ED25519).unwrap_or_else(|error| panic!("{line}: {error}"));
        }
        for (line, name, port) in [
            ("*.lan,!gate.lan", "gate.lan", 22),
            ("node.lan", "node.lan", 2222),
            ("[node.lan]:2222", "node.lan", 22),
        ] {
            let error = judge(&format!("{line} {ED25519}\n"), name, port, ED25519).unwrap_err();
            assert!(matches!(error, SshError::UnknownHostKey { .. }), "{line}: {error}");
        }
    }

    #[test]
    fn a_hashed_name_is_found() {
        // Made by `ssh-keygen -H` from `example.com`.
        let line = "|1|RyLWGD8C/FjqWd4B8vjlWkgzAu8=|oukN426gqIh9T48TA0P6CCrCr/8=";
        let text = format!("{line} {ED25519}\n");
        judge(&text, "example.com", 22, ED25519).unwrap();
        let error = judge(&text, "example.org", 22, ED25519).unwrap_err();
        assert!(matches!(error, SshError::UnknownHostKey { .. }));
    }

    #[test]
    fn a_key_of_another_kind_than_the_recorded_one_counts_as_changed() {
        let error = judge(&format!("node {ED25519}\n"), "node", 22, ECDSA).unwrap_err();
        assert!(matches!(error, SshError::ChangedHostKey { .. }), "{error}");
    }

    #[test]
    fn a_revoked_key_is_refused_though_it_is_also_listed() {
        let text = format!("node {ED25519}\n@revoked * {ED25519}\n");
        let error = judge(&text, "node", 22, ED25519).unwrap_err();
        assert!(matches!(error, SshError::RevokedHostKey { .. }), "{error}");
        let error = judge("@revoked * garbage\n", "node", 22, ED25519).unwrap_err();
        assert!(matches!(error, SshError::KnownHosts { .. }), "{error}");
    }
}
