//! A host's own SSH key, made here before the host exists: nobody has to trust what it shows at first.

use garboard_inventory::Secret;
use russh::keys::ssh_key::private::{Ed25519Keypair, KeypairData};
use russh::keys::ssh_key::{HashAlg, LineEnding, PrivateKey};
use zeroize::Zeroizing;

use crate::problem::{Exit, Problem};

pub(super) struct HostKeyPair {
    private: Secret,
    public: String,
    fingerprint: String,
}

impl HostKeyPair {
    pub(super) fn random(host: &str) -> Result<Self, Problem> {
        let failed =
            |cause: String| Problem::new(Exit::Failed, "no host key can be made").host(host).cause(cause);
        let mut seed = Zeroizing::new([0_u8; 32]);
        getrandom::fill(&mut *seed).map_err(|error| failed(error.to_string()))?;
        Self::of(&seed, host).map_err(|error| failed(error.to_string()))
    }

    pub(super) fn of(seed: &[u8; 32], host: &str) -> Result<Self, russh::keys::ssh_key::Error> {
        let pair = KeypairData::Ed25519(Ed25519Keypair::from_seed(seed));
        let key = PrivateKey::new(pair, format!("root@{host}"))?;
        Ok(Self {
            private: Secret::new(key.to_openssh(LineEnding::LF)?.as_str()),
            public: key.public_key().to_openssh()?,
            fingerprint: key.fingerprint(HashAlg::Sha256).to_string(),
        })
    }

    /// As in `/etc/ssh/ssh_host_ed25519_key`.
    pub(super) fn private(&self) -> &str {
        self.private.expose()
    }

    /// As in `/etc/ssh/ssh_host_ed25519_key.pub`.
    pub(super) fn public(&self) -> &str {
        &self.public
    }

    /// `SHA256:…`.
    pub(super) fn fingerprint(&self) -> String {
        self.fingerprint.clone()
    }
}
