//! `garboard plan`: the real difference, per host and step. It leaves nothing behind.

use crate::invocation::Global;
use crate::output::Format;
use crate::problem::{Ended, Exit};
use crate::run::{Run, Writing, difference};

/// Flags of `plan`.
#[derive(Debug, clap::Args)]
pub(super) struct Plan {
    /// Show how files would change
    #[arg(long)]
    diff: bool,
}

pub(super) async fn run(global: &Global, plan: &Plan) -> Result<Exit, Ended> {
    let run = Run::begin(global, "plan")?;
    let ended = work(&run, global, plan).await;
    run.finish(ended).await
}

async fn work(run: &Run, global: &Global, command: &Plan) -> Result<u64, Ended> {
    let reached = run.reach().await?;
    run.preflight(&reached, Vec::new())?;
    let membership = run.membership(&reached)?;
    let supply = run.supply(&reached, Writing::Forbidden).await?;
    let mut plan = run.plan(&reached, &membership, &supply).await?;
    run.compare_with_cluster(&reached, &membership, &mut plan).await?;
    let pending = plan.difference.pending();
    match global.output {
        Format::Human => run.print(&difference::human(&plan.difference, command.diff)),
        Format::Json => run.print_json(&difference::document(&plan.difference)),
    }
    run.end(reached, 0).await?;
    if pending == 0 { Ok(0) } else { Err(Ended::Said(Exit::Pending)) }
}
