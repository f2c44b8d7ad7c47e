//! `garboard host-key`: what `ssh` asks when Garboard has it connect (`KnownHostsCommand` in `ssh_config(5)`), so that
//! host keys are judged by one set of rules whoever speaks SSH.

use std::path::PathBuf;

use crate::output::print;
use crate::problem::Exit;
use crate::ssh::openssh::{Files, Pinned, Shown, refusal_line};

#[derive(Debug, clap::Args)]
pub(super) struct HostKey {
    /// The one fingerprint that is right
    #[arg(long)]
    pin: Option<String>,
    /// Our own known-hosts file
    #[arg(long, value_name = "FILE")]
    own: Option<PathBuf>,
    /// Further known-hosts files
    #[arg(long = "known-hosts", value_name = "FILE")]
    known_hosts: Vec<PathBuf>,
    /// Where to write the fingerprint of a key that is right
    #[arg(long, value_name = "FILE")]
    note: Option<PathBuf>,
    /// Why ssh asks: `HOSTNAME`, `ADDRESS` or `ORDER`
    reason: String,
    /// The host's name in known-hosts files
    name: String,
    /// The port of its sshd
    port: u16,
    /// The kind of the key
    algorithm: String,
    /// The key in base64
    key: String,
}

/// Prints what makes the key right, as a line of a known-hosts file. Otherwise nothing, and why to standard error.
pub(super) fn run(asked: &HostKey) -> Exit {
    let files = Files { own: asked.own.as_deref(), others: &asked.known_hosts };
    let pinned = Pinned { fingerprint: asked.pin.as_deref(), files };
    let (name, algorithm, key) = (asked.name.as_str(), asked.algorithm.as_str(), asked.key.as_str());
    match asked.reason.as_str() {
        "ORDER" => print(&pinned.recorded(name, asked.port)),
        // The name decides: an address that changes hands says nothing about a host.
        "HOSTNAME" => match pinned.judge(&Shown { name, algorithm, key }) {
            Ok(right) => {
                print(&right.line);
                if let Some(path) = &asked.note
                    && let Err(error) = fs_err::write(path, right.fingerprint)
                {
                    tracing::warn!("the host key could not be noted: {error}");
                }
            }
            Err(refusal) => {
                super::complain(&refusal_line(&refusal), Exit::Refused);
            }
        },
        _ => {}
    }
    Exit::Done
}
