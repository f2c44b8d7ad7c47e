//! From the reference to the secret.

use std::ffi::OsString;
use std::fmt;
use std::io::Read;
use std::os::unix::ffi::OsStringExt;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitStatus, Stdio};

use zeroize::{Zeroize, Zeroizing};

use super::reference::SecretReference;

/// A file or an output larger than this is no passphrase or token.
const LARGEST: usize = 64 * 1024;

/// A secret text: its `Debug` is redacted, its memory is wiped on drop.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(String);

impl Secret {
    /// Takes a text over.
    pub fn new(text: impl Into<String>) -> Self {
        Self(text.into())
    }

    /// The text itself; the caller keeps it out of argv, logs and errors.
    pub fn expose(&self) -> &str {
        &self.0
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
#[non_exhaustive]
pub enum SecretError {
    /// The variable is not set.
    #[error(
        "the environment variable `{name}` is not set; `export {name}=…` in this shell, or name another source"
    )]
    NotSet {
        /// The variable.
        name: String,
    },
    /// The file cannot be read.
    #[error("cannot read the secret in `{}`", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// The cause; it names the path as well.
        source: std::io::Error,
    },
    /// Others can read the file.
    #[error("others can read the secret in `{0}` (mode {mode:04o}); run `chmod 600 {0}`", path.display())]
    Readable {
        /// The file.
        path: PathBuf,
        /// Its permission bits.
        mode: u32,
    },
    /// This is not a regular file.
    #[error("`{}` is not a regular file, a secret cannot be read from it", path.display())]
    NotAFile {
        /// The path.
        path: PathBuf,
    },
    /// The program cannot be started, or its output not be read.
    #[error("cannot run `{program}` for a secret")]
    Run {
        /// The program.
        program: String,
        /// The cause.
        source: std::io::Error,
    },
    /// The program failed.
    #[error("`{program}` was to print a secret and failed: {status}")]
    Failed {
        /// The program.
        program: String,
        /// How it ended.
        status: ExitStatus,
    },
    /// What was found cannot be a secret.
    #[error("the secret from {origin} {problem}")]
    Unusable {
        /// Where it came from.
        origin: String,
        /// What is wrong with it.
        problem: &'static str,
    },
}

impl SecretReference {
    /// Fetches the secret, with the environment of this process.
    ///
    /// # Errors
    /// See [`SecretError`]; none carries any part of the secret.
    pub fn resolve(&self) -> Result<Secret, SecretError> {
        self.resolve_with(|name| std::env::var_os(name))
    }

    /// The same with an environment of the caller's.
    ///
    /// # Errors
    /// As for [`SecretReference::resolve`].
    pub fn resolve_with(&self, variable: impl Fn(&str) -> Option<OsString>) -> Result<Secret, SecretError> {
        match self {
            Self::Env(name) => {
                let text = variable(name).ok_or_else(|| SecretError::NotSet { name: name.clone() })?;
                finish(&Zeroizing::new(text.into_vec()), || format!("the environment variable `{name}`"))
            }
            Self::File(path) => finish(&read_file(path)?, || format!("`{}`", path.display())),
            Self::Command(words) => {
                let (program, arguments) = match words.split_first() {
                    Some((program, arguments)) => (program.as_str(), arguments),
                    None => ("", [].as_slice()),
                };
                finish(&run(program, arguments)?, || format!("`{program}`"))
            }
        }
    }
}

fn read_file(path: &Path) -> Result<Zeroizing<Vec<u8>>, SecretError> {
    let read = |source| SecretError::Read { path: path.to_owned(), source };
    let file = fs_err::File::open(path).map_err(read)?;
    // Asked of the open file, so that what is checked is what is read.
    let metadata = file.metadata().map_err(read)?;
    if !metadata.is_file() {
        return Err(SecretError::NotAFile { path: path.to_owned() });
    }
    let mode = metadata.permissions().mode() & 0o7777;
    if mode & 0o077 != 0 {
        return Err(SecretError::Readable { path: path.to_owned(), mode });
    }
    bounded(file).map_err(read)
}

fn run(program: &str, arguments: &[String]) -> Result<Zeroizing<Vec<u8>>, SecretError> {
    let failed = |source| SecretError::Run { program: program.to_owned(), source };
    // Standard input and error stay the user's: `pass` and `op` ask there for what they need.
    let mut child = Command::new(program).args(arguments).stdout(Stdio::piped()).spawn().map_err(failed)?;
    let output = match child.stdout.take() {
        Some(stdout) => bounded(stdout),
        None => Ok(Zeroizing::new(Vec::new())),
    };
    let status = child.wait().map_err(failed)?;
    let output = output.map_err(failed)?;
    if !status.success() {
        return Err(SecretError::Failed { program: program.to_owned(), status });
    }
    Ok(output)
}

fn bounded(reader: impl Read) -> std::io::Result<Zeroizing<Vec<u8>>> {
    // Room for all at once: a buffer that grows leaves copies behind that nobody wipes.
    let mut bytes = Zeroizing::new(Vec::with_capacity(LARGEST + 1024));
    reader.take(LARGEST as u64 + 1).read_to_end(&mut bytes)?;
    Ok(bytes)
}

/// Text, without the line break an editor or `echo` put at its end.
fn finish(bytes: &[u8], origin: impl Fn() -> String) -> Result<Secret, SecretError> {
    let unusable = |problem| SecretError::Unusable { origin: origin(), problem };
    if bytes.len() > LARGEST {
        return Err(unusable("is larger than 64 KiB"));
    }
    let text = std::str::from_utf8(bytes).map_err(|_| unusable("is not UTF-8 text"))?;
    let text = text.strip_suffix('\n').map_or(text, |text| text.strip_suffix('\r').unwrap_or(text));
    if text.is_empty() {
        return Err(unusable("is empty"));
    }
    Ok(Secret::new(text))
}
