//! Where labs keep their things on this machine.

use std::path::{Path, PathBuf};

use crate::{Error, Result};

/// The folders of this user's labs, and the program that acts for them.
#[derive(Debug, Clone)]
pub struct Places {
    /// `$XDG_STATE_HOME/garboard`.
    pub state: PathBuf,
    /// `$XDG_CACHE_HOME/garboard`.
    pub cache: PathBuf,
    /// The program that answers to `lab supervise`, `lab boot`, `lab connect`: the CLI itself.
    pub program: PathBuf,
}

impl Places {
    /// From the environment, with the running program as [`Places::program`].
    ///
    /// # Errors
    /// When neither the XDG variables nor `HOME` are set.
    pub fn from_environment() -> Result<Self> {
        Ok(Self {
            state: folder("XDG_STATE_HOME", ".local/state")?,
            cache: folder("XDG_CACHE_HOME", ".cache")?,
            program: std::env::current_exe()?,
        })
    }

    /// The folder of all labs.
    pub fn labs(&self) -> PathBuf {
        self.state.join("labs")
    }

    /// The folder of one lab.
    pub fn lab(&self, lab: &str) -> PathBuf {
        self.labs().join(lab)
    }

    /// The folder of one host.
    pub(crate) fn host(&self, lab: &str, host: &str) -> PathBuf {
        self.lab(lab).join("hosts").join(host)
    }

    /// Base images.
    pub(crate) fn bases(&self) -> PathBuf {
        self.cache.join("lab/base")
    }
}

/// What the supervisors of all labs share while any host runs; gone with a reboot of the machine, as what it notes is.
pub(crate) fn run_folder() -> &'static Path {
    Path::new("/run/garboard-lab")
}

fn folder(variable: &str, below_home: &str) -> Result<PathBuf> {
    let base = match std::env::var_os(variable).filter(|value| !value.is_empty()) {
        Some(base) => PathBuf::from(base),
        None => match std::env::var_os("HOME").filter(|value| !value.is_empty()) {
            Some(home) => Path::new(&home).join(below_home),
            None => {
                return Err(Error::Refused {
                    message: format!("neither `{variable}` nor `HOME` is set; set one of them"),
                });
            }
        },
    };
    Ok(std::path::absolute(base)?.join("garboard"))
}
