//! `garboard up`: make the hosts the cluster that the inventory describes.

use crate::invocation::Global;
use crate::problem::{Ended, Exit};
use crate::run::{Run, Ways, Writing};

pub(super) async fn run(global: &Global) -> Result<Exit, Ended> {
    let run = Run::begin(global, "up")?;
    run.conduct(work(&run)).await
}

async fn work(run: &Run) -> Result<u64, Ended> {
    let site = run.site()?;
    let mut reached = run.reach().await?;
    // First what is known without touching anybody's ports: a stranger's program may not outlive a visitor.
    run.preflight(&reached)?;
    let mesh = run.mesh(&reached, Ways::OfNewcomers).await?;
    run.refuse_ways(&mesh)?;
    let membership = run.membership(&reached)?;
    run.measure_disk(&mut reached, &membership).await?;
    let supply = run.supply(&site, &reached, Writing::Allowed).await?;
    let mut plan = run.plan(&site, &reached, &membership, &supply).await?;
    run.compare_with_cluster(&reached, &membership, &mut plan).await?;
    let live = plan.cluster.clone();
    let changes = run.apply(&site, &reached, &membership, plan, supply).await?;
    run.end_vpn_sessions(&reached).await?;
    run.write_kubeconfig(&reached, &membership).await?;
    run.tell_unheeded(live.as_deref()).await?;
    run.tell_front_door();
    run.tell_outside(&reached).await;
    run.end(reached, changes).await
}
