//! `cargo xtask soak`: what takes too long for every change.

use std::process::ExitCode;

use clap::Args;

use crate::product::{Product, cargo, root};
use crate::stopwatch::Stopwatch;
use crate::{fuzz, packages, program, test, upstream};

/// Run what takes hours: a cluster on virtual machines of both architectures, and each reader of foreign input fuzzed for an hour
#[derive(Args)]
pub(crate) struct Soak {
    /// Minutes for each reader
    #[arg(long, default_value_t = 60)]
    minutes: u32,
    /// Install missing Debian packages without asking
    #[arg(short, long)]
    yes: bool,
}

pub(crate) fn run(soak: &Soak) -> anyhow::Result<ExitCode> {
    let mut watch = Stopwatch::new(6);
    let ended = stages(soak, &mut watch);
    watch.table();
    ended.map(|()| ExitCode::SUCCESS)
}

fn stages(soak: &Soak, watch: &mut Stopwatch) -> anyhow::Result<()> {
    watch.stage("Debian packages", || {
        packages::ensure(&[packages::UPSTREAM, packages::LAB, packages::TEST].concat(), soak.yes)
    })?;
    let source =
        watch.stage("artifacts", || upstream::ensure(upstream::Options { force: true, yes: soak.yes }))?;
    let product = watch.stage("build garboard", Product::build)?;
    watch.stage("a virtual machine", || {
        let mut command = cargo();
        command.current_dir(root());
        command.args([
            "test",
            "--package",
            "garboard-lab",
            "--features",
            "vm",
            "--test",
            "lab",
            "--",
            "vm::",
        ]);
        program::run(&mut command)
    })?;
    watch.stage("the long tests on lab hosts", || test::on_hosts(&test::LONG, &product, &source))?;
    watch.stage("arbitrary input", || fuzz::all(soak.minutes.saturating_mul(60)))
}
