//! `garboard-ddns status`.

use std::process::ExitCode;

use clap::Args;

use super::show;
use crate::report::Report;
use crate::service::Places;
use crate::state;

#[derive(Debug, Args)]
pub(super) struct Status {
    /// As JSON
    #[arg(long)]
    json: bool,
}

pub(super) fn run(status: &Status, places: &Places) -> anyhow::Result<ExitCode> {
    let stored = state::read(&places.state)?.unwrap_or_default();
    show(&Report::new(&stored, state::is_in_use(&places.state)?), status.json)
}
