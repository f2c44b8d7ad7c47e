//! Ports as nmap sees them.

use std::collections::BTreeSet;
use std::process::{Command, Output};

/// What a scan is told in any case: no look-up of names, no question whether the host is there, two attempts a port.
const NMAP: [&str; 6] = ["nmap", "-n", "-Pn", "--max-retries", "1", "-oG"];

/// What nmap says of one address.
#[derive(Debug)]
pub(crate) struct Scan {
    /// Ports from which somebody accepted.
    pub(crate) open: BTreeSet<u16>,
    /// Ports whose refusal came back: the packet had got there.
    pub(crate) refused: BTreeSet<u16>,
    /// All that it said.
    pub(crate) text: String,
}

impl Scan {
    /// Of nmap's output in its form for `grep` (`-oG`).
    #[track_caller]
    pub(crate) fn of(output: &Output) -> Self {
        let text = String::from_utf8_lossy(&output.stdout).into_owned();
        assert!(
            output.status.success() && text.contains("Status: Up"),
            "{text}{}",
            String::from_utf8_lossy(&output.stderr)
        );
        let ports = |state: &str| -> BTreeSet<u16> {
            let line = text.lines().find_map(|line| Some(line.split_once("Ports: ")?.1)).unwrap_or_default();
            // Up to the next field of the line.
            let line = line.split('\t').next().unwrap_or_default();
            line.split(", ")
                .filter_map(|port| {
                    let mut parts = port.split('/');
                    let number = parts.next()?.trim().parse().ok()?;
                    (parts.next()? == state).then_some(number)
                })
                .collect()
        };
        let (open, refused) = (ports("open"), ports("closed"));
        // Where there are many in one state, nmap counts them in place of naming them.
        for counted in ["Ignored State: closed", "Ignored State: open ("] {
            assert!(!text.contains(counted), "{text}");
        }
        Self { open, refused, text }
    }
}

/// A scan by a program in a network namespace that `enter` describes, as arguments of `nsenter`.
#[track_caller]
pub(crate) fn inside(enter: &[String], nmap: &[&str]) -> Scan {
    let mut command = Command::new("nsenter");
    command.args(enter).arg("--").args(NMAP).arg("-").args(nmap);
    Scan::of(&command.output().unwrap())
}
