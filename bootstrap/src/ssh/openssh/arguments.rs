//! The command line of `ssh`. No shell reads it on this machine.

use std::ffi::OsString;
use std::io;
use std::os::unix::ffi::OsStrExt as _;
use std::path::{Path, PathBuf};

use tokio::process::Command;

use super::OpenSshOptions;
use crate::ssh::native::written;
use crate::ssh::{SshError, Target};

/// Kinds of host keys: Ed25519, ECDSA, RSA.
pub(super) const HOST_KEY_KINDS: [&str; 3] = [
    "ssh-ed25519",
    "ecdsa-sha2-nistp256,ecdsa-sha2-nistp384,ecdsa-sha2-nistp521",
    "rsa-sha2-512,rsa-sha2-256",
];

/// How much `ssh` is to say.
#[derive(Debug, Clone, Copy)]
pub(super) enum Says {
    /// What went wrong.
    Errors,
    /// Also which kinds of host keys there are, where the wanted one is not.
    HostKeyKinds,
}

impl Says {
    /// `LogLevel` of `ssh_config(5)`. On all levels but the first a host's banner is said too, once there is a login.
    fn level(self) -> &'static str {
        match self {
            Self::Errors => "ERROR",
            Self::HostKeyKinds => "INFO",
        }
    }
}

/// What `ssh` made of the host's name.
pub(super) struct Resolved {
    pub(super) user: String,
    pub(super) host: String,
    pub(super) port: u16,
    /// The name that stands for it in known-hosts files.
    pub(super) alias: Option<String>,
}

impl Resolved {
    /// All names of the host, as they stand in known-hosts files.
    pub(super) fn names(&self, target: &Target) -> Vec<String> {
        // An alias stands alone, without the port.
        let mut names = match &self.alias {
            Some(alias) => vec![alias.to_lowercase()],
            None => [&self.host, &target.address].map(|name| written(name, self.port)).to_vec(),
        };
        names.dedup();
        names
    }
}

/// How `ssh` is called for one host.
pub(super) struct Arguments {
    /// Holds the control socket: mode 0700, gone with the connection.
    folder: tempfile::TempDir,
    options: Vec<OsString>,
    address: String,
}

impl Arguments {
    pub(super) fn new(options: &OpenSshOptions, target: &Target, says: Says) -> io::Result<Self> {
        // A socket's path has room for 108 bytes, and ssh adds 17 while it makes it.
        let runtime = std::env::var_os("XDG_RUNTIME_DIR").filter(|path| path.len() < 50);
        let parent = runtime.map_or_else(|| "/tmp".into(), PathBuf::from);
        let parent = if parent.is_dir() { parent } else { "/tmp".into() };
        let folder = tempfile::Builder::new().prefix("garboard-").tempdir_in(parent)?;
        let mut words: Vec<OsString> = Vec::new();
        if let Some(config) = &options.config {
            words.extend(["-F".into(), config.into()]);
        }
        let mut option = |text: String| words.extend([OsString::from("-o"), text.into()]);
        option(format!("ControlPath={}", folder.path().join("control").display()));
        for fixed in [
            "StrictHostKeyChecking=yes",
            "UserKnownHostsFile=/dev/null",
            "GlobalKnownHostsFile=/dev/null",
            "VerifyHostKeyDNS=no",
            "UpdateHostKeys=no",
            "CheckHostIP=no",
            "ConnectTimeout=10",
            "ServerAliveInterval=5",
            "ServerAliveCountMax=3",
            "ClearAllForwardings=yes",
            "ForwardAgent=no",
            "ForwardX11=no",
            "PermitLocalCommand=no",
            "RemoteCommand=none",
            "RequestTTY=no",
        ] {
            option(fixed.to_owned());
        }
        option(format!("LogLevel={}", says.level()));
        option(format!("KnownHostsCommand={}", judge(options, target, &host_key_note(folder.path()))));
        option(format!("BatchMode={}", if options.interactive { "no" } else { "yes" }));
        if let Some(user) = &target.user {
            option(format!("User={user}"));
        }
        if let Some(port) = target.port {
            option(format!("Port={port}"));
        }
        if !target.identity.is_empty() {
            option("IdentitiesOnly=yes".to_owned());
        }
        if let Some(command) = &target.proxy_command {
            option(format!("ProxyCommand={command}"));
        }
        if !target.proxy_jump.is_empty() {
            let hops = target.proxy_jump.iter().map(ToString::to_string);
            option(format!("ProxyJump={}", hops.collect::<Vec<_>>().join(",")));
        }
        for identity in &target.identity {
            words.extend(["-i".into(), identity.into()]);
        }
        Ok(Self { folder, options: words, address: target.address.clone() })
    }

    pub(super) fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// Where the fingerprint of the host's key is, once it was found right.
    pub(super) fn host_key_note(&self) -> PathBuf {
        host_key_note(self.folder())
    }

    /// The host as the inventory names it.
    pub(super) fn address(&self) -> &str {
        &self.address
    }

    /// Asks `ssh` what it makes of the host's name, and settles the login's name.
    pub(super) async fn resolve(
        &mut self,
        options: &OpenSshOptions,
        user: Option<String>,
    ) -> Result<Resolved, SshError> {
        let asked = Command::new(&options.program)
            .args(&self.options)
            .args(["-G", "--", &self.address])
            .output()
            .await
            .map_err(|source| SshError::OpenSsh { cause: source.to_string() })?;
        if !asked.status.success() {
            let cause = String::from_utf8_lossy(&asked.stderr).trim().to_owned();
            return Err(SshError::OpenSsh { cause });
        }
        let text = String::from_utf8_lossy(&asked.stdout).into_owned();
        let value = |key: &str| {
            let mut lines = text.lines().filter_map(|line| line.split_once(' '));
            lines.find(|(found, _)| *found == key).map(|(_, value)| value.to_owned())
        };
        let mut found = value("user").unwrap_or_default();
        if let Some(user) = user
            && Some(&found) == options.user.as_ref()
        {
            self.options.extend(["-o".into(), format!("User={user}").into()]);
            found = user;
        }
        Ok(Resolved {
            user: found,
            host: value("hostname").unwrap_or_else(|| self.address.clone()),
            port: value("port").and_then(|port| port.parse().ok()).unwrap_or(22),
            alias: value("hostkeyalias").filter(|alias| alias != "none"),
        })
    }

    /// Logs in and stays, without a command; an unused login ends after a while, also if we are killed.
    pub(super) fn login(&self, kinds: Option<&str>) -> Vec<OsString> {
        let mut words = self.options.clone();
        if let Some(kinds) = kinds {
            words.extend(["-o".into(), format!("HostKeyAlgorithms={kinds}").into()]);
        }
        words
            .extend(["-M", "-N", "-f", "-T", "-o", "ControlPersist=15", "--", &self.address].map(Into::into));
        words
    }

    /// Runs a command line of the login's shell.
    pub(super) fn command(&self, command: &str) -> Vec<OsString> {
        let mut words = self.options.clone();
        words.extend(["-T", "-o", "ControlMaster=no", "--", &self.address, command].map(Into::into));
        words
    }

    /// Ends the login.
    pub(super) fn exit(&self) -> Vec<OsString> {
        let mut words = self.options.clone();
        words.extend(["-O", "exit", "--", &self.address].map(Into::into));
        words
    }
}

fn host_key_note(folder: &Path) -> PathBuf {
    folder.join("host_key")
}

/// The command that `ssh` asks about the host's key.
fn judge(options: &OpenSshOptions, target: &Target, note: &Path) -> String {
    let mut words = vec![quoted(&options.judge), "host-key".to_owned(), "--note".to_owned(), quoted(note)];
    if let Some(pin) = &target.host_key {
        words.extend(["--pin".to_owned(), pin.clone()]);
    } else {
        let own = options.own_known_hosts.iter().map(|file| ("--own", file));
        let others = options.known_hosts.iter().map(|file| ("--known-hosts", file));
        words.extend(own.chain(others).flat_map(|(flag, file)| [flag.to_owned(), quoted(file)]));
    }
    words.extend(["%I", "%H", "%p", "%t", "%K"].map(str::to_owned));
    words.join(" ")
}

/// One word for ssh's own parser of such commands.
fn quoted(path: &Path) -> String {
    let text = String::from_utf8_lossy(path.as_os_str().as_bytes());
    format!("\"{}\"", text.replace('\\', r"\\").replace('"', "\\\"").replace('%', "%%"))
}
