//! `garboard-agent connect`: joins an SSH channel to the executor, and starts one when there is none. Killing the bridge
//! does nothing to the executor.

use std::io::{self, Read as _};
use std::os::unix::net::UnixStream;
use std::time::Duration;

use fs_err as fs;

use crate::executor::{GREETING, Holder};
use crate::join::join;
use crate::store::Layout;
use crate::system::{Command, CommandError, System};

/// An executor that leaves at this moment, or another bridge that starts one, is met at most so often in a row.
const ATTEMPTS: u32 = 10;
/// Longest an executor takes to take a connection: its loop never blocks.
const GREETED: Duration = Duration::from_secs(10);
/// Longest systemd takes to start one.
const STARTED: Duration = Duration::from_mins(1);

/// Why there is no way to an executor.
#[derive(Debug, thiserror::Error)]
pub enum BridgeError {
    /// systemd does not start one.
    #[error("cannot start the executor as a transient unit of systemd{}", said(journal))]
    Start {
        /// What the unit printed.
        journal: String,
        /// Why.
        source: CommandError,
    },
    /// It is started again and again, and never there.
    #[error("no executor stays on this host{}", holder.as_ref().map(|holder| format!("; it is {holder}")).unwrap_or_default())]
    Gone {
        /// Who holds the lock, if anyone.
        holder: Option<Holder>,
    },
    /// The streams cannot be joined, or the program cannot find itself.
    #[error("cannot {action}")]
    Io {
        /// What was tried.
        action: &'static str,
        /// Why.
        source: io::Error,
    },
}

fn said(journal: &str) -> String {
    if journal.is_empty() { String::new() } else { format!("; it said: {journal}") }
}

/// Joins standard input and output to the executor until either side closes.
pub fn connect(system: &dyn System, layout: &Layout, run: &str, owner: &str) -> Result<(), BridgeError> {
    let socket = reach(system, layout, run, owner)?;
    let failed = |source| BridgeError::Io { action: "join the channel to the executor", source };
    let (reader, writer) = (socket.try_clone().map_err(failed)?, socket);
    join(reader, writer, || (), |_| true).map_err(failed)
}

fn reach(system: &dyn System, layout: &Layout, run: &str, owner: &str) -> Result<UnixStream, BridgeError> {
    let mut last = None;
    for attempt in 0..ATTEMPTS {
        if let Some(socket) = greeted(layout) {
            return Ok(socket);
        }
        last = start(system, run, owner, attempt).err();
    }
    if let Some(socket) = greeted(layout) {
        return Ok(socket);
    }
    match last {
        Some(source) => Err(BridgeError::Start { journal: journal(system, run), source: *source }),
        None => Err(BridgeError::Gone { holder: holder(layout) }),
    }
}

/// A connection that an executor has taken; `None` when there is none, or it leaves.
fn greeted(layout: &Layout) -> Option<UnixStream> {
    let mut socket = UnixStream::connect(layout.socket()).ok()?;
    socket.set_read_timeout(Some(GREETED)).ok()?;
    let mut greeting = [0];
    socket.read_exact(&mut greeting).ok().filter(|()| greeting == [GREETING])?;
    socket.set_read_timeout(None).ok()?;
    Some(socket)
}

/// Starts an executor; returns when it can be reached (`Type=notify`).
fn start(system: &dyn System, run: &str, owner: &str, attempt: u32) -> Result<(), Box<CommandError>> {
    let program = fs::read_link("/proc/self/exe")
        .map_err(|source| Box::new(CommandError::Start { command: "/proc/self/exe".to_owned(), source }))?;
    // The unit of an executor that leaves right now still has the plain name.
    let unit =
        if attempt == 0 { unit(run) } else { format!("{}-{}", unit(run), std::process::id() + attempt) };
    let mut arguments = vec![
        "--quiet".to_owned(),
        "--collect".to_owned(),
        format!("--unit={unit}"),
        format!("--description=Garboard, run {run}"),
    ];
    arguments.extend(PROPERTIES.iter().map(|property| format!("--property={property}")));
    arguments.push("--".to_owned());
    arguments.push(program.to_string_lossy().into_owned());
    arguments.extend(["serve", "--run", run, "--owner", owner].map(str::to_owned));
    system.run(&Command::new("systemd-run", arguments).timeout(STARTED)).map(drop).map_err(Box::new)
}

/// Of the transient unit.
const PROPERTIES: [&str; 8] = [
    "Type=notify",
    // Whatever it started (kubeadm) ends with it; containerd and kubelet are units of their own.
    "KillMode=control-group",
    // Memory that runs out in one command is that step's failure, not the end of the run.
    "OOMPolicy=continue",
    "OOMScoreAdjust=-500",
    "TimeoutStartSec=45s",
    // What a step has started (dpkg, kubeadm) gets this long to end when somebody stops the unit or the host shuts down.
    "TimeoutStopSec=90s",
    "StandardInput=null",
    // Tokens and keys are in its memory.
    "LimitCORE=0",
];

fn unit(run: &str) -> String {
    format!("garboard-{run}")
}

fn journal(system: &dyn System, run: &str) -> String {
    let unit = format!("--unit={}*", unit(run));
    let command =
        Command::new("journalctl", [unit.as_str(), "--lines=5", "--output=cat", "--no-pager", "--quiet"]);
    system.look().ask(&command).map(|output| output.stdout.trim().replace('\n', "; ")).unwrap_or_default()
}

fn holder(layout: &Layout) -> Option<Holder> {
    serde_json::from_slice(&fs::read(layout.lock()).ok()?).ok()
}
