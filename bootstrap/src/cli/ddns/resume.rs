//! `garboard ddns resume`: what waits for a person is tried again.

use crate::ddns::Command;
use crate::invocation::Global;
use crate::problem::{Ended, Exit, Problem};
use crate::run::Run;

/// Arguments of `ddns resume`.
#[derive(Debug, clap::Args)]
pub(super) struct Resume {
    /// This name alone, as in the inventory's `edge.ddns`
    name: Option<String>,
}

pub(super) async fn run(global: &Global, command: &Resume) -> Result<Exit, Ended> {
    let run = Run::begin(global, "ddns resume")?;
    run.conduct(work(&run, global, command)).await
}

async fn work(run: &Run, global: &Global, command: &Resume) -> Result<u64, Ended> {
    let name = command.name.as_ref().map(|name| name.trim_end_matches('.').to_ascii_lowercase());
    let names: Vec<&str> = run.ddns()?.names.iter().map(|one| one.name.as_str()).collect();
    if let Some(name) = &name
        && !names.contains(&name.as_str())
    {
        let problem = Problem::new(Exit::Usage, format!("`edge.ddns` has no name `{name}`"));
        return Err(problem.help(format!("its names are {}", names.join(", "))).into());
    }
    super::ask(run, global, &Command::Resume { name }).await
}
