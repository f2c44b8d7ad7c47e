//! Which host key is right: the inventory's, else the recorded ones.

use std::sync::Arc;

use russh::Preferred;
use russh::keys::{Algorithm, PublicKeyOrCertificate};

use super::super::SshError;
use super::super::error::IN_INVENTORY;
use super::super::user_config::Destination;
use super::known_hosts::{Accepted, Files, KnownHosts, fingerprint, key_of, names};

/// Who judges the key that a host shows.
#[derive(Debug, Clone)]
pub(super) enum Judge {
    /// What is known of the host.
    Pin(Arc<Pin>),
    /// Every key is unknown: the host is only asked which ones it has.
    Nobody,
}

impl Judge {
    /// Whether what is shown is right.
    pub(super) fn judge(&self, address: &str, shown: &PublicKeyOrCertificate) -> Result<Accepted, SshError> {
        match self {
            Self::Pin(pin) => pin.judge(address, shown),
            Self::Nobody => KnownHosts::default().judge(address, shown),
        }
    }
}

/// What a host has to show.
#[derive(Debug)]
pub(super) enum Pin {
    /// This fingerprint, whatever the known-hosts files say.
    Inventory(String),
    /// One of the recorded keys.
    Recorded(KnownHosts),
}

impl Pin {
    /// The pin of a host.
    pub(super) fn of(destination: &Destination, files: Files<'_>) -> Result<Self, SshError> {
        if let Some(fingerprint) = &destination.host_key {
            return Ok(Self::Inventory(fingerprint.clone()));
        }
        Ok(Self::Recorded(KnownHosts::named(files, &names(destination))?))
    }

    /// Whether what is shown is right.
    pub(super) fn judge(&self, address: &str, shown: &PublicKeyOrCertificate) -> Result<Accepted, SshError> {
        let expected = match self {
            Self::Inventory(expected) => expected,
            Self::Recorded(known) => return known.judge(address, shown),
        };
        let key = key_of(shown);
        let found = fingerprint(&key);
        if *expected == found {
            return Ok(Accepted::Key(key));
        }
        Err(SshError::ChangedHostKey {
            address: address.to_owned(),
            expected: vec![expected.clone()],
            pinned_in: IN_INVENTORY.to_owned(),
            found,
        })
    }

    /// Whether anything but a person's word can make a key of this host right.
    pub(super) fn is_known(&self) -> bool {
        match self {
            Self::Inventory(_) => true,
            Self::Recorded(known) => !known.keys.is_empty(),
        }
    }

    /// Kinds of certificates to ask for, before any key: where an authority has a say.
    pub(super) fn certificates(&self) -> Vec<Algorithm> {
        match self {
            Self::Recorded(known) if known.has_authorities() => kinds().concat(),
            _ => Vec::new(),
        }
    }

    /// Algorithms to ask for, one list a try: a host has a key for each of several and shows one a connection. A
    /// fingerprint does not tell its algorithm, so a mismatch is followed by a look at the host's other keys.
    pub(super) fn tries(&self) -> Vec<Vec<Algorithm>> {
        let all = Preferred::DEFAULT.key.to_vec();
        match self {
            Self::Inventory(_) => {
                let [_, ecdsa, rsa] = kinds();
                vec![all, ecdsa, rsa]
            }
            Self::Recorded(known) => {
                let recorded = known.algorithms();
                let (mut first, others): (Vec<_>, Vec<_>) =
                    all.into_iter().partition(|one| recorded.iter().any(|known| same_key_kind(one, known)));
                first.extend(others);
                vec![first]
            }
        }
    }
}

/// The kinds of keys that a host may have, each with its algorithms: Ed25519, ECDSA, RSA.
pub(super) fn kinds() -> [Vec<Algorithm>; 3] {
    let kind = |wanted: fn(&Algorithm) -> bool| {
        Preferred::DEFAULT.key.iter().filter(|one| wanted(one)).cloned().collect()
    };
    [
        kind(|one| matches!(one, Algorithm::Ed25519)),
        kind(|one| matches!(one, Algorithm::Ecdsa { .. })),
        kind(|one| matches!(one, Algorithm::Rsa { .. })),
    ]
}

/// RSA keys are one kind, whatever the hash of their signatures.
fn same_key_kind(one: &Algorithm, other: &Algorithm) -> bool {
    matches!((one, other), (Algorithm::Rsa { .. }, Algorithm::Rsa { .. })) || one == other
}

/// Algorithms of a session: authenticated ciphers first; AES has instructions of its own on most machines.
pub(super) fn preferred(key: Vec<Algorithm>, certificates: Vec<Algorithm>) -> Preferred {
    use russh::cipher::{AES_128_CTR, AES_192_CTR, AES_256_CTR, AES_256_GCM, CHACHA20_POLY1305};
    use russh::compression::NONE;
    const CIPHERS: &[russh::cipher::Name] =
        &[AES_256_GCM, CHACHA20_POLY1305, AES_256_CTR, AES_192_CTR, AES_128_CTR];
    Preferred {
        key: key.into(),
        host_key_certificates: certificates.into(),
        cipher: CIPHERS.into(),
        compression: (&[NONE][..]).into(),
        ..Preferred::DEFAULT
    }
}

#[cfg(test)]
mod tests {
    use russh::keys::{Algorithm, EcdsaCurve, HashAlg};

    use super::same_key_kind;

    #[test]
    fn rsa_is_one_kind_of_key() {
        let recorded = Algorithm::Rsa { hash: None };
        assert!(same_key_kind(&Algorithm::Rsa { hash: Some(HashAlg::Sha512) }, &recorded));
        assert!(!same_key_kind(&Algorithm::Ecdsa { curve: EcdsaCurve::NistP256 }, &recorded));
    }
}
