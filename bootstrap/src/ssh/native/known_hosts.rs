//! Known-hosts files, and the judgement on a key a host shows.
//!
//! The format is that of `SSH_KNOWN_HOSTS FILE FORMAT` in `sshd(8)`. A file that is not there is empty; one that
//! cannot be read stops the connection. A line that cannot be read can only make a host unknown, which is refused too,
//! so it is passed over, as `ssh` does; a `@revoked` line that cannot be read stops the connection.

use std::io;
use std::path::{Path, PathBuf};

use ring::hmac;
use russh::keys::ssh_key::known_hosts::{Entry, HostPatterns, Marker};
use russh::keys::{Algorithm, HashAlg, PublicKey};

use super::super::SshError;
use super::super::offered::OfferedKey;
use super::super::user_config::Destination;

/// The lines that name one host, from all files.
#[derive(Debug, Default)]
pub(super) struct KnownHosts {
    keys: Vec<(PathBuf, PublicKey)>,
    revoked: Vec<(PathBuf, PublicKey)>,
}

impl KnownHosts {
    /// Reads the lines that name a host: any of its names, as they stand in such files.
    pub(super) fn named(files: &[PathBuf], names: &[String]) -> Result<Self, SshError> {
        let mut known = Self::default();
        for path in files {
            match fs_err::read(path) {
                Ok(bytes) => known.add(path, &String::from_utf8_lossy(&bytes), names)?,
                Err(error) if error.kind() == io::ErrorKind::NotFound => {}
                Err(source) => return Err(SshError::KnownHosts { path: path.clone(), source }),
            }
        }
        Ok(known)
    }

    fn add(&mut self, path: &Path, text: &str, names: &[String]) -> Result<(), SshError> {
        for (index, line) in text.lines().enumerate() {
            let line = line.trim();
            if line.is_empty() || line.starts_with('#') {
                continue;
            }
            // The parser knows single blanks only.
            let words: Vec<_> = line.split_whitespace().collect();
            let Ok(entry) = words.join(" ").parse::<Entry>() else {
                if words[0] == "@revoked" {
                    let message = format!("line {}, a `@revoked` one, cannot be read", index + 1);
                    let source = io::Error::new(io::ErrorKind::InvalidData, message);
                    return Err(SshError::KnownHosts { path: path.to_owned(), source });
                }
                tracing::debug!(path = %path.display(), line = index + 1, "unreadable known-hosts line");
                continue;
            };
            if !names.iter().any(|name| names_host(entry.host_patterns(), name)) {
                continue;
            }
            let found = (path.to_owned(), entry.public_key().clone());
            match entry.marker() {
                None => self.keys.push(found),
                Some(Marker::Revoked) => self.revoked.push(found),
                // Host certificates are not asked for, so no authority has anything to say.
                Some(Marker::CertAuthority) => {}
            }
        }
        Ok(())
    }

    /// The algorithms of the recorded keys: to be asked for first, so that the host shows a key we can compare.
    pub(super) fn algorithms(&self) -> Vec<Algorithm> {
        self.keys.iter().map(|(_, key)| key.algorithm()).collect()
    }

    /// The recorded keys as plain lines for `name`.
    pub(super) fn lines(&self, name: &str) -> String {
        let keys = self.keys.iter().filter_map(|(_, key)| key.to_openssh().ok());
        keys.fold(String::new(), |lines, key| lines + name + " " + &key + "\n")
    }

    /// Whether `key`, shown at `address`, is right.
    pub(super) fn judge(&self, address: &str, key: &PublicKey) -> Result<(), SshError> {
        let same = |known: &&(PathBuf, PublicKey)| known.1.key_data() == key.key_data();
        if let Some((path, _)) = self.revoked.iter().find(same) {
            return Err(SshError::RevokedHostKey {
                address: address.to_owned(),
                fingerprint: fingerprint(key),
                path: path.clone(),
            });
        }
        if self.keys.iter().any(|known| same(&known)) {
            return Ok(());
        }
        match self.keys.first() {
            None => Err(SshError::UnknownHostKey { address: address.to_owned(), key: Box::new(key.into()) }),
            // Also for a key of another kind than the recorded ones: whoever sits in between would show such a one.
            Some((path, _)) => Err(SshError::ChangedHostKey {
                address: address.to_owned(),
                expected: self.keys.iter().map(|(_, key)| fingerprint(key)).collect(),
                pinned_in: format!("`{}`", path.display()),
                found: fingerprint(key),
            }),
        }
    }
}

/// `SHA256:` and 43 characters of base64, as `ssh-keygen -l` shows it.
pub(super) fn fingerprint(key: &PublicKey) -> String {
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

fn names_host(patterns: &HostPatterns, name: &str) -> bool {
    match patterns {
        HostPatterns::HashedName { salt, hash } => {
            let key = hmac::Key::new(hmac::HMAC_SHA1_FOR_LEGACY_USE_ONLY, salt);
            hmac::verify(&key, name.as_bytes(), hash).is_ok()
        }
        HostPatterns::Patterns(patterns) => {
            let mut named = false;
            for pattern in patterns {
                match pattern.strip_prefix('!') {
                    Some(pattern) if matches(&pattern.to_lowercase(), name) => return false,
                    Some(_) => {}
                    None => named |= matches(&pattern.to_lowercase(), name),
                }
            }
            named
        }
    }
}

/// `*` stands for any text, `?` for any character.
fn matches(pattern: &str, name: &str) -> bool {
    let (pattern, name): (Vec<_>, Vec<_>) = (pattern.chars().collect(), name.chars().collect());
    let (mut at, mut position) = (0, 0);
    // Where the last `*` stood, and how far it has swallowed.
    let mut star: Option<(usize, usize)> = None;
    while position < name.len() {
        match pattern.get(at) {
            Some('*') => {
                star = Some((at, position));
                at += 1;
            }
            Some(&character) if character == '?' || character == name[position] => {
                at += 1;
                position += 1;
            }
            _ => {
                let Some((star_at, swallowed)) = star else { return false };
                star = Some((star_at, swallowed + 1));
                at = star_at + 1;
                position = swallowed + 1;
            }
        }
    }
    pattern[at..].iter().all(|&character| character == '*')
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use russh::keys::PublicKey;

    use super::{KnownHosts, matches, written};
    use crate::ssh::SshError;

    const ED25519: &str = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIJdD7y3aLq454yWBdwLWbieU1ebz9/cu7/QEXn9OIeZJ";
    const ECDSA: &str = "ecdsa-sha2-nistp256 AAAAE2VjZHNhLXNoYTItbmlzdHAyNTYAAAAIbmlzdHAyNTYAAABBBJItnwwC8ymueEPKdgtiLj37aZf2m4Jl3CZ5nUMYU/23SUIe8efFJYdkuX8BR4Xc5ZzJy9g/lQ7HXSU3rxM+hn0=";

    fn judge(text: &str, name: &str, port: u16, key: &str) -> Result<(), SshError> {
        let mut known = KnownHosts::default();
        known.add(Path::new("known_hosts"), text, &[written(name, port)])?;
        known.judge(name, &key.parse::<PublicKey>().unwrap())
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

    #[test]
    fn wildcards_backtrack() {
        assert!(matches("a*b*c", "axxbyybzc"));
        assert!(!matches("a*b*c", "axxbyybz"));
        assert!(matches("*", ""));
        assert!(!matches("?", ""));
    }
}
