//! The user's own playbooks, as the inventory names them. What is in them is for the playbooks' own crate to read.

use std::ops::Range;
use std::path::PathBuf;
use std::sync::Arc;

use serde::Serialize;

/// One entry of `playbooks:`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct OwnPlaybook {
    /// Its folder. From [`crate::load`]: placed beside the inventory, with `~` expanded; from [`crate::parse`]: as
    /// written. Whether it is there has not been looked at.
    pub folder: PathBuf,
    /// Where it was named.
    #[serde(skip)]
    pub place: Place,
}

/// A place in a text of the user's, for messages of those who look further than this crate does.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Place {
    /// What the text is called: the inventory as it was given to [`crate::load`].
    pub file: Arc<str>,
    /// The whole text.
    pub text: Arc<str>,
    /// The bytes of it that are meant.
    pub range: Range<usize>,
}
