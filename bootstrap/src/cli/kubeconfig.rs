//! `garboard kubeconfig`: the cluster's context, printed or merged; other contexts stay as they are.

use std::path::PathBuf;

use crate::invocation::Global;
use crate::output::print;
use crate::problem::{Ended, Exit, Problem};
use crate::run::Run;

/// Flags of `kubeconfig`.
#[derive(Debug, clap::Args)]
pub(super) struct Kubeconfig {
    /// Print it instead of merging it
    #[arg(long, conflicts_with = "into")]
    print: bool,
    /// The file to merge into [default: the first of $KUBECONFIG, or ~/.kube/config]
    #[arg(long, value_name = "FILE")]
    into: Option<PathBuf>,
}

pub(super) async fn run(global: &Global, command: &Kubeconfig) -> Result<Exit, Ended> {
    let run = Run::begin(global, "kubeconfig")?;
    let ended = work(&run, command);
    run.finish(ended.map(|()| 0)).await
}

fn work(run: &Run, command: &Kubeconfig) -> Result<(), Ended> {
    let Some(own) = run.kubeconfig()? else {
        return Err(Problem::new(Exit::Failed, "this laptop has no kubeconfig of the cluster yet")
            .help("run `garboard up`")
            .into());
    };
    if command.print {
        print(&own);
        return Ok(());
    }
    let target = match &command.into {
        Some(path) => path.clone(),
        None => crate::kubeconfig::default_path().ok_or_else(|| {
            Problem::new(Exit::Usage, "neither KUBECONFIG nor HOME is set").help("name a file: `--into FILE`")
        })?,
    };
    run.merge_kubeconfig(&own, &target)?;
    Ok(())
}
