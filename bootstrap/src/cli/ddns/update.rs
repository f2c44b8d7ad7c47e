//! `garboard ddns update`: the service looks now.

use crate::ddns::Command;
use crate::invocation::Global;
use crate::problem::{Ended, Exit};
use crate::run::Run;

pub(super) async fn run(global: &Global) -> Result<Exit, Ended> {
    let run = Run::begin(global, "ddns update")?;
    run.conduct(super::ask(&run, global, &Command::Update)).await
}
