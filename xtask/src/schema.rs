//! `cargo xtask schema`: the JSON Schemas that are checked in, written anew.

use std::process::ExitCode;

use clap::Args;

use crate::product::{cargo, root};
use crate::{program, stopwatch};

/// Write the JSON Schemas that are checked in, as the code has them now
#[derive(Args)]
pub(crate) struct Schema {}

/// What each is of, and where it lies.
const SCHEMAS: [(&str, &str); 3] = [
    ("inventory", "inventory/garboard.schema.json"),
    ("playbook", "playbooks/playbook.schema.json"),
    ("events", "docs/events.schema.json"),
];

pub(crate) fn run(_: &Schema) -> anyhow::Result<ExitCode> {
    for (of, path) in SCHEMAS {
        let mut command = cargo();
        command.current_dir(root()).args(["run", "--quiet", "--package", "garboard", "--", "schema", of]);
        let schema = program::output_with_progress(&mut command)?;
        fs_err::write(root().join(path), schema + "\n")?;
        stopwatch::say(path);
    }
    Ok(ExitCode::SUCCESS)
}
