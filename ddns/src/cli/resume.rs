//! `garboard-ddns resume`.

use std::process::ExitCode;

use clap::Args;

use super::{block_on, show};
use crate::service::{self, Command, Places};

#[derive(Debug, Args)]
pub(super) struct Resume {
    /// This one alone
    name: Option<String>,
    /// What came of it, as JSON
    #[arg(long)]
    json: bool,
}

pub(super) fn run(resume: &Resume, places: &Places) -> anyhow::Result<ExitCode> {
    let name = resume.name.as_deref().map(str::to_ascii_lowercase);
    let report = block_on(service::ask(&places.runtime, &Command::Resume { name: name.clone() }))?;
    if let Some(name) = name.filter(|name| report.names.iter().all(|one| &one.name != name)) {
        anyhow::bail!("the service looks after no name `{name}`");
    }
    show(&report, resume.json)
}
