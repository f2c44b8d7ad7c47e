//! `cargo xtask test`: everything that is checked, the lab included.

use std::process::ExitCode;

use clap::Args;

use crate::product::{self, Product, cargo, root};
use crate::stopwatch::Stopwatch;
use crate::{agents, emulated, fuzz, macos, packages, program, toolchain, upstream};

/// For each reader of foreign input; `cargo xtask soak` has an hour for each.
const FUZZ_SECONDS: u32 = 30;

/// Control planes on virtual machines: `cargo xtask soak` has the time for them.
pub(crate) const LONG: [&str; 2] = ["machines::both::", "becomes_a_cluster"];

/// Those that bring tests along.
const FEATURES: &str = "garboard/lab,garboard-lab/vm,garboard-playbooks/packets";

/// Run everything that is checked: format, lints, tests, and real clusters on throw-away hosts
#[derive(Args)]
pub(crate) struct Test {
    /// Install missing Debian packages without asking
    #[arg(short, long)]
    yes: bool,
    /// Only the tests on lab hosts whose name contains this
    #[arg(long, value_name = "NAME")]
    lab: Option<String>,
}

pub(crate) fn run(test: &Test) -> anyhow::Result<ExitCode> {
    let mut watch = Stopwatch::new(if test.lab.is_some() { 5 } else { 14 });
    let ended = stages(test, &mut watch);
    watch.table();
    ended.map(|()| ExitCode::SUCCESS)
}

fn stages(test: &Test, watch: &mut Stopwatch) -> anyhow::Result<()> {
    watch.stage("Debian packages", || {
        packages::ensure(&[packages::UPSTREAM, packages::LAB, packages::TEST].concat(), test.yes)
    })?;
    watch.stage("Rust's standard libraries", toolchain::ensure)?;
    if test.lab.is_none() {
        watch.stage("format", || program::run(&mut in_root(&["fmt", "--all", "--check"])))?;
        watch.stage("lints", || {
            let lint = ["clippy", "--workspace", "--all-targets", "--features", FEATURES, "--quiet"];
            program::run(&mut in_root(&[lint.as_slice(), &["--", "--deny", "warnings"]].concat()))
        })?;
        watch.stage("lints for macOS", macos::lint)?;
        watch.stage("tests without a lab", || {
            program::run(&mut in_root(&["test", "--workspace", "--quiet"]))
        })?;
        watch.stage("packets through the firewalls", || {
            let packets = ["test", "--package", "garboard-playbooks", "--features", "packets", "--quiet"];
            program::run(&mut in_root(&[packets.as_slice(), &["--test", "packets"]].concat()))
        })?;
        watch.stage("tunnels of OpenVPN", || {
            let tunnels =
                ["test", "--package", "garboard", "--features", "lab", "--lib", "--quiet", "vpn::tunnel"];
            program::run(&mut in_root(&tunnels))
        })?;
        watch.stage("the agent's tests for aarch64", emulated::test)?;
        watch.stage("arbitrary input", || fuzz::all(FUZZ_SECONDS))?;
    }
    let source =
        watch.stage("artifacts", || upstream::ensure(upstream::Options { force: true, yes: test.yes }))?;
    let product = watch.stage("build garboard", Product::build)?;
    if test.lab.is_none() {
        watch.stage("the agents, built twice", || agents::test(&product))?;
    }
    watch.stage("tests on lab hosts", || lab(test, &product, &source))
}

fn in_root(arguments: &[&str]) -> std::process::Command {
    let mut command = cargo();
    command.current_dir(root()).args(arguments);
    command
}

/// The tests of `bootstrap/tests/lab`, with the release build of the product, but for the long ones.
fn lab(test: &Test, product: &Product, source: &upstream::Source) -> anyhow::Result<()> {
    match &test.lab {
        Some(name) => on_hosts(&[name], product, source),
        None => on_hosts(&LONG.map(|name| ["--skip", name]).concat(), product, source),
    }
}

/// Those of them that these words for the test program choose. One at a time: the hosts of all labs are root's on this machine, and
/// share its 128 instances of inotify (`fs.inotify.max_user_instances`), which those of two labs use up.
pub(crate) fn on_hosts(words: &[&str], product: &Product, source: &upstream::Source) -> anyhow::Result<()> {
    let mut command = cargo();
    command
        .current_dir(root())
        .args(["test", "--package", "garboard", "--features", "lab", "--test", "lab"])
        .args(["--", "--test-threads", "1"])
        .env("GARBOARD_BINARY", product.path())
        .env("GARBOARD_MIRROR", product::mirror_arguments(source).last().cloned().unwrap_or_default())
        .args(words);
    Ok(program::run(&mut command)?)
}
