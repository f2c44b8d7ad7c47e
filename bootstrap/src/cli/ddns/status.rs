//! `garboard ddns status`: where every name stands, from what the service has written down.

use crate::ddns::Command;
use crate::invocation::Global;
use crate::problem::{Ended, Exit};
use crate::run::Run;

pub(super) async fn run(global: &Global) -> Result<Exit, Ended> {
    let run = Run::begin(global, "ddns status")?;
    run.conduct(super::ask(&run, global, &Command::Status)).await
}
