//! What can be wrong with a kubeconfig.

use std::path::PathBuf;

/// A kubeconfig that cannot be read, merged or written.
#[derive(Debug, thiserror::Error)]
pub enum KubeconfigError {
    /// It is no kubeconfig.
    #[error("`{file}` is no kubeconfig: {reason}; correct it, or merge into another file with `--into FILE`")]
    Content {
        /// The file, with line and column where known.
        file: String,
        /// What is wrong.
        reason: String,
    },
    /// It cannot be read or written.
    #[error("could not {action} `{}`", .path.display())]
    File {
        /// For example `write`.
        action: &'static str,
        /// The file.
        path: PathBuf,
        /// Why.
        #[source]
        cause: std::io::Error,
    },
}
