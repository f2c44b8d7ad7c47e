//! The file the inventory goes to: a new one, wholly or not at all.

use std::io::Write as _;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

use crate::problem::{Exit, Problem};

/// A path at which nothing is.
#[derive(Debug)]
pub struct Place {
    path: PathBuf,
}

impl Place {
    /// Makes sure of it before anybody is asked anything.
    ///
    /// # Errors
    /// Something is there already, or no file can be.
    pub fn free(path: &Path) -> Result<Self, Problem> {
        if path.symlink_metadata().is_ok() {
            return Err(taken(path));
        }
        let folder = folder(path);
        if !folder.is_dir() {
            return Err(Problem::new(Exit::Usage, format!("there is no folder `{}`", folder.display()))
                .help("make it, or name another file with `--inventory FILE`"));
        }
        Ok(Self { path: path.to_owned() })
    }

    /// Writes the text, unless somebody else was faster.
    ///
    /// # Errors
    /// Something is there by now, or the file cannot be written; nothing is left then.
    pub fn write(&self, text: &str) -> Result<(), Problem> {
        let failed = |error: &std::io::Error| {
            Problem::new(Exit::Failed, format!("cannot write `{}`", self.path.display()))
                .cause(error.to_string())
        };
        // The user's umask decides, as for any file an editor makes: there is no secret in it.
        let permissions = std::fs::Permissions::from_mode(0o666);
        let made = tempfile::Builder::new()
            .prefix(".garboard")
            .permissions(permissions)
            .tempfile_in(folder(&self.path));
        let mut file = made.map_err(|error| failed(&error))?;
        let written = file.write_all(text.as_bytes()).and_then(|()| file.as_file().sync_all());
        written.map_err(|error| failed(&error))?;
        file.persist_noclobber(&self.path).map_err(|error| match error.error.kind() {
            std::io::ErrorKind::AlreadyExists => taken(&self.path),
            _ => failed(&error.error),
        })?;
        Ok(())
    }
}

fn taken(path: &Path) -> Problem {
    Problem::new(
        Exit::Usage,
        format!("`{}` is there already, and `init` writes over nothing", path.display()),
    )
    .help("name another file with `--inventory FILE`, or look at the text with `--print`")
}

fn folder(path: &Path) -> &Path {
    path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."))
}

#[cfg(test)]
mod tests {
    use super::Place;

    #[test]
    fn a_file_that_came_meanwhile_is_not_written_over() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("garboard.yaml");
        let place = Place::free(&path).unwrap();
        fs_err::write(&path, "mine").unwrap();
        assert!(place.write("ours").unwrap_err().message.contains("is there already"));
        assert_eq!(fs_err::read_to_string(&path).unwrap(), "mine");
        assert_eq!(fs_err::read_dir(folder.path()).unwrap().count(), 1, "something is left behind");
    }

    #[test]
    fn a_link_to_nowhere_counts_as_something() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("garboard.yaml");
        fs_err::os::unix::fs::symlink("nowhere", &path).unwrap();
        assert!(Place::free(&path).is_err());
    }
}
