//! `garboard vpn`: profiles for the VPN on the edge host; one file a command.

mod add;
mod list;
mod revoke;

use crate::invocation::Global;
use crate::problem::{Ended, Exit};

/// Commands of `vpn`.
#[derive(Debug, clap::Args)]
pub(super) struct Vpn {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, clap::Subcommand)]
enum Command {
    /// Write a profile for a user of the inventory: one file, which lets its owner in
    Add(add::Add),
    /// Shut a user out, at once; others stay connected
    Revoke(revoke::Revoke),
    /// Show who may come in until when, who is there, and who was last
    List,
}

pub(super) async fn run(global: &Global, vpn: &Vpn) -> Result<Exit, Ended> {
    match &vpn.command {
        Command::Add(command) => add::run(global, command).await,
        Command::Revoke(command) => revoke::run(global, command).await,
        Command::List => list::run(global).await,
    }
}
