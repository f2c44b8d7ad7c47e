//! `garboard man`: manual pages, made from the command line itself.

use std::path::{Path, PathBuf};

use crate::output::print;
use crate::problem::{Ended, Exit, Problem};

/// Flags of `man`.
#[derive(Debug, clap::Args)]
pub(super) struct Man {
    /// Write a page for every command into this folder; without it the main page goes to standard output
    folder: Option<PathBuf>,
}

pub(super) fn run(command: &Man, whole: clap::Command) -> Result<Exit, Ended> {
    // `garboard help up` says what the page of `up` says.
    let mut whole = whole.disable_help_subcommand(true);
    whole.build();
    match &command.folder {
        Some(folder) => fs_err::create_dir_all(folder).and_then(|()| pages(&whole, folder)),
        None => page(&whole).map(|page| print(&page)),
    }
    .map_err(|error| Problem::from_error(Exit::Failed, &error))?;
    Ok(Exit::Done)
}

/// A page for this command and each below it: `garboard.1`, `garboard-lab.1`, `garboard-lab-up.1`.
fn pages(command: &clap::Command, folder: &Path) -> std::io::Result<()> {
    fs_err::write(folder.join(format!("{}.1", name(command))), page(command)?)?;
    command.get_subcommands().filter(|below| !below.is_hide_set()).try_for_each(|below| pages(below, folder))
}

fn page(command: &clap::Command) -> std::io::Result<String> {
    let mut page = Vec::new();
    clap_mangen::Man::new(command.clone()).render(&mut page)?;
    let page = String::from_utf8_lossy(&page);
    // The library leaves an empty date out, and what follows moves into its place (`man(7)`: title, section, date, source,
    // manual). A date of the build would make each build another.
    let title = name(command).to_uppercase();
    let title = format!(".TH {title} 1 \"\" \"garboard {}\" \"Garboard\"", env!("CARGO_PKG_VERSION"));
    let lines =
        page.lines().map(|line| if line.starts_with(".TH ") { title.as_str() } else { line.trim_end() });
    Ok(lines.flat_map(|line| [line, "\n"]).collect())
}

fn name(command: &clap::Command) -> &str {
    command.get_display_name().unwrap_or_else(|| command.get_name())
}
