//! The keys to log in with: from files, or held by the user's SSH agent.

use std::io;
use std::os::unix::fs::MetadataExt as _;
use std::path::Path;
use std::sync::Arc;

use garboard_inventory::Secret;
use russh::keys::agent::client::AgentClient;
use russh::keys::ssh_key::PrivateKey as KeyFile;
use russh::keys::{PrivateKey, PublicKey};
use tokio::net::UnixStream;

use super::super::SshError;
use super::super::user_config::Destination;
use super::NativeOptions;
use super::known_hosts::fingerprint;

/// sshd counts every key as a try and hangs up after six; more than three keys are a sign of a wrong setup.
const MOST_KEYS: usize = 3;
/// The usual files, as `ssh` tries them.
const USUAL: [&str; 3] = ["id_ed25519", "id_ecdsa", "id_rsa"];

/// A key to log in with.
pub(super) enum Key {
    /// Read from a file.
    File(Arc<PrivateKey>),
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
    pub(super) candidates: Vec<Candidate>,
    pub(super) agent: Option<AgentClient<UnixStream>>,
    /// Keys that were left out, and why.
    pub(super) notes: Vec<String>,
}

/// Collects the keys for a destination.
pub(super) async fn gather(
    options: &NativeOptions,
    destination: &Destination,
) -> Result<Identities, SshError> {
    let mut found = Identities { candidates: Vec::new(), agent: None, notes: Vec::new() };
    let held = found.ask_agent(options).await;
    if destination.identity.is_empty() {
        for key in held {
            found.push(Key::Agent(key.clone()), format!("the SSH agent's key {}", fingerprint(&key)));
        }
        if let Some(home) = &options.home {
            let passphrase = destination.passphrase()?;
            for name in USUAL {
                found.usual(&home.join(".ssh").join(name), passphrase.as_ref());
            }
        }
    } else {
        let passphrase = destination.passphrase()?;
        for path in &destination.identity {
            match load(path, passphrase.as_ref()) {
                Ok(key) => found.push(Key::File(Arc::new(key)), format!("`{}`", path.display())),
                Err(unusable) => match unusable.public {
                    // As `ssh` does: an encrypted key may be unlocked in the agent.
                    Some(public) if held.iter().any(|key| key.key_data() == public.key_data()) => {
                        tracing::debug!(cause = unusable.cause, "the SSH agent holds this key");
                        found.push(Key::Agent(public), format!("`{}` of the SSH agent", path.display()));
                    }
                    _ => {
                        let Unusable { cause, help, .. } = *unusable;
                        return Err(SshError::Identity { path: path.clone(), cause, help });
                    }
                },
            }
        }
    }
    if found.candidates.is_empty() {
        let (address, user) = (destination.address.clone(), destination.user.clone());
        return Err(SshError::NoIdentity { address, user, notes: found.notes });
    }
    Ok(found)
}

impl Destination {
    fn passphrase(&self) -> Result<Option<Secret>, SshError> {
        let secret = self.passphrase.as_ref().map(garboard_inventory::SecretReference::resolve).transpose();
        secret.map_err(|source| SshError::Passphrase { source })
    }
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

    /// One of the usual files: only what can be used, the rest is noted.
    fn usual(&mut self, path: &Path, passphrase: Option<&Secret>) {
        if !path.exists() {
            return;
        }
        match load(path, passphrase) {
            Ok(key) => self.push(Key::File(Arc::new(key)), format!("`{}`", path.display())),
            Err(unusable) => {
                self.notes.push(format!("`{}` was left out: {}", path.display(), unusable.cause));
            }
        }
    }

    fn push(&mut self, key: Key, shown: String) {
        let public = |key: &Key| match key {
            Key::File(key) => key.public_key().clone(),
            Key::Agent(key) => key.clone(),
        };
        let new = public(&key);
        if self.candidates.iter().any(|one| public(&one.key).key_data() == new.key_data()) {
            return;
        }
        if self.candidates.len() == MOST_KEYS {
            self.notes.push(format!("{shown} was not tried: {MOST_KEYS} keys are the limit"));
            return;
        }
        self.candidates.push(Candidate { key, shown });
    }
}

/// Why a private key cannot be used.
struct Unusable {
    cause: String,
    help: String,
    /// Its public half, where that can be read without the passphrase.
    public: Option<PublicKey>,
}

/// Reads a private key.
fn load(path: &Path, passphrase: Option<&Secret>) -> Result<PrivateKey, Box<Unusable>> {
    let shown = path.display();
    let text = read_private(path).map_err(|(cause, help)| Unusable { cause, help, public: None })?;
    russh::keys::decode_secret_key(&text, passphrase.map(Secret::expose)).map_err(|error| {
        let (cause, help) = match (error, passphrase) {
            (russh::keys::Error::KeyIsEncrypted, None) => (
                "it is encrypted and no passphrase is given".to_owned(),
                format!(
                    "load it with `ssh-add {shown}`, or say where its passphrase is with `ssh.passphrase`"
                ),
            ),
            (_, Some(_)) if text.contains("ENCRYPTED") || is_encrypted(&text) => (
                "the passphrase does not open it".to_owned(),
                format!("see that `ssh-keygen -y -f {shown}` takes the same passphrase"),
            ),
            (error, _) => (
                format!("it is no private key this version can read: {error}"),
                format!("see what `ssh-keygen -y -f {shown}` says; ed25519, ECDSA and RSA keys can be used"),
            ),
        };
        let public = KeyFile::from_openssh(text.as_str()).ok().map(|key| key.public_key().clone());
        Box::new(Unusable { cause, help, public })
    })
}

fn is_encrypted(text: &str) -> bool {
    KeyFile::from_openssh(text).is_ok_and(|key| key.is_encrypted())
}

/// A key others can read is no secret; `ssh` refuses it as well.
fn read_private(path: &Path) -> Result<zeroize::Zeroizing<String>, (String, String)> {
    let shown = path.display();
    let failed = |error: io::Error| match error.kind() {
        io::ErrorKind::NotFound => (
            "it is not there".to_owned(),
            "correct `ssh.identity`; `~` and paths beside the inventory are understood".to_owned(),
        ),
        _ => (error.to_string(), format!("make `{shown}` readable for you")),
    };
    let file = fs_err::File::open(path).map_err(failed)?;
    let metadata = file.metadata().map_err(failed)?;
    let mode = metadata.mode() & 0o777;
    if mode & 0o077 != 0 {
        return Err((format!("others can read it (mode {mode:04o})"), format!("run `chmod 600 {shown}`")));
    }
    io::read_to_string(file).map(zeroize::Zeroizing::new).map_err(failed)
}
