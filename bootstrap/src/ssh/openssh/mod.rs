//! The user's own `ssh`, for all that a library cannot do: FIDO keys, GSSAPI, odd configurations.
//!
//! One login a host: `ssh` keeps it open behind a control socket of our own, in a folder only we can enter, and every
//! command is a further channel of it. Host keys are judged by us: `ssh` asks `garboard host-key`, and nothing else.

mod arguments;
mod connection;
mod said;

use std::path::PathBuf;
use std::process::Stdio;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use tokio::process::Command;
use tokio::time::timeout;

use super::confirmation::Stranger;
use super::native::KnownHosts;
use super::user_config::{self, Here};
use super::{Confirmation, Connection, OfferedKeys, SshError, Target, Transport};
use arguments::{Arguments, HOST_KEY_KINDS, Resolved, Says};
use connection::OpenSshConnection;

pub(crate) use super::native::{Files, Pinned, Refusal, Shown};

/// For the login; a person may have to touch a key first.
const LOGIN_TIMEOUT: Duration = Duration::from_secs(75);
/// Begins the line with which `garboard host-key` tells why a key is not right.
const REFUSAL: &str = "garboard-host-key ";

/// Has `ssh` connect.
#[derive(Debug)]
pub struct OpenSsh {
    options: OpenSshOptions,
    /// Where a person may be asked, they are asked by one `ssh` after the other.
    turn: tokio::sync::Mutex<()>,
}

/// What this transport uses of the laptop.
#[derive(Debug, Clone)]
pub struct OpenSshOptions {
    /// The program: `ssh`.
    pub program: PathBuf,
    /// Its configuration, where that is not the user's own.
    pub config: Option<PathBuf>,
    /// The `garboard` program, which judges host keys.
    pub judge: PathBuf,
    /// The folder above `.ssh`.
    pub home: Option<PathBuf>,
    /// The user's own name.
    pub user: Option<String>,
    /// Our own known-hosts file: a host that it knows is known by nothing else.
    pub own_known_hosts: Option<PathBuf>,
    /// Further known-hosts files. One that is not there is empty.
    pub known_hosts: Vec<PathBuf>,
    /// Who decides about host keys that none of them knows; without them such a key is refused.
    pub confirmation: Option<Arc<Confirmation>>,
    /// Whether `ssh` may ask a person at the terminal.
    pub interactive: bool,
}

impl OpenSshOptions {
    /// This machine's `ssh`, with what `native` says about the user.
    pub fn of_this_machine(native: &super::NativeOptions, interactive: bool) -> std::io::Result<Self> {
        Ok(Self {
            program: "ssh".into(),
            config: None,
            judge: std::env::current_exe()?,
            home: native.home.clone(),
            user: native.user.clone(),
            own_known_hosts: native.own_known_hosts.clone(),
            known_hosts: native.known_hosts.clone(),
            confirmation: native.confirmation.clone(),
            interactive,
        })
    }
}

impl OpenSsh {
    /// With these files.
    pub fn new(options: OpenSshOptions) -> Self {
        Self { options, turn: tokio::sync::Mutex::default() }
    }

    /// The command line, and what `ssh` makes of it.
    async fn prepare(
        &self,
        options: &OpenSshOptions,
        target: &Target,
        says: Says,
    ) -> Result<(Arguments, Resolved), SshError> {
        let here = Here { home: self.options.home.as_deref(), user: self.options.user.as_deref() };
        // Only for the login's name: where nothing names one it is root, not the user's own as for `ssh`.
        let user = user_config::resolve(target, here).ok().map(|destination| destination.user);
        let mut arguments =
            Arguments::new(options, target, says).map_err(|source| SshError::Local { source })?;
        let resolved = arguments.resolve(options, user).await?;
        Ok((arguments, resolved))
    }

    /// Logs in. Where only a fingerprint is known, one kind of key after the other is asked for.
    async fn open(
        &self,
        arguments: &Arguments,
        target: &Target,
        resolved: &Resolved,
    ) -> Result<(), SshError> {
        let mut first = None;
        let [_, ecdsa, rsa] = HOST_KEY_KINDS.map(Some);
        for kinds in [None, ecdsa, rsa] {
            let Err(failed) = self.log_in(arguments, kinds).await else { return Ok(()) };
            let error = failed.into_error(target, resolved);
            // The host may have the pinned key as well, and show it if it is asked for that kind.
            let other_key = matches!(error, SshError::ChangedHostKey { .. }) && target.host_key.is_some();
            first.get_or_insert(error);
            if !other_key {
                break;
            }
        }
        first.map_or(Ok(()), Err)
    }

    /// Ctrl-C is a message to us alone, the connection must outlast it: that is `ssh` and what it starts, a proxy command too.
    fn deaf_to_ctrl_c(&self) -> Command {
        if !self.options.interactive {
            let mut command = Command::new(&self.options.program);
            command.process_group(0);
            return command;
        }
        // A group of its own could not ask a person at the terminal. What is ignored stays ignored for all it starts.
        let mut shell = Command::new("/bin/sh");
        shell.args(["-c", r#"trap "" INT; exec "$0" "$@""#]).arg(&self.options.program);
        shell
    }

    /// Logs in, and leaves `ssh` behind the control socket.
    async fn log_in(&self, arguments: &Arguments, kinds: Option<&str>) -> Result<(), said::Failed> {
        let _turn = if self.options.interactive { Some(self.turn.lock().await) } else { None };
        // Questions of ours come at another time than those of `ssh`.
        let _persons = match &self.options.confirmation {
            Some(confirmation) if self.options.interactive => Some(confirmation.person().turn().await),
            _ => None,
        };
        // A file: what goes on in the background keeps it open, and nobody waits for its end.
        let path = arguments.folder().join("said");
        let said = fs_err::File::create(&path).map_err(said::Failed::start)?.into_parts().0;
        let mut command = self.deaf_to_ctrl_c();
        command.args(arguments.login(kinds)).stdin(Stdio::null()).stdout(Stdio::null()).stderr(said);
        let mut child = command.kill_on_drop(true).spawn().map_err(said::Failed::start)?;
        let status = timeout(LOGIN_TIMEOUT, child.wait()).await;
        let said = String::from_utf8_lossy(&fs_err::read(&path).unwrap_or_default()).into_owned();
        match status {
            Ok(Ok(status)) if status.success() => Ok(()),
            Ok(_) => Err(said::Failed::Said(said)),
            Err(_) => Err(said::Failed::TimedOut(LOGIN_TIMEOUT, said)),
        }
    }
}

#[async_trait]
impl Transport for OpenSsh {
    async fn connect(&self, target: &Target) -> Result<Box<dyn Connection>, SshError> {
        let (arguments, resolved) = self.prepare(&self.options, target, Says::Errors).await?;
        let mut opened = self.open(&arguments, target, &resolved).await;
        if let (Err(SshError::UnknownHostKey { key, .. }), Some(confirmation)) =
            (&opened, &self.options.confirmation)
        {
            let names = resolved.names(target);
            let place = format!("{} port {}", resolved.host, resolved.port);
            let stranger = Stranger { address: &target.address, place, names: &names, key };
            let files =
                Files { own: self.options.own_known_hosts.as_deref(), others: &self.options.known_hosts };
            let is_known = || KnownHosts::named(files, &names).map(|known| !known.keys.is_empty());
            confirmation.settle(&stranger, is_known).await?;
            opened = self.open(&arguments, target, &resolved).await;
        }
        opened?;
        Ok(Box::new(OpenSshConnection::new(&self.options, arguments, &resolved)))
    }

    async fn host_keys(&self, target: &Target) -> Result<OfferedKeys, SshError> {
        // Nothing is known, so every key is refused before the login, and told.
        let nothing =
            OpenSshOptions { own_known_hosts: None, known_hosts: Vec::new(), ..self.options.clone() };
        let unpinned = Target { host_key: None, ..target.clone() };
        let (arguments, resolved) = self.prepare(&nothing, &unpinned, Says::HostKeyKinds).await?;
        let (mut keys, mut lacking) = (Vec::new(), None);
        for kind in HOST_KEY_KINDS {
            let Err(failed) = self.log_in(&arguments, Some(kind)).await else { continue };
            match failed.into_error(target, &resolved) {
                SshError::UnknownHostKey { key, .. } => keys.push(*key),
                error @ SshError::NoHostKey { .. } => lacking = Some(error),
                error => return Err(error),
            }
        }
        match lacking {
            Some(error) if keys.is_empty() => Err(error),
            _ => Ok(OfferedKeys { names: resolved.names(target), keys }),
        }
    }
}

/// The line that tells a refusal to the one who has `ssh` connect.
pub(crate) fn refusal_line(refusal: &Refusal) -> String {
    format!("{REFUSAL}{}", serde_json::to_string(refusal).unwrap_or_default())
}
