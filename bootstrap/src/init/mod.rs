//! What `garboard init` does: answers of a person, what the hosts themselves say, and the inventory that follows.
//!
//! answers (`questions`, `answers`) + findings (`looking`, `finding`) → `text`, which is pure and has golden files →
//! `file`. For hosts that are still blank cards: answers → `first_boot`. Whatever is written was read by the inventory's own reader first.

use std::path::Path;

use garboard_inventory::Inventory;

use crate::problem::{Exit, Problem};

mod answers;
mod file;
mod finding;
mod first_boot;
mod host_keys;
mod interrupt;
mod looking;
mod names;
mod networks;
mod person;
mod questions;
mod text;
mod told;
mod yaml;

pub use answers::{Answers, HostAnswer, Login};
pub use file::Place;
pub use finding::{Finding, HostKey, Seen};
pub use first_boot::{FirstBoot, Folder, Gateway, Prepared, System, told as first_boot_told};
pub use interrupt::Interrupt;
pub use looking::{Looked, look};
pub use names::name_hosts;
pub use person::{Person, Terminal, Whom};
pub use questions::{Given, answers};
pub use text::inventory;
pub use told::{Document, next_steps, tell};

/// The release a new inventory names, unless another one is asked for: the one the documents speak of.
pub const KUBERNETES: &str = "v1.36.3";

/// Reads an inventory's text as if it stood in its file: whatever is written or connected by has passed this.
///
/// # Errors
/// It is not a good inventory.
pub fn proof(path: &Path, text: &str) -> Result<Inventory, Problem> {
    garboard_inventory::load_text(path, text).map_err(|diagnostics| {
        let problem = Problem::new(Exit::Usage, "these answers make no good inventory; nothing was written");
        let problem = diagnostics.iter().fold(problem, |problem, one| problem.cause(&one.message));
        match diagnostics.iter().find_map(|one| one.help.as_ref()) {
            Some(help) => problem.help(help),
            None => problem,
        }
    })
}

#[cfg(test)]
mod tests;
