//! The command line of `garboard lab`.

use std::net::Ipv4Addr;
use std::path::PathBuf;

use clap::{Args, Subcommand, ValueEnum};

use crate::Block;
use crate::base::Release;
use crate::exec::Standpoint;

/// How data is printed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, ValueEnum)]
pub enum OutputFormat {
    /// For a person.
    #[default]
    Human,
    /// The stable interface.
    Json,
}

/// Throw-away hosts on this machine (Linux, root).
#[derive(Debug, Args)]
pub struct Lab {
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
}

/// What can be done with labs.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Make a lab, or add the hosts it lacks; prints where its inventory is
    Up {
        /// The lab's name
        #[arg(default_value = "lab")]
        name: String,
        /// Hosts for the control plane
        #[arg(long, default_value_t = 1, value_parser = count)]
        control_planes: usize,
        /// Hosts for workloads
        #[arg(long, default_value_t = 2, value_parser = count)]
        workers: usize,
        /// Put them into a home: a router with an internet behind it, and one worker more, `edge1`, in its DMZ
        #[arg(long)]
        edge: bool,
        /// What the hosts are made of that the lab lacks
        #[arg(long, value_name = "RELEASE", value_enum)]
        os: Option<Release>,
        /// What those hosts are
        #[command(flatten)]
        machine: super::kind::Arguments,
        /// Serve this upstream mirror, and use its lock, until `lab down`
        #[arg(long, value_name = "DIR")]
        mirror: Option<PathBuf>,
        /// Raise the limits of this machine's kernel that hosts share, until the last lab is gone
        #[arg(long)]
        raise_limits: bool,
    },
    /// Remove a lab with all that belongs to it, also after a crash
    Down {
        /// The lab's name
        #[arg(default_value = "lab")]
        name: String,
    },
    /// Show a lab, or all of them
    Status {
        /// The lab's name
        name: Option<String>,
    },
    /// Run a program on a host, not through SSH
    Exec {
        /// Which host
        #[command(flatten)]
        target: Target,
        /// The program and its arguments
        #[arg(last = true, required = true)]
        command: Vec<String>,
    },
    /// Run a program inside the lab's network, with the cluster's kubeconfig; or on the internet behind its router
    Run {
        /// The lab's name
        #[arg(default_value = "lab")]
        name: String,
        /// Where it runs
        #[arg(long, value_name = "PLACE", value_enum, default_value_t)]
        from: Standpoint,
        /// The program and its arguments
        #[arg(last = true, required = true)]
        command: Vec<String>,
    },
    /// Send traffic between pods on the first two workers, and say what reached what
    Traffic {
        /// The lab's name
        #[arg(default_value = "lab")]
        name: String,
    },
    /// Reboot a host from inside, and wait for it
    Reboot {
        /// Which host
        #[command(flatten)]
        target: Target,
    },
    /// Cut a host's power; it stays off
    PowerCut {
        /// Which host
        #[command(flatten)]
        target: Target,
    },
    /// Switch a host on again
    PowerOn {
        /// Which host
        #[command(flatten)]
        target: Target,
    },
    /// Give a host's network faults, in place of those it has
    Net(Net),
    /// Give the router of a lab's home another address on the internet, while all runs
    Router {
        /// The lab's name
        #[arg(default_value = "lab")]
        name: String,
        /// The new address
        #[arg(long, value_name = "ADDRESS")]
        public: Ipv4Addr,
    },
    /// Print the digest of a host's state
    Hash {
        /// Which host
        #[command(flatten)]
        target: Target,
        /// Print what went into it instead, one fact a line
        #[arg(long)]
        list: bool,
    },
    /// Watch a host: print what changes and what is executed on it, as one JSON object a line
    #[command(hide = true)]
    Observe {
        /// The lab's name
        name: String,
        /// The host
        host: String,
        /// End after so many seconds
        #[arg(long, default_value_t = 600)]
        seconds_limit: u64,
        /// End as soon as standard input is closed
        #[arg(long)]
        until_stdin_closes: bool,
    },
    /// Put a fresh machine in a host's place
    #[command(hide = true)]
    Replace {
        /// The lab's name
        name: String,
        /// The host
        host: String,
    },
    /// Join standard input and output to a port in the lab's network
    #[command(hide = true)]
    Connect {
        /// The lab's name
        name: String,
        /// A host's name or address
        host: String,
        /// The TCP port
        port: u16,
    },
    /// Stand for a host's power supply
    #[command(hide = true)]
    Supervise {
        /// The lab's name
        name: String,
        /// The host
        host: String,
    },
    /// Become a host's container
    #[command(hide = true)]
    Boot {
        /// The lab's name
        name: String,
        /// The host
        host: String,
    },
    /// Become a program on a host
    #[command(hide = true)]
    Enter {
        /// The lab's name
        name: String,
        /// The host
        host: String,
        /// The program and its arguments
        #[arg(last = true, required = true)]
        command: Vec<String>,
    },
    /// Serve a lab's mirror
    #[command(hide = true)]
    Serve {
        /// The lab's name
        name: String,
    },
}

/// A host, and the lab it is in.
#[derive(Debug, Clone, Args)]
pub struct Target {
    /// The host; before it the lab's name, where that is not `lab`
    #[arg(value_name = "[NAME] HOST", num_args = 1..=2, required = true)]
    words: Vec<String>,
}

impl Target {
    /// The lab's name and the host's.
    pub fn names(&self) -> (&str, &str) {
        match self.words.as_slice() {
            [host] => ("lab", host),
            [name, host, ..] => (name, host),
            // The parser asks for one at least.
            [] => ("lab", ""),
        }
    }
}

/// A number of hosts: what one machine can be asked for.
fn count(text: &str) -> Result<usize, String> {
    match text.parse() {
        Ok(count) if count <= 100 => Ok(count),
        _ => Err("expected a number from 0 to 100".into()),
    }
}

/// Faults of a host's network.
#[derive(Debug, Args)]
pub struct Net {
    /// Which host
    #[command(flatten)]
    pub target: Target,
    /// Lose so many of the frames, in both directions
    #[arg(long, value_name = "PERCENT", value_parser = super::fault::parse_loss)]
    pub loss: Option<u16>,
    /// Let frames arrive so much later
    #[arg(long, value_name = "TIME", value_parser = super::fault::parse_delay)]
    pub delay: Option<u32>,
    /// Let nothing pass to this destination port, in either direction
    #[arg(long, value_name = "PROTOCOL/PORT")]
    pub block: Vec<Block>,
    /// Mend the network
    #[arg(long, conflicts_with_all = ["loss", "delay", "block"], required_unless_present_any = ["loss", "delay", "block"])]
    pub clear: bool,
}
