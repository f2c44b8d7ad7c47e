//! `sshd`: settings of sshd in a file of our own, beside what others have configured.
//!
//! They may lock the laptop out, so they are guarded: a file is mounted over the one that a boot would read, sshd itself tests and tells
//! what is in effect, and only after a login over a new connection the file is written. Until then a timer of systemd, or a boot, takes
//! it back.

use std::io;
use std::path::Path;

use garboard_protocol::Observation;
use garboard_protocol::change::{Change, Field};
use garboard_protocol::step::{Outputs, Sshd};

use super::path::failed;
use super::undo::Undo;
use super::unit::{is_running, state};
use super::{Context, Entry, Kind, ProbeContext, StepError, file};
use crate::system::{Command, CommandError, Look, System};

/// It starts itself anew, and wants its absolute path for that.
const PROGRAM: &str = "/usr/sbin/sshd";
/// Where its main file includes others from: Debian since 11, Ubuntu since 20.04.
const FOLDER: &str = "/etc/ssh/sshd_config.d";
/// Debian's name, and that of most others.
const UNITS: [&str; 2] = ["ssh.service", "sshd.service"];
/// Somebody of whom nobody has settings of their own: a documentation address (RFC 5737).
const SOMEBODY: &str = "user=nobody,host=garboard.invalid,addr=192.0.2.1,laddr=192.0.2.2,lport=22";
/// What is there for a boot while the settings wait for their confirmation.
const PLACEHOLDER: &str = "# Garboard's settings come here once they are confirmed.\n";

impl Kind for Sshd {
    fn probe(&self, context: &ProbeContext<'_>) -> Result<Observation, StepError> {
        let (look, path) = (context.look, self.path());
        if is_mounted(&path, look)? {
            let before = Some("not confirmed".to_owned());
            let change = Change::new(&path, Field::Kind, before, Some("file".to_owned()));
            return Ok(Observation::from_changes(vec![change]));
        }
        let mut changes = file::changes(&path, &self.content, 0o644, false, look)?;
        if changes.is_empty() {
            let overruled = overruled(self, look)?.into_iter().map(|(keyword, wanted, found)| {
                Change::new(format!("sshd {keyword}"), Field::Value, found, Some(wanted))
            });
            changes.extend(overruled);
        }
        Ok(Observation::from_changes(changes))
    }

    fn apply(&self, _changes: &[Change], context: &Context<'_>) -> Result<Outputs, StepError> {
        let (system, path) = (context.system, self.path());
        let trial = Trial::of(self);
        // What an earlier run left that was cut off.
        if is_mounted(&path, system.look())? {
            trial.unmount(system)?;
        }
        if system.metadata(Path::new(FOLDER)).map_err(failed("read", FOLDER))?.is_none() {
            return Err(not_included());
        }
        context.note_path(&path)?;
        context.baseline.note(Entry::Sshd {})?;
        trial.begin(self, system)?;
        let tried = test(system.look()).and_then(|()| match overruled(self, system.look())?.first() {
            Some((keyword, wanted, found)) => Err(ineffective(keyword, wanted, found.as_deref(), &path)),
            None => reload(system),
        });
        if let Err(error) = tried {
            trial.take_back(system)?;
            return Err(error);
        }
        (context.progress)("in effect; waits for a login over a new connection");
        if !(context.confirmed)() {
            trial.take_back(system)?;
            return Err(not_confirmed());
        }
        trial.end(system)?;
        let changes = file::changes(&path, &self.content, 0o644, false, system.look())?;
        if !changes.is_empty() {
            file::write(&path, &self.content, 0o644, &changes, context)?;
        }
        Ok(Outputs::new())
    }
}

/// Settings that are in effect for as long as nobody takes them back.
struct Trial {
    path: String,
    undo: Undo,
}

impl Trial {
    fn of(step: &Sshd) -> Self {
        Self { path: step.path(), undo: Undo::of(&format!("sshd-{}", step.name), "conf") }
    }

    /// The file is what sshd will read; a boot, and the timer, find what was there before.
    fn begin(&self, step: &Sshd, system: &dyn System) -> Result<(), StepError> {
        let path = Path::new(&self.path);
        if system.metadata(path).map_err(failed("read", &self.path))?.is_none() {
            system.write(path, PLACEHOLDER.as_bytes(), 0o644).map_err(failed("write", &self.path))?;
        }
        self.undo.write(&step.content, 0o644, system)?;
        // systemd finds a program for `systemd-run`, and not for a property of its unit.
        let then = unit(system.look())?.map(|unit| format!("/bin/systemctl reload {unit}"));
        let description = "Takes settings of sshd back, which nobody has confirmed";
        self.undo.arm(description, &["umount", &self.path], then.as_deref(), system)?;
        system.run(&Command::new("mount", ["--bind", self.undo.path(), &self.path]))?;
        Ok(())
    }

    /// Takes them back here and now. Where it fails, the timer tries once more.
    fn take_back(&self, system: &dyn System) -> Result<(), StepError> {
        self.unmount(system)?;
        let path = Path::new(&self.path);
        if system.read_text(path).map_err(failed("read", &self.path))?.as_deref() == Some(PLACEHOLDER) {
            system.remove_file(path).map_err(failed("remove", &self.path))?;
        }
        reload(system)?;
        self.undo.disarm(system)
    }

    /// They stay: the file is the host's own again, and can be written.
    fn end(&self, system: &dyn System) -> Result<(), StepError> {
        self.undo.disarm(system)?;
        self.unmount(system)
    }

    fn unmount(&self, system: &dyn System) -> Result<(), StepError> {
        system.run(&Command::new("umount", [&self.path]))?;
        Ok(())
    }
}

/// Whether something is mounted at this very path.
fn is_mounted(path: &str, look: &dyn Look) -> Result<bool, StepError> {
    let mounts = "/proc/self/mountinfo";
    let text = look.read_text(Path::new(mounts)).map_err(failed("read", mounts))?.unwrap_or_default();
    Ok(text.lines().any(|line| line.split(' ').nth(4) == Some(path)))
}

/// The unit that runs; none where something else starts sshd for each connection, which then reads its files each time.
fn unit(look: &dyn Look) -> Result<Option<&'static str>, StepError> {
    for name in UNITS {
        if is_running(&state(name, look)?) {
            return Ok(Some(name));
        }
    }
    Ok(None)
}

/// Has a running sshd read its configuration anew. Sessions stay.
pub(crate) fn reload(system: &dyn System) -> Result<(), StepError> {
    if let Some(unit) = unit(system.look())? {
        system.run(&Command::new("systemctl", ["reload", "--", unit]))?;
    }
    Ok(())
}

/// Whether sshd takes its configuration as it is now.
fn test(look: &dyn Look) -> Result<(), StepError> {
    look.ask(&Command::new(PROGRAM, ["-t"])).map_err(explained)?;
    Ok(())
}

/// Settings that stand before the first `Match`, and are not in effect: keyword, what is wanted, what is in effect.
fn overruled(step: &Sshd, look: &dyn Look) -> Result<Vec<(String, String, Option<String>)>, StepError> {
    let said = look.ask(&Command::new(PROGRAM, ["-T", "-C", SOMEBODY])).map_err(explained)?.stdout;
    let lines = step.content.lines().map(str::trim);
    let global = lines
        .take_while(|line| !line.to_ascii_lowercase().starts_with("match "))
        .filter(|line| !line.is_empty() && !line.starts_with('#'));
    let mut overruled = Vec::new();
    for line in global {
        let (keyword, wanted) = line.split_once(' ').unwrap_or((line, ""));
        let keyword = keyword.to_ascii_lowercase();
        let found = said.lines().find_map(|line| line.strip_prefix(&format!("{keyword} ")));
        if found != Some(wanted.trim()) {
            overruled.push((keyword, wanted.trim().to_owned(), found.map(str::to_owned)));
        }
    }
    Ok(overruled)
}

fn explained(error: CommandError) -> StepError {
    match error {
        CommandError::Start { source, .. } if source.kind() == io::ErrorKind::NotFound => StepError::NeedsPerson {
            message: format!("there is no `{PROGRAM}` on the host: what lets logins in there is not OpenSSH's sshd"),
            help: "the host that faces the internet needs the package `openssh-server`: install it, then run again".to_owned(),
        },
        CommandError::Exit { stderr, .. } => StepError::Failed {
            message: format!("sshd refuses its configuration: {}", stderr.trim()),
            help: Some("on the host: `sshd -t`; nothing of ours stays in it".to_owned()),
        },
        other => other.into(),
    }
}

fn not_included() -> StepError {
    StepError::NeedsPerson {
        message: format!("sshd on this host reads no settings from `{FOLDER}`: there is no such folder"),
        help: format!(
            "make it (`mkdir {FOLDER}`), put `Include {FOLDER}/*.conf` at the top of `/etc/ssh/sshd_config`, then run again"
        ),
    }
}

fn ineffective(keyword: &str, wanted: &str, found: Option<&str>, path: &str) -> StepError {
    let found = found.unwrap_or("not known");
    StepError::NeedsPerson {
        message: format!(
            "`{path}` says `{keyword} {wanted}`, but for sshd `{keyword}` is {found}: the file was taken back"
        ),
        help: format!(
            "either `/etc/ssh/sshd_config` does not begin with `Include {FOLDER}/*.conf` (put it at the top), or a file that comes before ours sets `{keyword}` (`grep -ri {keyword} /etc/ssh`: take it out); then run again"
        ),
    }
}

fn not_confirmed() -> StepError {
    StepError::Failed {
        message: "with the new settings of sshd, nobody logged in over a new connection in time: they were taken back, and sshd lets in whom it let in before".to_owned(),
        help: Some(
            "name the network that you come from in `edge.firewall.lan`; where you log in with a password, say so in the inventory (`ssh.password`); then run again".to_owned(),
        ),
    }
}
