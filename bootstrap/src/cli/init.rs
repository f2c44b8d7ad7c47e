//! `garboard init`: a commented inventory from a few answers; the hosts are looked at if a person agrees, and stay as they
//! are.

use std::path::PathBuf;

use garboard_inventory::SecretReference;

use crate::init::{
    self, Document, Folder, Gateway, Given, Interrupt, Login, Looked, Place, Prepared, System, Terminal, Whom,
};
use crate::invocation::Global;
use crate::output::{Format, json, print};
use crate::problem::{Ended, Exit};

/// Flags of `init`.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "For example:\n  garboard init\n  garboard init --name homelab --host cp1=192.168.1.11 \
    --host w1=192.168.1.12 --control-plane cp1 --user pi --look\n  garboard init --pi --gateway 192.168.1.1/24"
)]
pub(super) struct Init {
    /// The cluster's name
    #[arg(long)]
    name: Option<String>,
    /// The Kubernetes release
    #[arg(long, value_name = "VERSION", default_value = init::KUBERNETES)]
    kubernetes: String,
    /// A host: `NAME=ADDRESS`, or an address alone, whose name is then proposed; once for each host
    #[arg(long, value_name = "[NAME=]ADDRESS")]
    host: Vec<String>,
    /// The host that becomes the control plane: its name or address
    #[arg(long, value_name = "HOST")]
    control_plane: Option<String>,
    /// The worker that faces the internet: its name or address
    #[arg(long, value_name = "HOST")]
    edge: Option<String>,
    /// The tier of the network that a host stands in: `public`, `private` or `data`; once for each host
    #[arg(long, value_name = "HOST=ZONE")]
    zone: Vec<String>,
    /// The user to log in as
    #[arg(long)]
    user: Option<String>,
    /// The port of sshd
    #[arg(long)]
    port: Option<u16>,
    /// A private key file; may be given several times
    #[arg(long, value_name = "FILE")]
    identity: Vec<String>,
    /// The environment variable that holds the password `sudo` asks for
    #[arg(long, value_name = "NAME", group = "sudo")]
    sudo_password_env: Option<String>,
    /// The file that holds it, which nobody else can read
    #[arg(long, value_name = "FILE", group = "sudo")]
    sudo_password_file: Option<PathBuf>,
    /// The program that prints it, with its arguments, separated by blanks
    #[arg(long, value_name = "COMMAND", group = "sudo")]
    sudo_password_command: Option<String>,
    /// `sudo` asks for no password, or you type it when it does
    #[arg(long, group = "sudo")]
    no_sudo_password: bool,
    /// Hosts to pass on the way, as for `ssh -J`
    #[arg(long, value_name = "HOST,...", conflicts_with = "proxy_command")]
    proxy_jump: Option<String>,
    /// A program whose input and output lead to sshd: `%h` is the address, `%p` the port
    #[arg(long, value_name = "COMMAND")]
    proxy_command: Option<String>,
    /// The fingerprint of a host's key, if you know it: `cp1=SHA256:...`; once for each host
    #[arg(long, value_name = "HOST=FINGERPRINT")]
    host_key: Vec<String>,
    /// Look at the hosts now: their host keys, and what they say of themselves
    #[arg(long)]
    look: bool,
    /// Connect to nobody
    #[arg(long, conflicts_with = "look")]
    no_look: bool,
    /// Print the inventory and write no file
    #[arg(long)]
    print: bool,
    /// The hosts are Raspberry Pis whose cards are still blank: writes what belongs on them for this system into a folder
    /// `first-boot` beside the inventory, makes the hosts' SSH keys, and looks at nobody
    #[arg(
        long,
        value_name = "SYSTEM",
        num_args = 0..=1,
        require_equals = true,
        default_missing_value = "trixie",
        conflicts_with_all = ["look", "print", "host_key"]
    )]
    pi: Option<System>,
    /// With `--pi`: the router, such as `192.168.1.1/24`. Hosts get the addresses given here for good; without it they ask
    /// the router for one
    #[arg(long, value_name = "ADDRESS/PREFIX", requires = "pi")]
    gateway: Option<Gateway>,
}

pub(super) async fn run(global: &Global, command: &Init) -> Result<Exit, Ended> {
    let place = if command.print { None } else { Some(Place::free(&global.inventory)?) };
    let cards = command.pi.map(|_| Folder::free(&global.inventory)).transpose()?;
    let interrupt = Interrupt::listen()?;
    let person = Terminal::of_this_process(global.terminal().paint, &interrupt);
    let whom = match &person {
        _ if global.yes => Whom::Defaults,
        Some(person) => Whom::Person(person),
        None => Whom::Nobody,
    };
    let answers = init::answers(&command.given(), whom).await?.for_file(&global.inventory);
    let looked =
        if answers.look { init::look(global, &answers, whom, &interrupt).await? } else { Looked::default() };
    let answers = init::name_hosts(&answers, &looked.findings, whom).await?;
    let prepared = match answers.first_boot {
        Some(first_boot) => Some(Prepared::of(first_boot, &answers, &global.inventory).await?),
        None => None,
    };
    let answers = prepared.iter().fold(answers, |answers, prepared| prepared.pinned(answers));
    let text = init::inventory(&answers, &looked.findings);
    let inventory = init::proof(&global.inventory, &text)?;
    let cards = cards.as_ref().zip(prepared.as_ref());
    if let Some((folder, prepared)) = cards {
        folder.write(prepared)?;
    }
    if let Some(place) = &place {
        // The one is of no use without the other.
        place.write(&text).inspect_err(|_| cards.iter().for_each(|(folder, _)| folder.remove()))?;
    }
    let path = place.is_some().then_some(global.inventory.as_path());
    match (global.output, path) {
        (Format::Json, _) => {
            let first_boot = cards.map(|(folder, _)| folder.path());
            json::print(&Document { first_boot, ..Document::of(&inventory, path, &text) });
        }
        (Format::Human, None) => print(&text),
        (Format::Human, Some(path)) => {
            let before = cards.map(|(folder, prepared)| init::first_boot_told(prepared, folder.path()));
            init::tell(global, &init::next_steps(&inventory, path, before.as_deref()));
        }
    }
    match looked.exit() {
        Exit::Done => Ok(Exit::Done),
        // Each host that could not be looked at was told of.
        exit => Err(Ended::Said(exit)),
    }
}

impl Init {
    fn given(&self) -> Given {
        let words = |command: &String| command.split_whitespace().map(str::to_owned).collect();
        let sudo = match (&self.sudo_password_env, &self.sudo_password_file, &self.sudo_password_command) {
            (Some(name), ..) => Some(SecretReference::Env(name.clone())),
            (_, Some(path), _) => Some(SecretReference::File(path.clone())),
            (.., command) => command.as_ref().map(|command| SecretReference::Command(words(command))),
        };
        Given {
            name: self.name.clone(),
            kubernetes: self.kubernetes.clone(),
            hosts: self.host.clone(),
            control_plane: self.control_plane.clone(),
            edge: self.edge.clone(),
            zones: self.zone.clone(),
            host_keys: self.host_key.clone(),
            login: Login {
                user: self.user.clone(),
                port: self.port,
                identity: self.identity.clone(),
                sudo,
                proxy_jump: self.proxy_jump.clone(),
                proxy_command: self.proxy_command.clone(),
            },
            no_sudo_password: self.no_sudo_password,
            look: (self.look || self.no_look).then_some(self.look),
            pi: self.pi,
            gateway: self.gateway,
        }
    }
}
