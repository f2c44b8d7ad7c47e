//! The commands, one file each.

mod resume;
mod run;
mod status;
mod update;

use std::io::Write as _;
use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Args, Parser, Subcommand};
use jiff::Timestamp;

use crate::report::Report;
use crate::service::Places;

/// Keeps names pointing at the address the internet sees, and keeps to every provider's terms
#[derive(Debug, Parser)]
#[command(name = "garboard-ddns", version)]
struct Cli {
    #[command(flatten)]
    folders: Folders,
    #[command(subcommand)]
    command: Command,
}

/// Where things are; systemd says it to the service by the variables.
#[derive(Debug, Args)]
struct Folders {
    /// The configuration
    #[arg(long, global = true, value_name = "FILE", default_value = "/etc/garboard-ddns/ddns.yaml")]
    config: PathBuf,
    /// The folder of what outlasts a reboot
    #[arg(
        long,
        global = true,
        value_name = "DIR",
        env = "STATE_DIRECTORY",
        default_value = "/var/lib/garboard-ddns"
    )]
    state: PathBuf,
    /// The folder of the socket and the metrics
    #[arg(
        long,
        global = true,
        value_name = "DIR",
        env = "RUNTIME_DIRECTORY",
        default_value = "/run/garboard-ddns"
    )]
    runtime: PathBuf,
    /// The folder of the credentials, when the configuration names any
    #[arg(long, global = true, value_name = "DIR", env = "CREDENTIALS_DIRECTORY")]
    credentials: Option<PathBuf>,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Look after the names until told to end: the service
    Run,
    /// Say where every name stands, from what the service has written down
    Status(status::Status),
    /// Have the service look now; an update is sent only where an address changed
    Update(update::Update),
    /// Have the service try again what it holds until a person acts
    Resume(resume::Resume),
}

/// Runs the command line of this process.
pub fn run() -> ExitCode {
    let cli = Cli::parse();
    let places = Places {
        configuration: cli.folders.config,
        state: cli.folders.state,
        runtime: cli.folders.runtime,
        credentials: cli.folders.credentials,
    };
    let done = match &cli.command {
        Command::Run => run::run(&places),
        Command::Status(status) => status::run(status, &places),
        Command::Update(update) => update::run(update, &places),
        Command::Resume(resume) => resume::run(resume, &places),
    };
    match done {
        Ok(code) => code,
        Err(error) => {
            let _ = writeln!(std::io::stderr(), "error: {error:#}");
            ExitCode::FAILURE
        }
    }
}

/// One thread: everything here waits.
fn block_on<T>(work: impl Future<Output = anyhow::Result<T>>) -> anyhow::Result<T> {
    tokio::runtime::Builder::new_current_thread().enable_all().build()?.block_on(work)
}

/// To standard output; what it says decides the exit code.
fn show(report: &Report, json: bool) -> anyhow::Result<ExitCode> {
    let text =
        if json { serde_json::to_string_pretty(report)? + "\n" } else { report.text(Timestamp::now()) };
    std::io::stdout().write_all(text.as_bytes())?;
    Ok(ExitCode::from(report.exit_code()))
}
