//! The way in.

use std::ffi::OsString;
use std::path::Path;

use crate::diagnostic::{Diagnostic, Diagnostics};
use crate::fault::{Fault, Faults};
use crate::inventory::Inventory;
use crate::resolve::{Base, Origin, resolve};
use crate::rules;
use crate::source;
use crate::span::Span;
use crate::yaml;

/// An inventory of a thousand hosts has some 200 KiB.
const LARGEST: usize = 1024 * 1024;

/// Reads, checks and resolves an inventory. `~` is the folder `HOME` names.
///
/// # Errors
/// Everything that is wrong with the file, at once.
pub fn load(path: &Path) -> Result<Inventory, Diagnostics> {
    load_with_home(path, home().as_deref().map(Path::new))
}

/// The same with a home folder of the caller's.
///
/// # Errors
/// As for [`load`].
pub fn load_with_home(path: &Path, home: Option<&Path>) -> Result<Inventory, Diagnostics> {
    let name = path.display().to_string();
    let bytes = fs_err::read(path).map_err(|error| {
        // fs-err's own text names the path.
        let help = "name another inventory with `--inventory FILE`";
        of_file(&name, format!("cannot read the inventory: {error}"), Some(help))
    })?;
    let source = String::from_utf8(bytes).map_err(|error| {
        let valid = error.utf8_error().valid_up_to();
        let line = error.as_bytes()[..valid].split(|byte| *byte == b'\n').count();
        let help = "save the file as UTF-8";
        of_file(&name, format!("`{name}` is not UTF-8 text (line {line})"), Some(help))
    })?;
    load_text_with_home(path, &source, home)
}

/// The same for a text that is not in its file yet: read as if it stood at `path`.
///
/// # Errors
/// As for [`load`].
pub fn load_text(path: &Path, text: &str) -> Result<Inventory, Diagnostics> {
    load_text_with_home(path, text, home().as_deref().map(Path::new))
}

fn load_text_with_home(path: &Path, text: &str, home: Option<&Path>) -> Result<Inventory, Diagnostics> {
    let folder = path.parent().unwrap_or(Path::new(""));
    check(&path.display().to_string(), text, Some(Base { folder, home }))
}

fn home() -> Option<OsString> {
    std::env::var_os("HOME").filter(|home| !home.is_empty())
}

/// Checks and resolves a text without touching the machine: paths stay as written, `~` included.
///
/// `name` is what diagnostics call the file.
///
/// # Errors
/// Everything that is wrong with the text, at once.
pub fn parse(name: &str, source: &str) -> Result<Inventory, Diagnostics> {
    check(name, source, None)
}

fn check(name: &str, text: &str, base: Option<Base<'_>>) -> Result<Inventory, Diagnostics> {
    if text.len() > LARGEST {
        let message = format!("`{name}` is larger than an inventory can be (1 MiB)");
        return Err(of_file(name, message, None));
    }
    let mut faults = Faults::default();
    let root = match yaml::read(text) {
        Ok(root) => root,
        Err(fault) => {
            faults.push(fault);
            return Err(faults.into_diagnostics(name, &yaml::mask_text(text)));
        }
    };
    let inventory = source::Inventory::read(&root, &mut faults).and_then(|source| {
        rules::check(&source, &mut faults);
        resolve(&source, base, Origin { name, text }, &mut faults)
    });
    match inventory {
        Some(inventory) if faults.is_empty() => Ok(inventory),
        _ => {
            if faults.is_empty() {
                // No reader leaves a value out without a word; should one ever, the user still gets a refusal.
                let start = Span { start: 0, end: 0 };
                faults.push(Fault::new(start, "the inventory is not complete"));
            }
            Err(faults.into_diagnostics(name, &yaml::mask_tree(text, &root)))
        }
    }
}

fn of_file(name: &str, message: String, help: Option<&str>) -> Diagnostics {
    Diagnostics::new(vec![Diagnostic::of_file(name, message, help.map(str::to_owned))])
}
