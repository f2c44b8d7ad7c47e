//! What a host says of itself before anybody logs in: its host keys.

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
