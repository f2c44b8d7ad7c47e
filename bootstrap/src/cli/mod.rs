//! The command line: one file a command, each a table of contents of what the command does.

mod check;
mod kubeconfig;
mod plan;
mod reset;
mod status;
mod up;

use std::process::ExitCode;

use clap::{CommandFactory as _, FromArgMatches as _, Parser, Subcommand};

use crate::invocation::Global;
use crate::output::{Format, text};
use crate::problem::{Ended, Exit};

/// Turns bare machines into a Kubernetes cluster, from one laptop, in one command, and gives them back clean.
#[derive(Debug, Parser)]
#[command(name = "garboard", version, max_term_width = 100)]
pub struct Cli {
    #[command(flatten)]
    global: Global,
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Look at all hosts and say what stands in the way; changes nothing
    Check,
    /// Show the difference `up` would remove, per host and step; changes nothing
    Plan(plan::Plan),
    /// Make the hosts the cluster that the inventory describes
    Up,
    /// Show what is: hosts, nodes, and what differs from the inventory
    Status,
    /// Give hosts back: what was changed returns, what was made goes away
    Reset(reset::Reset),
    /// Merge the cluster's context into a kubeconfig, or print it
    Kubeconfig(kubeconfig::Kubeconfig),
    /// Throw-away hosts on this machine, to try things on (Linux, as root)
    Lab(garboard_lab::command::Lab),
}

/// Runs the command line and gives the process's exit code.
pub fn run() -> ExitCode {
    let cli = parse();
    let terminal = cli.global.terminal();
    install_log(cli.global.verbose, terminal.paint.colour);
    // The one cryptography library of the process; a second call only says that it is there already.
    let _ = rustls::crypto::ring::default_provider().install_default();
    if let Command::Lab(lab) = cli.command {
        return run_lab(lab, cli.global.output);
    }
    let runtime = match tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => return complain(&format!("error: cannot start: {error}"), Exit::Failed),
    };
    let global = cli.global;
    let ended = runtime.block_on(async {
        match cli.command {
            Command::Check => check::run(&global).await,
            Command::Plan(command) => plan::run(&global, &command).await,
            Command::Up => up::run(&global).await,
            Command::Status => status::run(&global).await,
            Command::Reset(command) => reset::run(&global, &command).await,
            Command::Kubeconfig(command) => kubeconfig::run(&global, &command).await,
            Command::Lab(_) => Ok(Exit::Done),
        }
    });
    // A task that still waits for a dead peer must not hold up the exit.
    runtime.shutdown_background();
    match ended {
        Ok(exit) | Err(Ended::Said(exit)) => exit.into(),
        Err(Ended::Problems(problems)) => {
            if global.output == Format::Json {
                crate::output::json::problems(&problems);
            }
            for problem in &problems.0 {
                complain(&text::problem(problem, terminal.paint), problem.exit);
            }
            problems.exit().into()
        }
        Err(Ended::Inventory(diagnostics)) => complain(&diagnostics, Exit::Usage),
    }
}

/// Reads the command line. Its help knows no flags yet, so `--no-color` is looked for by hand.
fn parse() -> Cli {
    let no_colour = std::env::args_os().any(|argument| argument == "--no-color");
    let choice = if no_colour { clap::ColorChoice::Never } else { clap::ColorChoice::Auto };
    let matches = Cli::command().color(choice).get_matches();
    Cli::from_arg_matches(&matches).unwrap_or_else(|error| error.exit())
}

fn run_lab(lab: garboard_lab::command::Lab, output: Format) -> ExitCode {
    let format = match output {
        Format::Human => garboard_lab::command::OutputFormat::Human,
        Format::Json => garboard_lab::command::OutputFormat::Json,
    };
    match garboard_lab::command::run(lab, format) {
        Ok(code) => code,
        Err(error) => complain(&text::harmless(&format!("error: {error:#}")), Exit::Failed),
    }
}

#[expect(clippy::print_stderr, reason = "the one place where the command line complains")]
fn complain(text: &str, exit: Exit) -> ExitCode {
    eprintln!("{text}");
    exit.into()
}

fn install_log(verbose: u8, colour: bool) {
    use tracing_subscriber::EnvFilter;
    let default = if verbose >= 2 { "garboard=debug" } else { "garboard=warn" };
    let filter = EnvFilter::try_from_env("GARBOARD_LOG").unwrap_or_else(|_| EnvFilter::new(default));
    tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(std::io::stderr)
        .with_ansi(colour)
        .without_time()
        .init();
}
