//! `cargo xtask soak`: what takes too long for every change.

use std::process::ExitCode;

use clap::Args;

use crate::fuzz;
use crate::stopwatch::Stopwatch;

/// Run what takes hours: each reader of foreign input is fuzzed for an hour
#[derive(Args)]
pub(crate) struct Soak {
    /// Minutes for each reader
    #[arg(long, default_value_t = 60)]
    minutes: u32,
}

pub(crate) fn run(soak: &Soak) -> anyhow::Result<ExitCode> {
    let mut watch = Stopwatch::new(1);
    let ended = watch.stage("arbitrary input", || fuzz::all(soak.minutes.saturating_mul(60)));
    watch.table();
    ended.map(|()| ExitCode::SUCCESS)
}
