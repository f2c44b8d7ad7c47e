//! What can go wrong in the lab.

use std::path::PathBuf;

/// The result of a lab operation.
pub type Result<T> = std::result::Result<T, Error>;

/// Why a lab operation failed.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A Debian package the lab needs is not installed.
    #[error("the lab needs packages that this machine lacks; install them: `apt-get install {}`", packages.join(" "))]
    MissingPackages {
        /// Their names.
        packages: Vec<&'static str>,
    },
    /// The lab needs root.
    #[error("the lab makes namespaces, mounts and cgroups, which needs root; run it with `sudo`")]
    NotRoot,
    /// The name cannot be used for namespaces, links and host names.
    #[error(
        "`{name}` cannot be a lab's name: use at most 24 lower-case letters, digits and hyphens, beginning with a letter"
    )]
    Name {
        /// As given.
        name: String,
    },
    /// No lab of that name is recorded.
    #[error("there is no lab `{lab}`; make it with `garboard lab up {lab}`")]
    NoLab {
        /// Its name.
        lab: String,
    },
    /// The lab has no such host.
    #[error("lab `{lab}` has no host `{host}`; it has {}", hosts.join(", "))]
    NoHost {
        /// The lab.
        lab: String,
        /// As asked for.
        host: String,
        /// Those it has.
        hosts: Vec<String>,
    },
    /// The host is not running.
    #[error("host `{host}` of lab `{lab}` is off; start it with `garboard lab power-on {lab} {host}`")]
    Off {
        /// The lab.
        lab: String,
        /// The host.
        host: String,
    },
    /// The host did not come up.
    #[error("host `{host}` of lab `{lab}` did not {waited_for} within {seconds} s; its console is `{}`", console.display())]
    Deadline {
        /// The lab.
        lab: String,
        /// The host.
        host: String,
        /// What was expected of it, as a verb phrase.
        waited_for: &'static str,
        /// The deadline.
        seconds: u64,
        /// Where its console output is.
        console: PathBuf,
    },
    /// The host's container ended while it was booting.
    #[error("host `{host}` of lab `{lab}` went off while it was booting; its console (`{}`) ends: {tail}", console.display())]
    Boot {
        /// The lab.
        lab: String,
        /// The host.
        host: String,
        /// Where its console output is.
        console: PathBuf,
        /// The last lines of it.
        tail: String,
    },
    /// A program we ran failed.
    #[error("`{command}` failed ({status}): {stderr}")]
    Program {
        /// Program and arguments.
        command: String,
        /// How it ended.
        status: std::process::ExitStatus,
        /// The last lines of its standard error.
        stderr: String,
    },
    /// A program could not be started.
    #[error("cannot run `{command}`")]
    Spawn {
        /// Program and arguments.
        command: String,
        /// Why.
        source: std::io::Error,
    },
    /// A file of ours does not have the expected form.
    #[error("`{}` is damaged; remove the lab with `garboard lab down` and make it anew", path.display())]
    Damaged {
        /// The file.
        path: PathBuf,
        /// Why.
        source: serde_json::Error,
    },
    /// A request that contradicts what the lab is.
    #[error("{message}")]
    Refused {
        /// What, and what to do instead.
        message: String,
    },
    /// A system call or file operation failed; the message of fs-err names the path.
    #[error(transparent)]
    Io(#[from] std::io::Error),
    /// A system call failed.
    #[error("cannot {action}")]
    System {
        /// As a verb phrase.
        action: String,
        /// Why.
        source: nix::Error,
    },
}

impl Error {
    /// An adapter for `map_err`: which system call failed, as a verb phrase.
    pub(crate) fn system(action: impl Into<String>) -> impl FnOnce(nix::Error) -> Self {
        move |source| Self::System { action: action.into(), source }
    }
}
