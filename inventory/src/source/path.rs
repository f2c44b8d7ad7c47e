//! A path to a file of the user's.

use crate::fault::{Flaw, quote};

/// A path as written; where `~` leads is found when the file is loaded.
pub(super) fn path(text: &str) -> Result<String, Flaw> {
    if text.trim().is_empty() {
        return Err(Flaw::new("the path is empty").help("name a file, or remove the key"));
    }
    if let Some(private) = text.strip_suffix(".pub") {
        return Err(Flaw::new("this is the public half of a key").help(format!("write {}", quote(private))));
    }
    if text.starts_with('~') && text != "~" && !text.starts_with("~/") {
        return Err(Flaw::new("the home folder of another user is not looked up")
            .help("write the path from `/`, or `~/…` for your own home folder"));
    }
    Ok(text.to_owned())
}
