//! The project's own commands: `cargo xtask COMMAND`.

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
    Upstream(upstream::Upstream),
}

fn main() -> anyhow::Result<ExitCode> {
    match Xtask::parse().command {
        Command::Upstream(upstream) => upstream::run(&upstream),
    }
}
