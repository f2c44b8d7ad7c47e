//! `cargo xtask demo`: real hosts, a real cluster, from nothing, and what can be done with it.

use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};

use clap::Args;
use serde::Deserialize;

use crate::product::{self, Product};
use crate::stopwatch::{Stopwatch, say};
use crate::{packages, program, upstream};

/// Make three throw-away hosts and a cluster on them, show that it works, and leave it running
#[derive(Args)]
pub(crate) struct Demo {
    /// Install missing Debian packages without asking
    #[arg(short, long)]
    yes: bool,
    /// Remove the demo again
    #[arg(long)]
    down: bool,
}

/// The lab's, and so the cluster's, name.
const NAME: &str = "demo";

/// What `garboard lab up --output json` prints, as far as the demo reads it.
#[derive(Deserialize)]
struct Lab {
    inventory: String,
    #[serde(default)]
    upstream: Option<String>,
    hosts: Vec<Host>,
}

#[derive(Deserialize)]
struct Host {
    name: String,
    address: String,
    role: String,
}

pub(crate) fn run(demo: &Demo) -> anyhow::Result<ExitCode> {
    if demo.down {
        let product = Product::build()?;
        program::run(product.garboard().args(["lab", "down", NAME]))?;
        return Ok(ExitCode::SUCCESS);
    }
    let mut watch = Stopwatch::new(7);
    watch.stage("Debian packages", || packages::ensure(packages::LAB, demo.yes))?;
    let source =
        watch.stage("artifacts", || upstream::ensure(upstream::Options { force: false, yes: demo.yes }))?;
    let product = watch.stage("build garboard", Product::build)?;
    let lab = watch.stage("three bare hosts", || lab_up(&product, &source))?;
    watch.stage("garboard up", || program::run(&mut up(&product, &lab)))?;
    let kubectl = watch.stage("look around, send traffic across hosts", || show(&product, &lab, &source))?;
    watch.stage("garboard up, once more", || program::run(&mut up(&product, &lab)))?;
    watch.table();
    look_around(&product, &lab, kubectl.as_deref());
    Ok(ExitCode::SUCCESS)
}

fn lab_up(product: &Product, source: &upstream::Source) -> anyhow::Result<Lab> {
    let mut command = product.garboard();
    command.args(["lab", "up", NAME, "--control-planes", "1", "--workers", "2", "--output", "json"]);
    command.args(product::mirror_arguments(source));
    let lab: Lab = serde_json::from_str(&program::output_with_progress(&mut command)?)?;
    for host in &lab.hosts {
        say(&format!("      {} {} ({})", host.name, host.address, host.role));
    }
    Ok(lab)
}

fn up(product: &Product, lab: &Lab) -> Command {
    let mut command = product.garboard();
    command.args(["up", "--inventory", &lab.inventory]);
    if let Some(upstream) = &lab.upstream {
        command.args(["--upstream", upstream]);
    }
    command
}

/// Gives the folder of `kubectl`, where it had to be fetched.
fn show(product: &Product, lab: &Lab, source: &upstream::Source) -> anyhow::Result<Option<PathBuf>> {
    let kubectl = match source {
        // `garboard lab run` finds the mirror's own.
        upstream::Source::Mirror(_) => None,
        upstream::Source::Official => {
            Some(upstream::kubectl::folder(&Path::new(&lab.inventory).with_file_name("garboard.lock"))?)
        }
    };
    let garboard = |arguments: &[&str]| -> anyhow::Result<()> {
        let mut command = product.garboard();
        if let Some(folder) = &kubectl {
            upstream::kubectl::on_path(&mut command, folder)?;
        }
        Ok(program::run(command.args(arguments))?)
    };
    for kind in ["nodes", "pods"] {
        garboard(&["lab", "run", NAME, "--", "kubectl", "get", kind, "-A", "-o", "wide"])?;
    }
    garboard(&["lab", "traffic", NAME])?;
    Ok(kubectl)
}

fn look_around(product: &Product, lab: &Lab, kubectl: Option<&Path>) {
    let garboard = product.path().display();
    let kubectl =
        kubectl.map_or_else(|| "kubectl".to_owned(), |folder| folder.join("kubectl").display().to_string());
    say(&format!(
        "\nThe cluster is running. Look around:\n  \
         {garboard} lab run {NAME} -- {kubectl} get pods -A\n  \
         {garboard} lab exec {NAME} {} -- journalctl -u kubelet\n  \
         {garboard} status -i {}\n  \
         cargo xtask demo --down      # removes it all",
        lab.hosts.first().map_or("cp1", |host| &host.name),
        lab.inventory,
    ));
}
