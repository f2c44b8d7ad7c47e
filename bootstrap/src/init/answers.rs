//! What a person answered, and what the inventory's own rules say of it.

use std::net::Ipv4Addr;
use std::path::Path;

use garboard_inventory::{SecretReference, Zone};

use super::{FirstBoot, text};
use crate::problem::{Exit, Problem};

/// All answers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Answers {
    /// The cluster's name.
    pub cluster: String,
    /// `v1.36.3`.
    pub kubernetes: String,
    /// In the order in which they were named; never empty.
    pub hosts: Vec<HostAnswer>,
    /// Which of them is the control plane.
    pub control_plane: usize,
    /// How all of them are reached.
    pub login: Login,
    /// Whether the hosts may be looked at.
    pub look: bool,
    /// For hosts that are still blank cards.
    pub first_boot: Option<FirstBoot>,
}

/// One host.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct HostAnswer {
    /// None was said: one is proposed.
    pub name: Option<String>,
    /// Where SSH finds it.
    pub address: String,
    /// The fingerprint that a person gave for it.
    pub host_key: Option<String>,
    /// It faces the internet.
    pub edge: bool,
    /// The tier of the network that it stands in.
    pub zone: Option<Zone>,
}

/// How hosts are reached. What is open is left to `~/.ssh/config` and the usual keys.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Login {
    /// The login.
    pub user: Option<String>,
    /// The port of sshd.
    pub port: Option<u16>,
    /// Private key files, as written.
    pub identity: Vec<String>,
    /// Where the password is found that `sudo` asks for.
    pub sudo: Option<SecretReference>,
    /// As `ProxyJump` of `ssh_config(5)`.
    pub proxy_jump: Option<String>,
    /// As `ProxyCommand` of `ssh_config(5)`.
    pub proxy_command: Option<String>,
}

impl Answers {
    /// Answers that no rule has anything against, to judge single ones with.
    pub(super) fn sample() -> Self {
        let host = HostAnswer {
            // TEST-NET-1 of RFC 5737: nobody's.
            address: Ipv4Addr::new(192, 0, 2, 1).to_string(),
            ..HostAnswer::default()
        };
        Self {
            cluster: "homelab".to_owned(),
            kubernetes: super::KUBERNETES.to_owned(),
            hosts: vec![host],
            control_plane: 0,
            login: Login::default(),
            look: false,
            first_boot: None,
        }
    }

    /// For an inventory at `path`: relative paths were said where the command was started, and in the file they start at its
    /// folder.
    #[must_use]
    pub fn for_file(mut self, path: &Path) -> Self {
        if path.parent().is_none_or(|folder| folder.as_os_str().is_empty()) {
            return self;
        }
        let place = |written: &Path| {
            let below_home = written.starts_with("~");
            if below_home { None } else { std::path::absolute(written).ok() }
        };
        for identity in &mut self.login.identity {
            if let Some(placed) = place(Path::new(identity)) {
                *identity = placed.to_string_lossy().into_owned();
            }
        }
        if let Some(SecretReference::File(path)) = &mut self.login.sudo
            && let Some(placed) = place(path)
        {
            *path = placed;
        }
        self
    }

    /// Everything that the inventory's rules have against them, without places: there is no file yet.
    pub(super) fn faults(&self) -> Vec<Problem> {
        let text = text::inventory(self, &[]);
        let Err(diagnostics) = garboard_inventory::parse("garboard.yaml", &text) else { return Vec::new() };
        diagnostics
            .iter()
            .map(|one| Problem { help: one.help.clone(), ..Problem::new(Exit::Usage, &one.message) })
            .collect()
    }
}

impl HostAnswer {
    /// Reads `NAME=ADDRESS` or `ADDRESS`.
    pub(super) fn read(text: &str) -> Self {
        match text.split_once('=') {
            Some((name, address)) => Self {
                name: Some(name.trim().to_owned()),
                address: address.trim().to_owned(),
                ..Self::default()
            },
            None => Self { address: text.trim().to_owned(), ..Self::default() },
        }
    }

    /// Whether a person who says `text` means this host.
    pub(super) fn is_called(&self, text: &str) -> bool {
        self.name.as_deref() == Some(text) || self.address == text
    }

    /// How a person called it.
    pub(super) fn called(&self) -> &str {
        self.name.as_deref().unwrap_or(&self.address)
    }
}

/// Reads `env NAME`, `file PATH` or `command PROGRAM ARGUMENT …`; nothing else, which may be the secret itself.
pub(super) fn read_reference(text: &str) -> Option<SecretReference> {
    let (kind, rest) = text.trim().split_once(char::is_whitespace)?;
    let rest = rest.trim();
    Some(match kind {
        "env" => SecretReference::Env(rest.to_owned()),
        "file" => SecretReference::File(rest.into()),
        "command" => SecretReference::Command(rest.split_whitespace().map(str::to_owned).collect()),
        _ => return None,
    })
}
