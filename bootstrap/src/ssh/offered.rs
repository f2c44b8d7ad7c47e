//! What a host says of itself before anybody logs in: its host keys.

use russh::keys::ssh_key::public::KeyData;
use russh::keys::{EcdsaCurve, PublicKey};
use serde::{Deserialize, Serialize};

/// The host keys of a host, and what it is called in known-hosts files.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OfferedKeys {
    /// As they stand in known-hosts files: `gate.lan`, `[gate.lan]:2222`; the one that decides first.
    pub names: Vec<String>,
    /// One of each kind the host has: Ed25519, ECDSA, RSA. Never empty.
    pub keys: Vec<OfferedKey>,
}

/// A host key that a host has proven to hold. Nothing says yet that it is the right host.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct OfferedKey {
    /// `ssh-ed25519`.
    pub algorithm: String,
    /// `SHA256:` and 43 characters of base64, as `ssh-keygen -l` shows it.
    pub fingerprint: String,
    /// As in `/etc/ssh/ssh_host_*_key.pub`: algorithm and base64, without a comment.
    pub public_key: String,
}

impl OfferedKey {
    /// Its length as `ssh-keygen -l` counts it.
    pub fn bits(&self) -> Option<usize> {
        let key: PublicKey = self.public_key.parse().ok()?;
        Some(match key.key_data() {
            KeyData::Ed25519(_) => 256,
            KeyData::Ecdsa(key) => match key.curve() {
                EcdsaCurve::NistP256 => 256,
                EcdsaCurve::NistP384 => 384,
                EcdsaCurve::NistP521 => 521,
            },
            KeyData::Rsa(key) => {
                let bytes = key.n().as_positive_bytes()?;
                bytes.len() * 8 - bytes.first()?.leading_zeros() as usize
            }
            _ => return None,
        })
    }
}
