//! Private keys of files, each read and opened once.

use std::collections::HashMap;
use std::io;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};

use garboard_inventory::{Secret, SecretReference};
use russh::keys::ssh_key::PrivateKey as KeyFile;
use russh::keys::{Certificate, PrivateKey, PublicKey};

use crate::secrets::{SecretFault, Secrets};

/// A key that can sign.
#[derive(Clone)]
pub(super) struct Opened {
    pub(super) key: Arc<PrivateKey>,
    /// `PATH-cert.pub` beside it.
    pub(super) certificate: Option<Arc<Certificate>>,
}

/// Why a private key cannot be used.
#[derive(Clone)]
pub(super) struct Unusable {
    pub(super) cause: String,
    pub(super) help: String,
    /// Its public half, where that can be read without the passphrase.
    pub(super) public: Option<PublicKey>,
    /// It is encrypted, and no passphrase was to be had.
    pub(super) locked: bool,
}

impl Unusable {
    fn new(cause: impl Into<String>, help: impl Into<String>) -> Self {
        Self { cause: cause.into(), help: help.into(), public: None, locked: false }
    }
}

/// How a passphrase is had.
#[derive(Clone, Copy)]
pub(super) struct Passphrase<'a> {
    pub(super) secrets: &'a Secrets,
    pub(super) reference: Option<&'a SecretReference>,
    /// Whether the user may be asked for it.
    pub(super) ask: bool,
}

/// The keys that were opened so far: opening an encrypted one takes a while, and perhaps a person.
#[derive(Default)]
pub(super) struct Keys(tokio::sync::Mutex<HashMap<PathBuf, Opened>>);

impl Keys {
    /// The key in a file.
    pub(super) async fn open(
        &self,
        path: &Path,
        passphrase: Passphrase<'_>,
    ) -> Result<Opened, Box<Unusable>> {
        // One after the other: the second host that needs a key finds it opened.
        let mut opened = self.0.lock().await;
        if let Some(key) = opened.get(path) {
            return Ok(key.clone());
        }
        let key = Opened { key: Arc::new(open(path, passphrase).await?), certificate: certificate(path)? };
        opened.insert(path.to_owned(), key.clone());
        Ok(key)
    }
}

async fn open(path: &Path, passphrase: Passphrase<'_>) -> Result<PrivateKey, Box<Unusable>> {
    let shown = path.display();
    let text = read_private(path)?;
    let public = KeyFile::from_openssh(text.as_str()).ok().map(|key| key.public_key().clone());
    match russh::keys::decode_secret_key(&text, None) {
        Ok(key) => return Ok(key),
        Err(error) if !is_encrypted(&error, &text) => {
            return Err(Box::new(Unusable::new(
                format!("it is no private key this version can read: {error}"),
                format!("see what `ssh-keygen -y -f {shown}` says; ed25519, ECDSA and RSA keys can be used"),
            )));
        }
        Err(_) => {}
    }
    let secret = match wanted(path, passphrase).await {
        Ok(secret) => secret,
        Err(None) => {
            let help = format!(
                "load it with `ssh-add {shown}`, or say where its passphrase is with `ssh.passphrase`"
            );
            let unusable = Unusable::new("it is encrypted and no passphrase is given", help);
            return Err(Box::new(Unusable { public, locked: true, ..unusable }));
        }
        Err(Some(fault)) => {
            let cause = format!("its passphrase cannot be had: {}", told(&fault));
            return Err(Box::new(Unusable {
                public,
                ..Unusable::new(cause, "correct `ssh.passphrase` in the inventory, or its source")
            }));
        }
    };
    let opened = {
        let (text, secret) = (text.clone(), secret);
        // Takes a noticeable part of a second by design.
        tokio::task::spawn_blocking(move || russh::keys::decode_secret_key(&text, Some(secret.expose())))
            .await
    };
    match opened {
        Ok(Ok(key)) => Ok(key),
        _ => Err(Box::new(Unusable {
            public,
            ..Unusable::new(
                "the passphrase does not open it",
                format!(
                    "correct what `ssh.passphrase` leads to: `ssh-keygen -y -f {shown}` asks for the same one"
                ),
            )
        })),
    }
}

/// `None`: there is no way to have it.
async fn wanted(path: &Path, passphrase: Passphrase<'_>) -> Result<Secret, Option<SecretFault>> {
    let Passphrase { secrets, reference, ask } = passphrase;
    if reference.is_none() && !(ask && secrets.can_have(None)) {
        return Err(None);
    }
    secrets.get(reference, &format!("passphrase of `{}`", path.display())).await.map_err(Some)
}

fn told(fault: &SecretFault) -> String {
    let mut text = fault.to_string();
    let mut source = std::error::Error::source(fault);
    while let Some(cause) = source {
        text = format!("{text}: {cause}");
        source = cause.source();
    }
    text
}

fn is_encrypted(error: &russh::keys::Error, text: &str) -> bool {
    matches!(error, russh::keys::Error::KeyIsEncrypted)
        || text.contains("ENCRYPTED")
        || KeyFile::from_openssh(text).is_ok_and(|key| key.is_encrypted())
}

/// The certificate beside a key, as `ssh` finds it. One that is over is no use, and `sshd` would not say so.
fn certificate(path: &Path) -> Result<Option<Arc<Certificate>>, Box<Unusable>> {
    let mut beside = path.as_os_str().to_owned();
    beside.push("-cert.pub");
    let beside = PathBuf::from(beside);
    let text = match fs_err::read_to_string(&beside) {
        Ok(text) => text,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => {
            return Err(Box::new(Unusable::new(
                error.to_string(),
                "make the certificate readable, or remove it",
            )));
        }
    };
    let shown = beside.display();
    let certificate = Certificate::from_openssh(&text).map_err(|error| {
        Unusable::new(
            format!("the certificate `{shown}` cannot be read: {error}"),
            format!("see what `ssh-keygen -Lf {shown}` says, or remove it"),
        )
    })?;
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_secs();
    let help = format!("have the key signed anew; `ssh-keygen -Lf {shown}` shows until when it is good");
    if now >= certificate.valid_before() {
        return Err(Box::new(Unusable::new(format!("its certificate `{shown}` has expired"), help)));
    }
    if now < certificate.valid_after() {
        return Err(Box::new(Unusable::new(format!("its certificate `{shown}` is not valid yet"), help)));
    }
    Ok(Some(Arc::new(certificate)))
}

/// A key others can read is no secret; `ssh` refuses it as well.
fn read_private(path: &Path) -> Result<zeroize::Zeroizing<String>, Box<Unusable>> {
    let shown = path.display();
    let failed = |error: io::Error| match error.kind() {
        io::ErrorKind::NotFound => Unusable::new(
            "it is not there",
            "correct `ssh.identity`; `~` and paths beside the inventory are understood",
        ),
        _ => Unusable::new(error.to_string(), format!("make `{shown}` readable for you")),
    };
    let file = fs_err::File::open(path).map_err(failed)?;
    let metadata = file.metadata().map_err(failed)?;
    let mode = metadata.mode() & 0o777;
    if mode & 0o077 != 0 {
        let cause = format!("others can read it (mode {mode:04o})");
        return Err(Box::new(Unusable::new(cause, format!("run `chmod 600 {shown}`"))));
    }
    io::read_to_string(file).map(zeroize::Zeroizing::new).map_err(|error| Box::new(failed(error)))
}
