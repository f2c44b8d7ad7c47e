//! `garboard status`: what is, and where it differs from the inventory. It leaves nothing behind.

use crate::invocation::Global;
use crate::output::Format;
use crate::problem::{Ended, Exit};
use crate::run::status::Status;
use crate::run::{Run, Writing};

pub(super) async fn run(global: &Global) -> Result<Exit, Ended> {
    let run = Run::begin(global, "status")?;
    run.conduct(work(&run, global)).await
}

async fn work(run: &Run, global: &Global) -> Result<u64, Ended> {
    let site = run.site()?;
    let reached = run.reach().await?;
    let membership = run.membership(&reached)?;
    let supply = run.supply(&site, &reached, Writing::Forbidden).await?;
    let mut plan = run.plan(&site, &reached, &membership, &supply).await?;
    run.compare_with_cluster(&reached, &membership, &mut plan).await?;
    let status = Status::of(run, &reached, &membership, &plan).await?;
    match global.output {
        Format::Human => run.print(&status.human()),
        Format::Json => run.print_json(&status),
    }
    run.end(reached, 0).await
}
