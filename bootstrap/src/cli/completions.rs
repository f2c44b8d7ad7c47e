//! `garboard completions`: what a shell needs to complete the command line.

use clap_complete::Shell;

use crate::output::print;
use crate::problem::Exit;

/// Flags of `completions`.
#[derive(Debug, clap::Args)]
#[command(after_help = "For example, for bash: garboard completions bash > \
    ~/.local/share/bash-completion/completions/garboard")]
pub(super) struct Completions {
    /// The shell
    #[arg(value_enum)]
    shell: Shell,
}

pub(super) fn run(command: &Completions, mut whole: clap::Command) -> Exit {
    let name = whole.get_name().to_owned();
    let mut script = Vec::new();
    clap_complete::generate(command.shell, &mut whole, name, &mut script);
    print(&String::from_utf8_lossy(&script));
    Exit::Done
}
