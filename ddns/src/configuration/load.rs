//! From the file to the configuration.

use std::path::{Path, PathBuf};

use super::{Configuration, rules};

/// What is wrong with a configuration; nothing was sent to anybody.
#[derive(Debug, thiserror::Error)]
pub enum ConfigurationError {
    /// The file cannot be read.
    #[error("cannot read the configuration: {0}")]
    Read(#[from] std::io::Error),
    /// It is not what `docs/ddns.md` describes.
    #[error("`{}` is not a configuration of garboard-ddns\n{problem}", path.display())]
    Format {
        /// The file.
        path: PathBuf,
        /// With line, column and excerpt.
        problem: String,
    },
    /// It cannot be acted on.
    #[error("`{}` cannot be acted on:\n- {}", path.display(), problems.join("\n- "))]
    Rules {
        /// The file.
        path: PathBuf,
        /// All of them.
        problems: Vec<String>,
    },
}

/// Reads the file and holds it against every rule.
///
/// # Errors
/// See [`ConfigurationError`].
pub fn load(path: &Path) -> Result<Configuration, ConfigurationError> {
    let text = fs_err::read_to_string(path)?;
    let configuration: Configuration = serde_saphyr::from_str(&text)
        .map_err(|error| ConfigurationError::Format { path: path.to_owned(), problem: error.to_string() })?;
    let problems = rules::violations(&configuration);
    if problems.is_empty() {
        Ok(configuration)
    } else {
        Err(ConfigurationError::Rules { path: path.to_owned(), problems })
    }
}
