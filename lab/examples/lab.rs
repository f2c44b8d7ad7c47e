//! `lab …` alone, parsed as the CLI parses `garboard lab …`: for work on the lab itself and for its tests.

use std::process::ExitCode;

use clap::{Parser, Subcommand};
use garboard_lab::command::{Lab, OutputFormat};

#[derive(Parser)]
struct Arguments {
    #[arg(long, global = true, value_enum, default_value_t)]
    output: OutputFormat,
    #[command(subcommand)]
    command: Top,
}

#[derive(Subcommand)]
enum Top {
    /// Throw-away hosts on this machine
    Lab(Lab),
}

fn main() -> anyhow::Result<ExitCode> {
    let arguments = Arguments::parse();
    let Top::Lab(lab) = arguments.command;
    garboard_lab::command::run(lab, arguments.output)
}
