//! `garboard schema`: the JSON Schema of what a person writes or a program reads.

use crate::output::print;
use crate::problem::{Ended, Exit, Problem};

/// Flags of `schema`.
#[derive(Debug, clap::Args)]
pub(super) struct Schema {
    /// Of what
    #[arg(value_enum, default_value_t)]
    of: Of,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, clap::ValueEnum)]
enum Of {
    /// `garboard.yaml`
    #[default]
    Inventory,
    /// `playbook.yaml`
    Playbook,
    /// A line of `--output json`
    Events,
}

pub(super) fn run(command: &Schema) -> Result<Exit, Ended> {
    let schema = match command.of {
        Of::Inventory => garboard_inventory::schema(),
        Of::Playbook => garboard_playbooks::schema(),
        Of::Events => crate::output::event::schema(),
    };
    let text =
        serde_json::to_string_pretty(&schema).map_err(|error| Problem::from_error(Exit::Failed, &error))?;
    print(&(text + "\n"));
    Ok(Exit::Done)
}
