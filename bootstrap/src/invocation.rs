//! What every invocation of the command says, whatever it does.

use std::path::PathBuf;
use std::time::Duration;

use crate::output::Format;
use crate::output::terminal::Terminal;

/// Flags of every command.
#[derive(Debug, Clone, clap::Args)]
pub struct Global {
    /// The inventory
    #[arg(short, long, global = true, value_name = "FILE", default_value = "garboard.yaml")]
    pub inventory: PathBuf,
    /// Work only on these hosts; the others are only read, where a signal is needed from them
    #[arg(long, global = true, value_name = "HOST,...", value_delimiter = ',')]
    pub limit: Vec<String>,
    /// How to show things; `json` is the stable interface
    #[arg(long, global = true, value_enum, default_value_t)]
    pub output: Format,
    /// Say more; twice for the log
    #[arg(short, long, global = true, action = clap::ArgAction::Count)]
    pub verbose: u8,
    /// No colours, also on a terminal; `NO_COLOR` in the environment says the same
    #[arg(long = "no-color", global = true)]
    pub no_colour: bool,
    /// Where the laptop keeps what it knows of clusters [default: `$XDG_STATE_HOME/garboard`]
    #[arg(long, global = true, value_name = "DIR")]
    pub state: Option<PathBuf>,
    /// A mirror laid out like the official hosts, to take artifacts from instead
    #[arg(long, global = true, value_name = "URL", env = "GARBOARD_UPSTREAM")]
    pub upstream: Option<String>,
    /// Take every question as answered with yes, but for those about host keys
    #[arg(short, long, global = true)]
    pub yes: bool,
    /// With lost connections.
    #[command(flatten)]
    pub patience: Patience,
}

/// How long one side waits for the other after a lost connection, or a reboot.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::Args)]
pub struct Patience {
    /// How long a host whose connection is lost in the middle is tried again
    #[arg(long, global = true, value_name = "TIME", default_value = "2m", value_parser = time)]
    pub reconnect: Duration,
    /// How long a host waits for a laptop that is gone, before another one may have it
    #[arg(long, global = true, value_name = "TIME", default_value = "10m", value_parser = time)]
    pub linger: Duration,
    /// How long a host that a step reboots may take to come back
    #[arg(long, global = true, value_name = "TIME", default_value = "10m", value_parser = time)]
    pub reboot_wait: Duration,
}

/// Shorter than a slow login takes, and nobody would come back in time.
const SHORTEST: Duration = Duration::from_secs(20);
/// A host that is held for longer is a host forgotten.
const LONGEST: Duration = Duration::from_hours(24);

/// `90s`, `2m`, `1h 30m`.
fn time(text: &str) -> Result<Duration, String> {
    let told = |why: &dyn std::fmt::Display| format!("{why}; write it as `90s`, `2m` or `1h 30m`");
    let time: jiff::SignedDuration = text.parse().map_err(|error: jiff::Error| told(&error))?;
    let time = Duration::try_from(time).map_err(|error| told(&error))?;
    if (SHORTEST..=LONGEST).contains(&time) { Ok(time) } else { Err("from 20 s to 24 h".to_owned()) }
}

impl Global {
    /// What can be shown on standard error.
    pub fn terminal(&self) -> Terminal {
        Terminal::of_standard_error(self.no_colour)
    }
}
