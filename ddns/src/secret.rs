//! Secrets: read from files that nobody else can read, kept out of every text that leaves the process.

use std::collections::BTreeMap;
use std::fmt;
use std::io::Read as _;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

use base64::Engine as _;
use serde::{Deserialize, Deserializer, Serialize};
use zeroize::{Zeroize as _, Zeroizing};

/// A file larger than this is no token.
const LARGEST: u64 = 64 * 1024;
/// Characters of a text that leaves the process.
const LINE: usize = 400;
/// What stands in a text where a secret was.
const MASK: &str = "[secret]";

/// Where a secret is; never the secret itself.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SecretReference {
    /// A file that only its owner can read.
    File(PathBuf),
    /// A credential that systemd hands to the service (`LoadCredential=`).
    Credential(String),
    /// One of several secrets in a credential: a JSON object from names to secrets.
    Entry {
        /// As for [`Self::Credential`].
        credential: String,
        /// Which of them.
        name: String,
    },
}

/// A secret text: its `Debug` is redacted, its memory is wiped.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(String);

impl Secret {
    /// Takes a text over.
    pub fn new(text: impl Into<String>) -> Self {
        Self(text.into())
    }

    /// The text itself; the caller keeps it out of logs and errors.
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl<'de> Deserialize<'de> for Secret {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Ok(Self(String::deserialize(deserializer)?))
    }
}

impl Drop for Secret {
    fn drop(&mut self) {
        self.0.zeroize();
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("Secret(…)")
    }
}

/// Why a secret could not be had. None of these carries any part of it.
#[derive(Debug, thiserror::Error)]
pub enum SecretError {
    /// The file cannot be read.
    #[error("cannot read the secret: {0}")]
    Read(#[from] std::io::Error),
    /// Others can read the file.
    #[error("others can read the secret in `{0}` (mode {mode:04o}); run `chmod 600 {0}`", path.display())]
    Readable {
        /// The file.
        path: PathBuf,
        /// Its permission bits.
        mode: u32,
    },
    /// This is not a regular file.
    #[error("`{}` is not a regular file, a secret cannot be read from it", .0.display())]
    NotAFile(PathBuf),
    /// What was found cannot be a secret.
    #[error("the secret in `{}` {problem}", path.display())]
    Unusable {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        problem: &'static str,
    },
    /// It holds others.
    #[error("`{}` holds no secret `{name}`", path.display())]
    NoEntry {
        /// The file.
        path: PathBuf,
        /// Which was looked for.
        name: String,
    },
    /// systemd handed over no credentials.
    #[error(
        "the credential `{0}` was not handed over; give the unit `LoadCredential={0}:PATH`, or say `file: PATH`"
    )]
    NoCredentials(String),
    /// The name would lead elsewhere.
    #[error("`{0}` is no name of a credential: it has a `/` or begins with a dot")]
    CredentialName(String),
}

impl SecretReference {
    /// Reads the secret. `credentials` is systemd's folder for this service (`$CREDENTIALS_DIRECTORY`).
    ///
    /// # Errors
    /// See [`SecretError`].
    pub fn read(&self, credentials: Option<&Path>) -> Result<Secret, SecretError> {
        match self {
            Self::Credential(name) => {
                let path = place(name, credentials)?;
                one_line(&path, &content(&path, OF_CREDENTIALS)?)
            }
            Self::Entry { credential, name } => {
                let path = place(credential, credentials)?;
                let bytes = content(&path, OF_CREDENTIALS)?;
                let unusable = |problem| SecretError::Unusable { path: path.clone(), problem };
                // What serde says of it may repeat a part of it.
                let mut all: BTreeMap<String, Secret> = serde_json::from_slice(&bytes)
                    .map_err(|_| unusable("is no JSON object from names to secrets"))?;
                let secret = all
                    .remove(name)
                    .ok_or_else(|| SecretError::NoEntry { path: path.clone(), name: name.clone() })?;
                one_line(&path, secret.expose().as_bytes())
            }
            Self::File(path) => one_line(path, &content(path, 0o077)?),
        }
    }
}

/// systemd lets the service's user in by an access control list, whose mask shows as the group's bits.
const OF_CREDENTIALS: u32 = 0o007;

/// Where a credential is.
fn place(name: &str, credentials: Option<&Path>) -> Result<PathBuf, SecretError> {
    if name.contains('/') || name.starts_with('.') || name.is_empty() {
        return Err(SecretError::CredentialName(name.to_owned()));
    }
    Ok(credentials.ok_or_else(|| SecretError::NoCredentials(name.to_owned()))?.join(name))
}

fn content(path: &Path, forbidden: u32) -> Result<Zeroizing<Vec<u8>>, SecretError> {
    let file = fs_err::File::open(path)?;
    // Asked of the open file, so that what is checked is what is read.
    let metadata = file.metadata()?;
    if !metadata.is_file() {
        return Err(SecretError::NotAFile(path.to_owned()));
    }
    let mode = metadata.permissions().mode() & 0o7777;
    if mode & forbidden != 0 {
        return Err(SecretError::Readable { path: path.to_owned(), mode });
    }
    let mut bytes = Zeroizing::new(Vec::with_capacity(1024));
    file.take(LARGEST + 1).read_to_end(&mut bytes)?;
    if bytes.len() as u64 > LARGEST {
        return Err(SecretError::Unusable { path: path.to_owned(), problem: "is larger than 64 KiB" });
    }
    Ok(bytes)
}

fn one_line(path: &Path, bytes: &[u8]) -> Result<Secret, SecretError> {
    let unusable = |problem| SecretError::Unusable { path: path.to_owned(), problem };
    let text = std::str::from_utf8(bytes).map_err(|_| unusable("is not UTF-8 text"))?;
    let text = text.strip_suffix('\n').map_or(text, |text| text.strip_suffix('\r').unwrap_or(text));
    if text.is_empty() {
        return Err(unusable("is empty"));
    }
    if text.chars().any(char::is_control) {
        return Err(unusable("has more than one line, or control characters"));
    }
    Ok(Secret::new(text))
}

/// What must not stand in any text that leaves the process: the secrets of one provider, in all forms they are sent in.
#[derive(Debug, Clone, Default)]
pub struct Redaction(Vec<Secret>);

impl Redaction {
    /// Of a password, and of the pair sent as `Authorization: Basic`.
    pub fn new(user: Option<&str>, secret: &Secret) -> Self {
        let engine = base64::engine::general_purpose::STANDARD;
        let mut forms = vec![secret.clone()];
        // As it stands in a query.
        let query = reqwest::Url::parse_with_params("http://x/", [("s", secret.expose())]);
        if let Some(encoded) =
            query.ok().and_then(|url| url.query().and_then(|text| text.get(2..)).map(str::to_owned))
        {
            forms.push(Secret::new(encoded));
        }
        forms.push(Secret::new(engine.encode(secret.expose())));
        if let Some(user) = user {
            forms.push(Secret::new(
                engine.encode(Zeroizing::new(format!("{user}:{}", secret.expose())).as_bytes()),
            ));
        }
        // The longest first: a shorter one may be the end of a longer one.
        forms.sort_by_key(|form| std::cmp::Reverse(form.expose().len()));
        Self(forms)
    }

    /// The text with a mask for each secret, harmless for a terminal, and not longer than a line of a log should be.
    pub fn apply(&self, text: &str) -> String {
        let mut clean = text.to_owned();
        for secret in &self.0 {
            clean = clean.replace(secret.expose(), MASK);
        }
        clean.chars().map(|one| if one.is_control() { ' ' } else { one }).take(LINE).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn file(folder: &Path, mode: u32, text: &str) -> PathBuf {
        let path = folder.join("token");
        fs_err::write(&path, text).unwrap();
        fs_err::set_permissions(&path, std::fs::Permissions::from_mode(mode)).unwrap();
        path
    }

    #[test]
    fn a_secret_that_others_can_read_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        let path = file(folder.path(), 0o640, "canary");
        let said = SecretReference::File(path.clone()).read(None).unwrap_err().to_string();
        assert!(said.contains("chmod 600") && said.contains("0640") && !said.contains("canary"), "{said}");
        // The mask of an access control list looks like the group's bits.
        let credential = SecretReference::Credential("token".to_owned());
        assert_eq!(credential.read(Some(folder.path())).unwrap().expose(), "canary");
        file(folder.path(), 0o604, "canary");
        assert!(credential.read(Some(folder.path())).is_err());
        file(folder.path(), 0o600, "canary\n");
        assert_eq!(SecretReference::File(path).read(None).unwrap().expose(), "canary");
        let outside = SecretReference::Credential("../token".to_owned()).read(Some(folder.path()));
        assert!(matches!(outside, Err(SecretError::CredentialName(_))));
    }

    #[test]
    fn one_of_several_secrets_is_found_by_its_name() {
        let folder = tempfile::tempdir().unwrap();
        let entry = |name: &str| {
            let (credential, name) = ("token".to_owned(), name.to_owned());
            SecretReference::Entry { credential, name }.read(Some(folder.path()))
        };
        file(folder.path(), 0o600, r#"{"1": "canary", "2": "two\nlines"}"#);
        assert_eq!(entry("1").unwrap().expose(), "canary");
        assert!(matches!(entry("2"), Err(SecretError::Unusable { .. })));
        let said = entry("3").unwrap_err().to_string();
        assert!(said.contains("no secret `3`") && !said.contains("canary"), "{said}");
        for text in ["canary", r#"{"1": canary}"#, r#"["canary"]"#, r#"{"1": {"canary": 1}}"#] {
            file(folder.path(), 0o600, text);
            let said = entry("1").unwrap_err().to_string();
            assert!(said.contains("no JSON object") && !said.contains("canary"), "{said}");
        }
    }

    #[test]
    fn every_form_of_a_secret_is_masked() {
        let redaction = Redaction::new(Some("me"), &Secret::new("can ary/+"));
        let text = "a can ary/+ b can+ary%2F%2B c Y2FuIGFyeS8r d bWU6Y2FuIGFyeS8r e\u{1b}[2J";
        assert_eq!(redaction.apply(text), "a [secret] b [secret] c [secret] d [secret] e [2J");
    }

    #[test]
    fn a_text_is_cut_after_its_secrets_are_masked() {
        let redaction = Redaction::new(None, &Secret::new("canary-canary"));
        let said = redaction.apply(&("x".repeat(LINE - 4) + "canary-canary"));
        assert!(said.chars().count() <= LINE && !said.contains("cana"), "{said}");
    }
}
