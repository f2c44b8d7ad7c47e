//! The folder the files go to: a new one, wholly or not at all, for nobody else to read.

use std::io::Write as _;
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};

use super::Prepared;
use crate::problem::{Exit, Problem};

/// `first-boot` beside the inventory.
#[derive(Debug)]
pub struct Folder {
    path: PathBuf,
}

impl Folder {
    /// Makes sure that nothing is there, before anybody is asked anything.
    ///
    /// # Errors
    /// Something is.
    pub fn free(inventory: &Path) -> Result<Self, Problem> {
        let path = inventory.with_file_name("first-boot");
        if path.symlink_metadata().is_ok() {
            return Err(taken(&path));
        }
        Ok(Self { path })
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Writes the files of all cards.
    ///
    /// # Errors
    /// Something is there by now, or cannot be written; nothing is left then.
    pub fn write(&self, prepared: &Prepared) -> Result<(), Problem> {
        let failed = |error: &std::io::Error| {
            Problem::new(Exit::Failed, format!("cannot write `{}`", self.path.display()))
                .cause(error.to_string())
        };
        let above =
            self.path.parent().filter(|above| !above.as_os_str().is_empty()).unwrap_or(Path::new("."));
        // Made by this library for its owner alone; what is not kept goes away with it.
        let made =
            tempfile::Builder::new().prefix(".garboard").tempdir_in(above).map_err(|error| failed(&error))?;
        let whole = made.path().join("first-boot");
        folder(&whole).map_err(|error| failed(&error))?;
        // Keys must not get into a repository that the inventory is kept in.
        file(&whole.join(".gitignore"), "*\n").map_err(|error| failed(&error))?;
        for (host, files) in prepared.files()? {
            let of_host = whole.join(host);
            folder(&of_host).map_err(|error| failed(&error))?;
            for one in files {
                file(&of_host.join(one.name), one.text.expose()).map_err(|error| failed(&error))?;
            }
        }
        if self.path.symlink_metadata().is_ok() {
            return Err(taken(&self.path));
        }
        fs_err::rename(&whole, &self.path).map_err(|error| failed(&error))
    }

    /// Takes back what was written, where the inventory that goes with it could not be.
    pub fn remove(&self) {
        if let Err(error) = fs_err::remove_dir_all(&self.path) {
            tracing::debug!("cannot remove `{}`: {error}", self.path.display());
        }
    }
}

fn folder(path: &Path) -> std::io::Result<()> {
    std::fs::DirBuilder::new().mode(0o700).create(path)
}

fn file(path: &Path, text: &str) -> std::io::Result<()> {
    let mut file = std::fs::OpenOptions::new().write(true).create_new(true).mode(0o600).open(path)?;
    file.write_all(text.as_bytes())?;
    file.sync_all()
}

fn taken(path: &Path) -> Problem {
    let message = format!("`{}` is there already, and `init` writes over nothing", path.display());
    Problem::new(Exit::Usage, message)
        .help("move it away, or name an inventory in another folder with `--inventory FILE`")
}
