//! `garboard init --pi`: what a blank card needs besides the system's image, so that a Raspberry Pi without keyboard and screen
//! comes up with its name, sshd, a login with your key, and a host key that the inventory knows already.
//!
//! answers → [`Prepared`] (keys and hashes made) → [`Prepared::files`], which is pure and has golden files → `folder`.

mod cloud_init;
mod custom;
mod folder;
mod host_key;
mod login;
mod network;
mod public_key;
mod readme;

use std::path::Path;

use garboard_inventory::Secret;

use super::{Answers, HostAnswer};
use crate::problem::Problem;

pub use folder::Folder;
pub use network::Gateway;
pub use readme::told;

use host_key::HostKeyPair;
use login::Password;

/// What is flashed; each takes its first settings in its own way.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub enum System {
    /// Raspberry Pi OS on Debian 13, by cloud-init
    Trixie,
    /// Ubuntu 24.04 for Raspberry Pi, by cloud-init
    Noble,
    /// Raspberry Pi OS on Debian 12, by its own `custom.toml`
    Bookworm,
}

impl System {
    /// As its vendor calls it.
    pub fn called(self) -> &'static str {
        match self {
            Self::Trixie => "Raspberry Pi OS (trixie)",
            Self::Noble => "Ubuntu 24.04 for Raspberry Pi",
            Self::Bookworm => "Raspberry Pi OS (bookworm)",
        }
    }

    fn has_cloud_init(self) -> bool {
        self != Self::Bookworm
    }
}

/// What was answered about the first boot.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FirstBoot {
    /// On all cards.
    pub system: System,
    /// Hosts whose `address` is an IPv4 address get it as their own behind this gateway; without it, by DHCP.
    pub gateway: Option<Gateway>,
}

impl FirstBoot {
    /// What is wrong with a login for this.
    pub(super) fn login_fault(user: &str) -> Option<Problem> {
        login::fault(Some(user))
    }

    /// What stands against these answers, all at once.
    pub(super) fn faults(self, answers: &Answers) -> Vec<Problem> {
        let mut faults = Vec::from_iter(login::fault(answers.login.user.as_deref()));
        if let Some(gateway) = self.gateway {
            faults.extend(gateway.faults(self.system, &answers.hosts));
        }
        faults
    }
}

/// Everything that was made or read for the cards of all hosts.
pub struct Prepared {
    first_boot: FirstBoot,
    hosts: Vec<PreparedHost>,
    user: String,
    /// None: `sudo` asks for no password, and no password opens the login.
    password: Option<Password>,
    /// As in `authorized_keys`.
    public_keys: Vec<String>,
}

struct PreparedHost {
    name: String,
    address: String,
    /// Where the system takes one.
    key: Option<HostKeyPair>,
}

impl Prepared {
    /// Reads your public keys, makes the hosts' own keys, and hashes the password of `sudo` if the answers say where it is.
    /// The hosts are named by now.
    ///
    /// # Errors
    /// There is no public key, or no password where the answers say that it is.
    pub async fn of(first_boot: FirstBoot, answers: &Answers, inventory: &Path) -> Result<Self, Problem> {
        let public_keys = public_key::all(&answers.login.identity, inventory).await?;
        let password = answers.login.sudo.as_ref().map(Password::resolve).transpose()?;
        let host = |host: &HostAnswer| {
            let name = host.called().to_owned();
            let key = first_boot.system.has_cloud_init().then(|| HostKeyPair::random(&name)).transpose()?;
            Ok(PreparedHost { name, address: host.address.clone(), key })
        };
        let hosts = answers.hosts.iter().map(host).collect::<Result<_, Problem>>()?;
        let user = answers.login.user.clone().unwrap_or_default();
        Ok(Self { first_boot, hosts, user, password, public_keys })
    }

    /// The same answers with the fingerprints of the keys that were made, which the inventory pins.
    #[must_use]
    pub fn pinned(&self, mut answers: Answers) -> Answers {
        for (answer, host) in answers.hosts.iter_mut().zip(&self.hosts) {
            if let Some(key) = &host.key {
                answer.host_key = Some(key.fingerprint());
            }
        }
        answers
    }

    /// Of every host, in the inventory's order: its name, and the files that belong to its card.
    fn files(&self) -> Result<Vec<(&str, Vec<File>)>, Problem> {
        let files = |host: &'_ PreparedHost| {
            let mut files = match self.first_boot.system {
                System::Trixie | System::Noble => cloud_init::files(self, host),
                System::Bookworm => vec![custom::file(self, host)?],
            };
            files.push(readme::file(self, host));
            Ok(files)
        };
        self.hosts.iter().map(|host| Ok((host.name.as_str(), files(host)?))).collect()
    }
}

/// One file for a card. Its text may be a secret.
struct File {
    name: &'static str,
    text: Secret,
}

impl File {
    fn new(name: &'static str, text: String) -> Self {
        Self { name, text: Secret::new(text) }
    }
}

#[cfg(test)]
mod tests;
