//! Where a secret is found.

use std::path::PathBuf;

use serde::Serialize;

/// Where a secret is found. Holds nothing secret itself.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum SecretReference {
    /// In an environment variable of this name.
    Env(String),
    /// In a file only its owner can read; relative paths were made absolute by [`crate::load`].
    File(PathBuf),
    /// On the standard output of a program: its name or path, then its arguments. No shell is involved.
    Command(Vec<String>),
}
