//! The command line: one file a command, each a table of contents of what the command does.

mod check;
mod completions;
mod ddns;
mod host_key;
mod init;
mod kubeconfig;
#[cfg(target_os = "linux")]
mod lab;
mod man;
mod plan;
mod reset;
mod run;
mod schema;
mod status;
mod trust;
mod up;
mod vpn;

use std::process::ExitCode;

use clap::{CommandFactory as _, FromArgMatches as _, Parser, Subcommand};

use crate::invocation::Global;
use crate::output::{Format, text};
use crate::problem::{Ended, Exit, Problem};

/// `docs/exit-codes.md` in one line.
const EXIT_CODES: &str = "Exit codes: 0 done or converged; 1 failed, a re-run is safe; 2 wrong usage or an invalid \
    inventory; 3 refused by preflight, nothing changed; 4 `plan`: changes pending, `reset --verify`: something left; 5 needs a \
    person, the text says what.";

/// Turns bare machines into a Kubernetes cluster, from one laptop, in one command, and gives them back clean.
#[derive(Debug, Parser)]
#[command(name = "garboard", version, max_term_width = 100, after_help = EXIT_CODES)]
pub struct Cli {
    #[command(flatten)]
    global: Global,
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Write an inventory from a few answers, or flags
    Init(Box<init::Init>),
    /// Look at all hosts and say what stands in the way; changes nothing
    Check,
    /// Show the difference `up` would remove, per host and step; changes nothing
    Plan(plan::Plan),
    /// Make the hosts the cluster that the inventory describes
    Up,
    /// Run a playbook of your own alone, on its hosts
    Run(run::RunPlaybook),
    /// Show what is: hosts, nodes, and what differs from the inventory
    Status,
    /// Give hosts back: what was changed returns, what was made goes away
    Reset(reset::Reset),
    /// Look after the VPN on the edge host: profiles, who may come in, who is there
    Vpn(vpn::Vpn),
    /// Look after the names that follow your address: where they stand, look now, try again
    Ddns(ddns::Ddns),
    /// Merge the cluster's context into a kubeconfig, or print it
    Kubeconfig(kubeconfig::Kubeconfig),
    /// Pin a host's key after showing it beside the one that is pinned; changes nothing on the host
    Trust(trust::Trust),
    /// Judge a host key for `ssh`
    #[command(hide = true)]
    HostKey(host_key::HostKey),
    /// Throw-away hosts on this machine, to try things on (Linux, as root)
    #[cfg(target_os = "linux")]
    Lab(lab::Lab),
    /// Print the JSON Schema of inventories, playbooks or events, for editors and programs
    Schema(schema::Schema),
    /// Print what a shell needs to complete this command line
    Completions(completions::Completions),
    /// Print the manual page, or write one for every command
    Man(man::Man),
}

/// Runs the command line and gives the process's exit code.
pub fn run() -> ExitCode {
    let cli = parse();
    install_log(cli.global.verbose, cli.global.terminal().paint.colour);
    // The one cryptography library of the process; a second call only says that it is there already.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let ended = match cli.command {
        #[cfg(target_os = "linux")]
        Command::Lab(command) => return lab::run(command, cli.global.output),
        Command::HostKey(asked) => Ok(host_key::run(&asked)),
        Command::Schema(command) => schema::run(&command),
        Command::Completions(command) => Ok(completions::run(&command, Cli::command())),
        Command::Man(command) => man::run(&command, Cli::command()),
        command => on_hosts(command, &cli.global),
    };
    end(ended, &cli.global)
}

/// Commands that talk to hosts, or may.
fn on_hosts(command: Command, global: &Global) -> Result<Exit, Ended> {
    crate::secrets::keep_to_this_process().map_err(|error| {
        Problem::from_error(Exit::Failed, &error).cause("the limit for cores cannot be set")
    })?;
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build();
    let runtime = runtime.map_err(|error| Problem::from_error(Exit::Failed, &error))?;
    let ended = runtime.block_on(async {
        match command {
            Command::Init(command) => init::run(global, &command).await,
            Command::Check => check::run(global).await,
            Command::Plan(command) => plan::run(global, &command).await,
            Command::Up => up::run(global).await,
            Command::Run(command) => run::run(global, &command).await,
            Command::Status => status::run(global).await,
            Command::Reset(command) => reset::run(global, &command).await,
            Command::Vpn(command) => vpn::run(global, &command).await,
            Command::Ddns(command) => ddns::run(global, &command).await,
            Command::Kubeconfig(command) => kubeconfig::run(global, &command).await,
            Command::Trust(command) => trust::run(global, &command).await,
            #[cfg(target_os = "linux")]
            Command::Lab(_) => Ok(Exit::Done),
            Command::HostKey(_) | Command::Schema(_) | Command::Completions(_) | Command::Man(_) => {
                Ok(Exit::Done)
            }
        }
    });
    // A task that still waits for a dead peer must not hold up the exit.
    runtime.shutdown_background();
    ended
}

/// Says what was not said yet.
fn end(ended: Result<Exit, Ended>, global: &Global) -> ExitCode {
    match ended {
        Ok(exit) | Err(Ended::Said(exit)) => exit.into(),
        Err(Ended::Problems(problems)) => {
            if global.output == Format::Json {
                crate::output::json::problems(&problems);
            }
            for problem in &problems.0 {
                complain(&text::problem(problem, global.terminal().paint), problem.exit);
            }
            problems.exit().into()
        }
        Err(Ended::Inventory(diagnostics)) => {
            if global.output == Format::Json {
                crate::output::json::problems(&diagnostics.clone().into());
            }
            complain(diagnostics.render(global.terminal().paint.colour).trim_end(), Exit::Usage)
        }
    }
}

/// Reads the command line. Its help knows no flags yet, so `--no-color` is looked for by hand.
fn parse() -> Cli {
    let no_colour = std::env::args_os().any(|argument| argument == "--no-color");
    let choice = if no_colour { clap::ColorChoice::Never } else { clap::ColorChoice::Auto };
    let matches = Cli::command().color(choice).get_matches();
    Cli::from_arg_matches(&matches).unwrap_or_else(|error| error.exit())
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
