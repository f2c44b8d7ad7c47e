//! The project's own commands: `cargo xtask COMMAND`.

mod agents;
mod bench;
mod cache;
mod demo;
mod dist;
mod emulated;
mod fuzz;
mod macos;
mod man;
mod packages;
mod product;
mod program;
mod schema;
mod soak;
mod stopwatch;
mod test;
mod toolchain;
mod upstream;

use std::process::ExitCode;

use clap::{Parser, Subcommand};

/// The project's own commands.
#[derive(Parser)]
#[command(name = "cargo xtask", version, propagate_version = true)]
struct Xtask {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    Agents(agents::Agents),
    Bench(bench::Bench),
    Demo(demo::Demo),
    Dist(dist::Dist),
    Fuzz(fuzz::Fuzz),
    Man(man::Man),
    Schema(schema::Schema),
    Soak(soak::Soak),
    Test(test::Test),
    Upstream(upstream::Upstream),
}

fn main() -> anyhow::Result<ExitCode> {
    match Xtask::parse().command {
        Command::Agents(agents) => agents::run(&agents),
        Command::Bench(bench) => bench::run(&bench),
        Command::Demo(demo) => demo::run(&demo),
        Command::Dist(dist) => dist::run(&dist),
        Command::Fuzz(fuzz) => fuzz::run(&fuzz),
        Command::Man(man) => man::run(&man),
        Command::Schema(schema) => schema::run(&schema),
        Command::Soak(soak) => soak::run(&soak),
        Command::Test(test) => test::run(&test),
        Command::Upstream(upstream) => upstream::run(&upstream),
    }
}
