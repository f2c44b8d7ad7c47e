//! The folder of a playbook of the user's own: the one place where this crate reads files.
//!
//! Only `playbook.yaml` and `templates/*.tera` are read, and nothing that a link leads to outside the folder: what a
//! playbook sends to hosts is what lies in its folder.

use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use fs_err as fs;

/// A playbook with all its templates is far smaller.
const LARGEST_FILE: u64 = 1024 * 1024;
/// More templates than this are no playbook's.
const MOST_FILES: usize = 1000;

/// A playbook's files.
#[derive(Debug)]
pub(crate) struct Folder {
    /// The folder's own name.
    pub(crate) name: String,
    /// The folder as the user writes it, for messages.
    pub(crate) path: String,
    /// Paths relative to the folder, and texts.
    pub(crate) files: Vec<(String, String)>,
}

/// Why a folder is no playbook: what is wrong, and what to do.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Unfit {
    pub(crate) message: String,
    pub(crate) help: String,
}

impl Unfit {
    fn new(message: impl Into<String>, help: impl Into<String>) -> Self {
        Self { message: message.into(), help: help.into() }
    }
}

impl Folder {
    /// Reads it; everything that is wrong with it is said.
    pub(crate) fn read(path: &Path) -> Result<Self, Vec<Unfit>> {
        let shown = path.display().to_string();
        let shown = if shown.is_empty() { ".".to_owned() } else { shown.trim_end_matches('/').to_owned() };
        let real = match fs::canonicalize(if path.as_os_str().is_empty() { Path::new(".") } else { path }) {
            Ok(real) if real.is_dir() => real,
            Ok(_) => {
                return Err(vec![Unfit::new(
                    format!("`{shown}` is no folder"),
                    "name the folder that holds `playbook.yaml`",
                )]);
            }
            Err(error) => return Err(vec![unreadable(&shown, &error)]),
        };
        let name = name_of(path, &real, &shown).map_err(|unfit| vec![unfit])?;
        let (mut files, mut unfit) = (Vec::new(), Vec::new());
        for relative in relative_paths(&real, &shown, &mut unfit) {
            match read_inside(&real, &relative, &shown) {
                Ok(text) => files.push((relative, text)),
                Err(fault) => unfit.push(fault),
            }
        }
        if unfit.is_empty() { Ok(Self { name, path: shown, files }) } else { Err(unfit) }
    }
}

/// The folder's name: as written, or where the writing ends in `..` or `.`, as it is.
fn name_of(written: &Path, real: &Path, shown: &str) -> Result<String, Unfit> {
    let name = written.file_name().or_else(|| real.file_name()).unwrap_or_default().to_string_lossy();
    let plain = |character: char| character.is_ascii_alphanumeric() || matches!(character, '-' | '_');
    if name.is_empty() || name.len() > 63 || name.starts_with('-') || !name.chars().all(plain) {
        return Err(Unfit::new(
            format!("the name of the folder `{shown}` cannot be a playbook's"),
            "name the folder with letters, digits, `-` and `_`, at most 63 of them: it stands in every step's id",
        ));
    }
    Ok(name.into_owned())
}

/// `playbook.yaml`, and the templates that are there.
fn relative_paths(folder: &Path, shown: &str, unfit: &mut Vec<Unfit>) -> Vec<String> {
    let mut paths = vec!["playbook.yaml".to_owned()];
    let entries = match fs::read_dir(folder.join("templates")) {
        Ok(entries) => entries,
        Err(error) if error.kind() == ErrorKind::NotFound => return paths,
        Err(error) => {
            unfit.push(unreadable(&format!("{shown}/templates"), &error));
            return paths;
        }
    };
    let mut names: Vec<String> = entries
        .filter_map(|entry| Some(entry.ok()?.file_name().to_string_lossy().into_owned()))
        .filter(|name| Path::new(name).extension().is_some_and(|ending| ending == "tera"))
        .collect();
    names.sort();
    if names.len() > MOST_FILES {
        unfit.push(Unfit::new(
            format!("`{shown}/templates` holds {} templates", names.len()),
            format!("a playbook has at most {MOST_FILES}: divide it"),
        ));
        return paths;
    }
    paths.extend(names.into_iter().map(|name| format!("templates/{name}")));
    paths
}

/// The text of a file of the folder.
fn read_inside(folder: &Path, relative: &str, shown: &str) -> Result<String, Unfit> {
    let path = format!("{shown}/{relative}");
    let real: PathBuf = fs::canonicalize(folder.join(relative)).map_err(|error| unreadable(&path, &error))?;
    if !real.starts_with(folder) {
        return Err(Unfit::new(
            format!("`{path}` leads out of the playbook's folder, to `{}`", real.display()),
            "put the file itself into the folder: what a playbook sends to hosts lies in it",
        ));
    }
    let metadata = fs::metadata(&real).map_err(|error| unreadable(&path, &error))?;
    if !metadata.is_file() || metadata.len() > LARGEST_FILE {
        return Err(Unfit::new(
            format!("`{path}` is no file of at most 1 MiB"),
            "playbooks and templates are small texts",
        ));
    }
    let bytes = fs::read(&real).map_err(|error| unreadable(&path, &error))?;
    String::from_utf8(bytes)
        .map_err(|_| Unfit::new(format!("`{path}` is not UTF-8 text"), "save the file as UTF-8"))
}

fn unreadable(path: &str, error: &std::io::Error) -> Unfit {
    if error.kind() == ErrorKind::NotFound {
        return Unfit::new(
            format!("there is no `{path}`"),
            "a playbook is a folder with `playbook.yaml` and `templates/*.tera`; relative paths start at the inventory",
        );
    }
    // The path is named already, and fs-err's text names it again.
    let cause = std::error::Error::source(error).map_or_else(|| error.to_string(), ToString::to_string);
    Unfit::new(format!("cannot read `{path}`: {cause}"), "see that you may read it")
}
