//! What to log in with: keys from files, or held by the user's SSH agent, and the password where one is asked for.

use std::path::Path;
use std::sync::Arc;

use garboard_inventory::{Secret, SecretReference};
use russh::keys::agent::client::AgentClient;
use russh::keys::{Certificate, PrivateKey, PublicKey};
use tokio::net::UnixStream;

use super::super::SshError;
use super::super::user_config::Destination;
use super::keys::{Keys, Opened, Passphrase, Unusable};
use super::known_hosts::fingerprint;
use super::{NativeOptions, Shared};

/// sshd counts every key as a try; more than three keys that nobody named are a sign of a wrong setup.
const MOST_KEYS: usize = 3;
/// The usual files, as `ssh` tries them.
const USUAL: [&str; 3] = ["id_ed25519", "id_ecdsa", "id_rsa"];

/// A key to log in with.
pub(super) enum Key {
    /// Read from a file.
    File(Arc<PrivateKey>),
    /// The same, with what an authority says about it.
    Certified(Arc<PrivateKey>, Arc<Certificate>),
    /// The agent signs.
    Agent(PublicKey),
}

/// A key and how to name it to the user.
pub(super) struct Candidate {
    pub(super) key: Key,
    pub(super) shown: String,
}

/// All there is to try.
pub(super) struct Identities {
    /// The next one is the last.
    pub(super) candidates: Vec<Candidate>,
    pub(super) agent: Option<AgentClient<UnixStream>>,
    /// Tried after the keys.
    pub(super) password: Option<Secret>,
    /// Keys that were left out, and why.
    pub(super) notes: Vec<String>,
}

/// Collects what there is for a destination.
pub(super) async fn gather(shared: &Shared, destination: &Destination) -> Result<Identities, SshError> {
    let options = &shared.options;
    let mut found = Identities { candidates: Vec::new(), agent: None, password: None, notes: Vec::new() };
    let named = !destination.identity.is_empty();
    if let Some(reference) = &destination.password {
        found.password = Some(password(options, destination, reference).await?);
    }
    let passphrase =
        |ask| Passphrase { secrets: &options.secrets, reference: destination.passphrase.as_ref(), ask };
    if named {
        let held = found.ask_agent(options).await;
        for path in &destination.identity {
            found.named(path, &held, &shared.keys, passphrase).await?;
        }
    } else if found.password.is_none() {
        for key in found.ask_agent(options).await {
            found.push(Key::Agent(key.clone()), format!("the SSH agent's key {}", fingerprint(&key)));
        }
        let usual = options.home.iter().flat_map(|home| USUAL.map(|name| home.join(".ssh").join(name)));
        let usual: Vec<_> = usual.filter(|path| path.exists()).collect();
        let mut locked = Vec::new();
        for path in &usual {
            locked.extend(found.usual(path, &shared.keys, passphrase(false)).await);
        }
        // As a last resort: a person is not asked for a key that is perhaps not needed.
        if let (true, Some(path)) = (found.candidates.is_empty(), locked.first()) {
            found.usual(path, &shared.keys, passphrase(true)).await;
        }
    }
    if found.candidates.is_empty() && found.password.is_none() {
        let (address, user) = (destination.address.clone(), destination.user.clone());
        return Err(SshError::NoIdentity { address, user, notes: found.notes });
    }
    found.candidates.reverse();
    Ok(found)
}

async fn password(
    options: &NativeOptions,
    destination: &Destination,
    reference: &SecretReference,
) -> Result<Secret, SshError> {
    let got = options.secrets.get(Some(reference), "").await;
    got.map_err(|source| SshError::Password {
        address: destination.address.clone(),
        user: destination.user.clone(),
        source,
    })
}

impl Identities {
    /// The agent's keys. An agent that does not answer is only noted: there may be files.
    async fn ask_agent(&mut self, options: &NativeOptions) -> Vec<PublicKey> {
        let Some(socket) = &options.agent_socket else { return Vec::new() };
        let asked = async {
            let mut agent = AgentClient::connect_uds(socket).await?;
            let keys = agent.request_identities().await?;
            Ok::<_, russh::keys::Error>((agent, keys))
        };
        match asked.await {
            Ok((agent, keys)) => {
                self.agent = Some(agent);
                keys.iter().map(|key| key.public_key().into_owned()).collect()
            }
            Err(error) => {
                self.notes.push(format!("the SSH agent at `{}` does not answer: {error}", socket.display()));
                Vec::new()
            }
        }
    }

    /// A file that the user named: of the agent's keys, only this one counts.
    async fn named<'a>(
        &mut self,
        path: &Path,
        held: &[PublicKey],
        keys: &Keys,
        passphrase: impl Fn(bool) -> Passphrase<'a>,
    ) -> Result<(), SshError> {
        let mut opened = keys.open(path, passphrase(false)).await;
        if let Err(unusable) = &opened
            && unusable.locked
        {
            // As `ssh` does: an encrypted key may be unlocked in the agent.
            if let Some(public) = &unusable.public
                && held.iter().any(|key| key.key_data() == public.key_data())
            {
                tracing::debug!(path = %path.display(), "the SSH agent holds this key");
                self.add(Key::Agent(public.clone()), format!("`{}` of the SSH agent", path.display()));
                return Ok(());
            }
            opened = keys.open(path, passphrase(true)).await;
        }
        match opened {
            Ok(opened) => {
                self.add(opened.into_key(), format!("`{}`", path.display()));
                Ok(())
            }
            Err(unusable) => {
                let Unusable { cause, help, .. } = *unusable;
                Err(SshError::Identity { path: path.to_owned(), cause, help })
            }
        }
    }

    /// One of the usual files: only what can be used, the rest is noted. Gives the path back if it is locked.
    async fn usual(
        &mut self,
        path: &Path,
        keys: &Keys,
        passphrase: Passphrase<'_>,
    ) -> Option<std::path::PathBuf> {
        match keys.open(path, passphrase).await {
            Ok(opened) => {
                self.push(opened.into_key(), format!("`{}`", path.display()));
                None
            }
            Err(unusable) => {
                self.notes.push(format!("`{}` was left out: {}", path.display(), unusable.cause));
                unusable.locked.then(|| path.to_owned())
            }
        }
    }

    /// A key that nobody named.
    fn push(&mut self, key: Key, shown: String) {
        if self.candidates.len() == MOST_KEYS && !self.has(&key) {
            self.notes
                .push(format!("{shown} was not tried: without `identity`, {MOST_KEYS} keys are the limit"));
            return;
        }
        self.add(key, shown);
    }

    fn add(&mut self, key: Key, shown: String) {
        if !self.has(&key) {
            self.candidates.push(Candidate { key, shown });
        }
    }

    fn has(&self, key: &Key) -> bool {
        self.candidates.iter().any(|one| one.key.public().key_data() == key.public().key_data())
    }
}

impl Opened {
    fn into_key(self) -> Key {
        match self.certificate {
            Some(certificate) => Key::Certified(self.key, certificate),
            None => Key::File(self.key),
        }
    }
}

impl Key {
    pub(super) fn public(&self) -> &PublicKey {
        match self {
            Self::File(key) | Self::Certified(key, _) => key.public_key(),
            Self::Agent(key) => key,
        }
    }
}
