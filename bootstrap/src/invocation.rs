//! What every invocation of the command says, whatever it does.

use std::path::PathBuf;

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
}

impl Global {
    /// What can be shown on standard error.
    pub fn terminal(&self) -> Terminal {
        Terminal::of_standard_error(self.no_colour)
    }
}
