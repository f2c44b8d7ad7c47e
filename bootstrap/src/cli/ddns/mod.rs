//! `garboard ddns`: names that follow the address, looked after by the service on the edge host; one file a command.

mod resume;
mod status;
mod update;

use jiff::Timestamp;

use crate::ddns::{Command as Asked, Report};
use crate::invocation::Global;
use crate::output::Format;
use crate::problem::{Ended, Exit};
use crate::run::Run;

/// Commands of `ddns`.
#[derive(Debug, clap::Args)]
pub(super) struct Ddns {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, clap::Subcommand)]
enum Command {
    /// Show where every name stands; nobody is asked for it
    Status,
    /// Have the service look now; an update is sent only where an address changed
    Update,
    /// Have the service try again what waits for a person
    Resume(resume::Resume),
}

pub(super) async fn run(global: &Global, ddns: &Ddns) -> Result<Exit, Ended> {
    match &ddns.command {
        Command::Status => status::run(global).await,
        Command::Update => update::run(global).await,
        Command::Resume(command) => resume::run(global, command).await,
    }
}

/// Asks the service, and shows what it says; that decides the exit code.
async fn ask(run: &Run, global: &Global, asked: &Asked) -> Result<u64, Ended> {
    let reached = run.reach_ddns().await?;
    let report: Report = run.ask_ddns(&reached, asked).await?;
    match global.output {
        Format::Human => run.print(&report.human(Timestamp::now())),
        Format::Json => run.print_json(&report),
    }
    run.end(reached, 0).await?;
    match report.exit() {
        Exit::Done => Ok(0),
        other => Err(Ended::Said(other)),
    }
}
