//! `garboard run`: a playbook of the user's own, alone, on its hosts.

use crate::invocation::Global;
use crate::output::Format;
use crate::problem::{Ended, Exit};
use crate::run::{Run, Writing, difference};

/// Flags of `run`.
#[derive(Debug, clap::Args)]
pub(super) struct RunPlaybook {
    /// Its name in the inventory's `playbooks`, or its folder
    playbook: String,
    /// Show how files change
    #[arg(long)]
    diff: bool,
}

pub(super) async fn run(global: &Global, command: &RunPlaybook) -> Result<Exit, Ended> {
    let run = Run::begin(global, "run")?;
    run.conduct(work(&run, global, command)).await
}

async fn work(run: &Run, global: &Global, command: &RunPlaybook) -> Result<u64, Ended> {
    let playbook = run.alone(&command.playbook)?;
    let reached = run.reach_for(&playbook).await?;
    run.preflight_for(&playbook, &reached)?;
    let membership = run.membership_for(&playbook, &reached)?;
    let supply = run.supply_for(&playbook, &reached, Writing::Allowed).await?;
    let mut plan = run.plan(playbook.site(), &reached, &membership, &supply).await?;
    run.compare_alone(&reached, &membership, &mut plan).await?;
    if global.output == Format::Human && plan.difference.pending() > 0 {
        run.print(&difference::human(&plan.difference, command.diff));
    }
    let changes = run.apply_alone(&playbook, &reached, &membership, plan, supply).await?;
    run.end(reached, changes).await
}
