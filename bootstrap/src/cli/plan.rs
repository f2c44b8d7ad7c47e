//! `garboard plan`: the real difference, per host and step. It leaves nothing behind.

use crate::invocation::Global;
use crate::output::Format;
use crate::problem::{Ended, Exit};
use crate::run::difference::{self, Difference};
use crate::run::{Run, Writing};

/// Flags of `plan`.
#[derive(Debug, clap::Args)]
pub(super) struct Plan {
    /// Only this playbook of your own: what `garboard run` would change
    playbook: Option<String>,
    /// Show how files would change
    #[arg(long)]
    diff: bool,
}

pub(super) async fn run(global: &Global, plan: &Plan) -> Result<Exit, Ended> {
    let run = Run::begin(global, "plan")?;
    run.conduct(work(&run, global, plan)).await
}

async fn work(run: &Run, global: &Global, command: &Plan) -> Result<u64, Ended> {
    if let Some(playbook) = &command.playbook {
        return work_alone(run, global, command, playbook).await;
    }
    let site = run.site()?;
    let reached = run.reach().await?;
    run.preflight(&reached)?;
    let membership = run.membership(&reached)?;
    let supply = run.supply(&site, &reached, Writing::Forbidden).await?;
    let mut plan = run.plan(&site, &reached, &membership, &supply).await?;
    run.compare_with_cluster(&reached, &membership, &mut plan).await?;
    show(run, &plan.difference, global, command);
    let pending = plan.difference.pending();
    run.end(reached, 0).await?;
    if pending == 0 { Ok(0) } else { Err(Ended::Said(Exit::Pending)) }
}

async fn work_alone(run: &Run, global: &Global, command: &Plan, playbook: &str) -> Result<u64, Ended> {
    let playbook = run.alone(playbook)?;
    let reached = run.reach_for(&playbook).await?;
    run.preflight_for(&playbook, &reached)?;
    let membership = run.membership_for(&playbook, &reached)?;
    let supply = run.supply_for(&playbook, &reached, Writing::Forbidden).await?;
    let mut plan = run.plan(playbook.site(), &reached, &membership, &supply).await?;
    run.compare_alone(&reached, &membership, &mut plan).await?;
    show(run, &plan.difference, global, command);
    let pending = plan.difference.pending();
    run.end(reached, 0).await?;
    if pending == 0 { Ok(0) } else { Err(Ended::Said(Exit::Pending)) }
}

fn show(run: &Run, difference: &Difference, global: &Global, command: &Plan) {
    match global.output {
        Format::Human => run.print(&difference::human(difference, command.diff)),
        Format::Json => run.print_json(&difference::document(difference)),
    }
}
