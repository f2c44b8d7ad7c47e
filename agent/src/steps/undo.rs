//! How a change is taken back that nobody confirms: a timer of systemd that runs a command, whatever becomes of this process.

use std::path::Path;
use std::time::Duration;

use super::StepError;
use super::path::failed;
use crate::system::{Command, System};

/// Where it lies what takes a change back, or what is tried; gone with a boot, as the change is.
const FOLDER: &str = "/run/garboard-guard";
/// When systemd takes a change back that nobody confirmed; somewhat later than this process would.
const AFTER: Duration = Duration::from_secs(55);

/// The timer of one change.
pub(super) struct Undo {
    unit: String,
    path: String,
}

impl Undo {
    /// For a change of this name, which is a word. Nothing is armed yet.
    pub(super) fn of(name: &str, ending: &str) -> Self {
        Self { unit: format!("garboard-guard-{name}"), path: format!("{FOLDER}/{name}.{ending}") }
    }

    /// A file of its own, below `/run`.
    pub(super) fn path(&self) -> &str {
        &self.path
    }

    /// Writes that file.
    pub(super) fn write(&self, text: &str, mode: u32, system: &dyn System) -> Result<(), StepError> {
        if system.metadata(Path::new(FOLDER)).map_err(failed("read", FOLDER))?.is_none() {
            system.create_directory(Path::new(FOLDER), 0o700).map_err(failed("make", FOLDER))?;
        }
        let written = system.write(Path::new(&self.path), text.as_bytes(), mode);
        written.map_err(failed("write", &self.path))
    }

    /// From now on `command` takes the change back, and `then` follows it, unless somebody stops it. An earlier timer of the
    /// same change is stopped.
    pub(super) fn arm(
        &self,
        description: &str,
        command: &[&str],
        then: Option<&str>,
        system: &dyn System,
    ) -> Result<(), StepError> {
        self.stop(system)?;
        let mut arguments = vec![
            "--quiet".to_owned(),
            "--collect".to_owned(),
            format!("--unit={}", self.unit),
            format!("--description={description}"),
            format!("--on-active={}s", AFTER.as_secs()),
            "--timer-property=AccuracySec=1s".to_owned(),
        ];
        arguments.extend(then.map(|then| format!("--property=ExecStartPost={then}")));
        arguments.push("--".to_owned());
        arguments.extend(command.iter().map(|word| (*word).to_owned()));
        system.run(&Command::new("systemd-run", arguments))?;
        Ok(())
    }

    /// The change stays, or is taken back already.
    pub(super) fn disarm(&self, system: &dyn System) -> Result<(), StepError> {
        self.stop(system)?;
        if system.metadata(Path::new(&self.path)).map_err(failed("read", &self.path))?.is_some() {
            system.remove_file(Path::new(&self.path)).map_err(failed("remove", &self.path))?;
        }
        if system.list(Path::new(FOLDER)).map_err(failed("read", FOLDER))?.is_empty() {
            system.remove_directory(Path::new(FOLDER)).map_err(failed("remove", FOLDER))?;
        }
        Ok(())
    }

    /// Exit code 5: there is no such timer.
    fn stop(&self, system: &dyn System) -> Result<(), StepError> {
        let timer = format!("{}.timer", self.unit);
        system.run(&Command::new("systemctl", ["stop", "--", &timer]).expect(&[0, 5]))?;
        Ok(())
    }
}
