//! `cargo xtask bench`: `up` on lab hosts and `agent` by itself, beside the floor. Nothing fails on time here.

mod agent;
mod figures;

use std::io::Write as _;
use std::process::{Command, ExitCode};

use clap::{Args, Subcommand};
use serde::Deserialize;

use crate::product::{self, Product};
use crate::stopwatch::{Stopwatch, say};
use crate::{packages, program, upstream};
use figures::{Figures, Measured, measure, median};

/// Measure; prints a table
#[derive(Args)]
pub(crate) struct Bench {
    #[command(subcommand)]
    what: What,
}

#[derive(Subcommand)]
enum What {
    /// On throw-away hosts: cold `up`, second `up`, a worker more, `reset`
    Up {
        /// Install missing Debian packages without asking
        #[arg(short, long)]
        yes: bool,
        /// Rounds of the quick measurements; the median is shown
        #[arg(long, default_value_t = 5)]
        rounds: usize,
    },
    /// Both agents: size, start, memory; the one for the other architecture is emulated
    Agent {
        /// Install missing Debian packages without asking
        #[arg(short, long)]
        yes: bool,
        /// Calls of each; the median is shown
        #[arg(long, default_value_t = 21)]
        rounds: usize,
    },
}

/// The lab's name.
const NAME: &str = "bench";

#[derive(Deserialize)]
struct Lab {
    inventory: String,
    upstream: Option<String>,
    hosts: Vec<Host>,
}

#[derive(Deserialize)]
struct Host {
    address: String,
}

pub(crate) fn run(bench: &Bench) -> anyhow::Result<ExitCode> {
    let table = match bench.what {
        What::Up { yes, rounds } => of_up(yes, rounds),
        What::Agent { yes, rounds } => of_agent(yes, rounds),
    };
    let table = table?;
    say("");
    writeln!(std::io::stdout(), "{table}")?;
    Ok(ExitCode::SUCCESS)
}

fn of_agent(yes: bool, rounds: usize) -> anyhow::Result<String> {
    let mut watch = Stopwatch::new(2);
    watch.stage("Debian packages", || {
        packages::ensure(&[packages::BENCH, packages::EMULATOR].concat(), yes)
    })?;
    watch.stage("measure", || agent::table(rounds.max(1)))
}

fn of_up(yes: bool, rounds: usize) -> anyhow::Result<String> {
    let mut watch = Stopwatch::new(4);
    watch.stage("Debian packages", || packages::ensure(&[packages::LAB, packages::BENCH].concat(), yes))?;
    let source = watch.stage("artifacts", || upstream::ensure(upstream::Options { force: false, yes }))?;
    let product = watch.stage("build garboard", Product::build)?;
    watch.stage("measure", || {
        let table = up(&product, &source, rounds.max(1));
        program::run(product.garboard().args(["lab", "down", NAME]))?;
        table
    })
}

fn up(product: &Product, source: &upstream::Source, rounds: usize) -> anyhow::Result<String> {
    let cache = tempfile::tempdir()?;
    let lab = lab_up(product, source, 2)?;
    let call = |arguments: &[&str]| {
        let mut command = Command::new("time");
        command.args(["--quiet", "--format", figures::FORMAT]).arg(product.path()).args(arguments);
        command.args(["--output", "json", "--inventory", &lab.inventory]);
        if let Some(upstream) = &lab.upstream {
            command.args(["--upstream", upstream]);
        }
        // The laptop's store starts empty; base images and mirror lie elsewhere.
        command.env("XDG_CACHE_HOME", cache.path());
        measure(&mut command)
    };
    let mut figures = Figures::default();
    figures.floor(ssh_true(&lab, rounds)?);
    say("      up, nothing on the laptop yet");
    figures.row("cold `up`, 3 hosts, laptop's store empty", &[call(&["up"])?]);
    say("      second up");
    let second: Vec<Measured> = (0..rounds).map(|_| call(&["up"])).collect::<anyhow::Result<_>>()?;
    figures.row("second `up`", &second);
    say("      reset and up, three rounds");
    let (mut resets, mut ups) = (Vec::new(), Vec::new());
    for _ in 0..3 {
        resets.push(call(&["reset", "--yes"])?);
        ups.push(call(&["up"])?);
    }
    figures.row("`reset`, 3 hosts", &resets);
    figures.row("cold `up`, 3 hosts, laptop's store filled", &ups);
    say("      a worker more");
    lab_up(product, source, 3)?;
    figures.row("`up` with one worker more", &[call(&["up"])?]);
    Ok(figures.table(figures::agent_megabytes(&product.agent_folder())?))
}

fn lab_up(product: &Product, source: &upstream::Source, workers: u32) -> anyhow::Result<Lab> {
    let mut command = product.garboard();
    let workers = workers.to_string();
    command.args(["lab", "up", NAME, "--control-planes", "1", "--workers", &workers, "--output", "json"]);
    command.args(product::mirror_arguments(source));
    Ok(serde_json::from_str(&program::output(&mut command)?)?)
}

/// One login by OpenSSH's own client: what no tool that logs in can be quicker than. Seconds.
fn ssh_true(lab: &Lab, rounds: usize) -> anyhow::Result<f64> {
    let inventory = fs_err::read_to_string(&lab.inventory)?;
    let value = |key: &str| {
        let line = inventory.lines().find_map(|line| line.trim().strip_prefix(key));
        line.map(|rest| rest.trim().trim_matches('"').to_owned())
            .ok_or_else(|| anyhow::anyhow!("the lab's inventory has no `{key}`"))
    };
    let (identity, proxy) = (value("identity:")?, value("proxy_command:")?);
    let address = lab.hosts.first().map(|host| host.address.clone()).unwrap_or_default();
    let mut times = Vec::new();
    for _ in 0..rounds {
        let mut command = Command::new("time");
        command.args(["--quiet", "--format", figures::FORMAT, "ssh", "-i", &identity]);
        command.args(["-o", "StrictHostKeyChecking=no", "-o", "UserKnownHostsFile=/dev/null", "-o"]);
        command.arg(format!("ProxyCommand={proxy}")).arg(format!("root@{address}")).arg("true");
        times.push(measure(&mut command)?.wall);
    }
    Ok(median(times))
}
