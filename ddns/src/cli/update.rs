//! `garboard-ddns update`.

use std::process::ExitCode;

use clap::Args;

use super::{block_on, show};
use crate::service::{self, Command, Places};

#[derive(Debug, Args)]
pub(super) struct Update {
    /// What came of it, as JSON
    #[arg(long)]
    json: bool,
}

pub(super) fn run(update: &Update, places: &Places) -> anyhow::Result<ExitCode> {
    let report = block_on(service::ask(&places.runtime, &Command::Update))?;
    show(&report, update.json)
}
