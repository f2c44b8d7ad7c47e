//! The judgement on a host key that somebody else was shown: by the same rules as for our own connections.

use std::io;
use std::path::PathBuf;

use russh::keys::{Certificate, PublicKey, PublicKeyOrCertificate};
use serde::{Deserialize, Serialize};

use super::super::SshError;
use super::super::offered::OfferedKey;
use super::host_key::Pin;
use super::known_hosts::{Files, KnownHosts, fingerprint, key_of, written};

/// A key or certificate that a host has shown.
pub(crate) struct Shown<'a> {
    /// How the host stands in known-hosts files: `gate.lan`, `[gate.lan]:2222`.
    pub(crate) name: &'a str,
    /// `ssh-ed25519`, `ssh-ed25519-cert-v01@openssh.com`.
    pub(crate) algorithm: &'a str,
    /// In base64.
    pub(crate) key: &'a str,
}

/// Where the right keys are.
pub(crate) struct Pinned<'a> {
    /// `SHA256:…`, from the inventory.
    pub(crate) fingerprint: Option<&'a str>,
    pub(crate) files: Files<'a>,
}

/// What is right.
pub(crate) struct Right {
    /// The line of a known-hosts file by which it is right.
    pub(crate) line: String,
    /// Of the key itself, also of a certificate.
    pub(crate) fingerprint: String,
}

/// Why a key is not right; goes from one process of ours to another.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Refusal {
    Unknown { key: OfferedKey },
    Changed { expected: Vec<String>, pinned_in: String, found: String },
    Revoked { fingerprint: String, path: PathBuf },
    RevokedAuthority { fingerprint: String, path: PathBuf },
    Certificate { cause: String },
    Unreadable { path: PathBuf, cause: String },
}

impl Pinned<'_> {
    /// Whether the key is right.
    pub(crate) fn judge(&self, shown: &Shown<'_>) -> Result<Right, Refusal> {
        let text = format!("{} {}", shown.algorithm, shown.key);
        let parsed = if shown.algorithm.contains("-cert-v01@") {
            Certificate::from_openssh(&text).map(PublicKeyOrCertificate::from)
        } else {
            PublicKey::from_openssh(&text).map(PublicKeyOrCertificate::from)
        };
        let presented = parsed.map_err(|error| Refusal::Changed {
            expected: Vec::new(),
            pinned_in: "nobody".to_owned(),
            found: format!("{} ({error})", shown.algorithm),
        })?;
        let key = key_of(&presented);
        let accepted = self
            .pin(&[shown.name.to_lowercase()])
            .and_then(|pin| pin.judge(shown.name, &presented))
            .map_err(|error| Refusal::of(error, &key))?;
        Ok(Right { line: accepted.line(shown.name), fingerprint: fingerprint(&key) })
    }

    /// The recorded keys of a host as lines of a known-hosts file, so that `ssh` asks for one of their kind.
    pub(crate) fn recorded(&self, name: &str, port: u16) -> String {
        // ssh leaves out the port when it asks this.
        match self.pin(&[name.to_lowercase(), written(name, port)]) {
            Ok(Pin::Recorded(known)) => known.lines(name),
            _ => String::new(),
        }
    }

    fn pin(&self, names: &[String]) -> Result<Pin, SshError> {
        match self.fingerprint {
            Some(fingerprint) => Ok(Pin::Inventory(fingerprint.to_owned())),
            None => Ok(Pin::Recorded(KnownHosts::named(self.files, names)?)),
        }
    }
}

impl Refusal {
    fn of(error: SshError, key: &PublicKey) -> Self {
        match error {
            SshError::ChangedHostKey { expected, pinned_in, found, .. } => {
                Self::Changed { expected, pinned_in, found }
            }
            SshError::RevokedHostKey { fingerprint, path, .. } => Self::Revoked { fingerprint, path },
            SshError::RevokedAuthority { fingerprint, path, .. } => {
                Self::RevokedAuthority { fingerprint, path }
            }
            SshError::HostCertificate { cause, .. } => Self::Certificate { cause },
            SshError::KnownHosts { path, source } => Self::Unreadable { path, cause: source.to_string() },
            _ => Self::Unknown { key: key.into() },
        }
    }

    /// The same as an error about the host at `address`.
    pub(crate) fn into_error(self, address: &str) -> SshError {
        let address = address.to_owned();
        match self {
            Self::Unknown { key } => SshError::UnknownHostKey { address, key: Box::new(key) },
            Self::Changed { expected, pinned_in, found } => {
                SshError::ChangedHostKey { address, expected, pinned_in, found }
            }
            Self::Revoked { fingerprint, path } => SshError::RevokedHostKey { address, fingerprint, path },
            Self::RevokedAuthority { fingerprint, path } => {
                SshError::RevokedAuthority { address, fingerprint, path }
            }
            Self::Certificate { cause } => SshError::HostCertificate { address, cause },
            Self::Unreadable { path, cause } => {
                SshError::KnownHosts { path, source: io::Error::other(cause) }
            }
        }
    }
}
