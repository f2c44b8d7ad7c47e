//! `garboard reset`: give hosts back; `--verify`: prove it.

use std::io::{BufRead as _, IsTerminal as _};

use crate::invocation::Global;
use crate::problem::{Ended, Exit, Problem};
use crate::run::Run;
use garboard_protocol::reset::ResetOptions;

/// Flags of `reset`.
#[derive(Debug, clap::Args)]
pub(super) struct Reset {
    /// Only this host; may be given several times
    #[arg(long, value_name = "HOST")]
    host: Vec<String>,
    /// Keep the artifacts on the hosts, so that the next `up` sends nothing
    #[arg(long)]
    keep_blobs: bool,
    /// Also delete the data of the cluster and of its users: etcd's and the volumes
    #[arg(long)]
    delete_data: bool,
    /// Change nothing; compare with what was there before the first `up`, and fail if anything is left
    #[arg(long, conflicts_with_all = ["keep_blobs", "delete_data"])]
    verify: bool,
}

pub(super) async fn run(global: &Global, command: &Reset) -> Result<Exit, Ended> {
    let mut limited = global.clone();
    limited.limit.extend(command.host.iter().cloned());
    let run = Run::begin(&limited, if command.verify { "reset --verify" } else { "reset" })?;
    if command.verify {
        run.conduct(verify(&run)).await
    } else {
        run.conduct(reset(&run, global, command)).await
    }
}

async fn verify(run: &Run) -> Result<u64, Ended> {
    let reached = run.reach().await?;
    let left = run.verify(&reached).await?;
    run.end(reached, 0).await?;
    if left == 0 { Ok(0) } else { Err(Ended::Said(Exit::Pending)) }
}

async fn reset(run: &Run, global: &Global, command: &Reset) -> Result<u64, Ended> {
    if !global.yes {
        confirm(run).await?;
    }
    let reached = run.reach().await?;
    run.refuse_other_clusters(&reached)?;
    let options = ResetOptions {
        keep_blobs: command.keep_blobs,
        delete_data: command.delete_data,
        owned: run.owned()?,
    };
    run.forget_nodes(&reached).await;
    let restored = run.reset(&reached, options).await?;
    run.end(reached, restored).await
}

/// The user types the cluster's name.
async fn confirm(run: &Run) -> Result<(), Problem> {
    let name = &run.inventory().cluster.name;
    let hosts = run.host_names().join(", ");
    if !std::io::stdin().is_terminal() {
        return Err(Problem::new(
            Exit::Usage,
            format!("`reset` takes cluster `{name}` off {hosts}, and nobody is there to ask"),
        )
        .help("say `--yes` if that is what you want"));
    }
    run.note(&format!("this takes cluster `{name}` off {hosts}; type the cluster's name to go on:"));
    // Not here: whoever thinks about it may press Ctrl-C.
    let read = tokio::task::spawn_blocking(|| {
        let mut answer = String::new();
        std::io::stdin().lock().read_line(&mut answer).map(|_| answer)
    });
    if matches!(read.await, Ok(Ok(answer)) if answer.trim() == name) {
        Ok(())
    } else {
        Err(Problem::new(Exit::Failed, "nothing was changed: the name was not the cluster's"))
    }
}
