//! `unit`: a systemd unit; its file when it is ours, enabled, running, restarted when what it read has changed since.

use std::path::Path;
use std::time::Duration;

use garboard_protocol::Observation;
use garboard_protocol::change::{Change, Field};
use garboard_protocol::step::{Outputs, Unit};

use super::path::failed;
use super::{Context, Entry, Evidence, Kind, ProbeContext, StepError, file};
use crate::system::{Command, CommandError, Look};

/// Longest a unit may take to start or stop: systemd's own limit is 90 s.
const JOB: Duration = Duration::from_mins(2);

/// What systemd says of a unit.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct State {
    /// `UnitFileState`: `enabled`, `disabled`, `masked`, `static`…; empty when there is no such file.
    pub(crate) enabled: String,
    /// `ActiveState`: `active`, `inactive`, `failed`, `activating`…
    pub(crate) active: String,
    /// Files of the unit changed since systemd read them.
    pub(crate) needs_reload: bool,
    /// When its main process started, nanoseconds since 1970.
    pub(crate) started: Option<i128>,
}

/// Asks systemd for the state of one unit. The command is the same for every caller, so that a pass asks once.
pub(crate) fn state(name: &str, look: &dyn Look) -> Result<State, StepError> {
    let properties =
        "--property=UnitFileState,ActiveState,NeedDaemonReload,ExecMainStartTimestamp,ActiveEnterTimestamp";
    let command = Command::new("systemctl", ["show", "--timestamp=us+utc", properties, "--", name]);
    Ok(parse(&look.ask(&command)?.stdout))
}

fn parse(text: &str) -> State {
    let value = |key: &str| {
        text.lines()
            .find_map(|line| line.strip_prefix(key).and_then(|rest| rest.strip_prefix('=')))
            .unwrap_or_default()
            .trim()
    };
    State {
        enabled: value("UnitFileState").to_owned(),
        active: value("ActiveState").to_owned(),
        needs_reload: value("NeedDaemonReload") == "yes",
        started: timestamp(value("ExecMainStartTimestamp"))
            .or_else(|| timestamp(value("ActiveEnterTimestamp"))),
    }
}

/// `Sat 2026-11-21 09:36:00.123456 UTC` as nanoseconds since 1970.
fn timestamp(text: &str) -> Option<i128> {
    let mut words = text.split(' ').skip(1);
    let (date, time) = (words.next()?, words.next()?);
    let mut date = date.split('-').map(str::parse::<i64>);
    let (year, month, day) = (date.next()?.ok()?, date.next()?.ok()?, date.next()?.ok()?);
    let (time, fraction) = time.split_once('.').unwrap_or((time, "0"));
    let mut time = time.split(':').map(str::parse::<i64>);
    let (hour, minute, second) = (time.next()?.ok()?, time.next()?.ok()?, time.next()?.ok()?);
    let nanoseconds: i64 = format!("{fraction:0<9}").get(..9)?.parse().ok()?;
    // Days of the proleptic Gregorian calendar, counted in years that begin in March.
    let (year, month) = if month > 2 { (year, month - 3) } else { (year - 1, month + 9) };
    let days = 365 * year + year.div_euclid(4) - year.div_euclid(100)
        + year.div_euclid(400)
        + (153 * month + 2) / 5
        + day
        - 719_469;
    let seconds = days * 86_400 + hour * 3600 + minute * 60 + second;
    Some(i128::from(seconds) * 1_000_000_000 + i128::from(nanoseconds))
}

impl Kind for Unit {
    fn probe(&self, context: &ProbeContext<'_>) -> Result<Observation, StepError> {
        let look = context.look;
        let mut changes = Vec::new();
        if let Some(content) = &self.content {
            changes.extend(file::changes(&path_of(&self.name), content, 0o644, false, look)?);
        }
        let state = state(&self.name, look)?;
        if is_enabled(&state) != self.enabled {
            let after = if self.enabled { "enabled" } else { "disabled" };
            let before = (!state.enabled.is_empty()).then(|| state.enabled.clone());
            changes.push(Change::new(&self.name, Field::Enabled, before, Some(after.to_owned())));
        }
        let running = is_running(&state);
        if let Some(wanted) = self.active
            && wanted != running
        {
            let after = if wanted { "active" } else { "inactive" };
            changes.push(Change::new(
                &self.name,
                Field::Active,
                Some(state.active.clone()),
                Some(after.to_owned()),
            ));
        }
        if running
            && self.active != Some(false)
            && let Some(because) = outdated(self, &state, &changes, look)?
        {
            changes.push(Change::new(
                &self.name,
                Field::Restart,
                Some(because),
                Some("restarted".to_owned()),
            ));
        }
        Ok(Observation::from_changes(changes))
    }

    fn apply(&self, changes: &[Change], context: &Context<'_>) -> Result<Outputs, StepError> {
        let before = state(&self.name, context.system.look())?;
        let path = path_of(&self.name);
        let of_file: Vec<_> = changes.iter().filter(|change| change.subject == path).cloned().collect();
        // The file's entry first: restore goes backwards, and disables a unit before its file goes away. Both before the
        // file is written: after a crash in between, systemd would name a state that was not there before.
        if self.content.is_some() {
            context.note_path(&path)?;
        }
        context.baseline.note(Entry::Unit {
            name: self.name.clone(),
            enabled: before.enabled.clone(),
            active: is_running(&before),
            configured: !self.restart_on.is_empty(),
        })?;
        if let Some(content) = &self.content
            && !of_file.is_empty()
        {
            file::write(&path, content, 0o644, &of_file, context)?;
        }
        let differs = |field| changes.iter().any(|change| change.field == field);
        if differs(Field::Enabled) {
            // Without its own reload of systemd: one takes as long as all else of this step, and serves both.
            systemctl(
                &[if self.enabled { "enable" } else { "disable" }, "--no-reload", "--", &self.name],
                context,
            )?;
        }
        // From systemd 254 on, one that has not been told of an enabled unit says of every unit that it has to be read anew.
        if !of_file.is_empty() || before.needs_reload || differs(Field::Enabled) {
            systemctl(&["daemon-reload"], context)?;
        }
        if differs(Field::Restart) {
            job(self, "restart", context)?;
        } else if differs(Field::Active) {
            job(self, if self.active == Some(true) { "start" } else { "stop" }, context)?;
        }
        Ok(Outputs::new())
    }
}

/// Why a running unit runs with an older configuration than the one on disk.
fn outdated(
    unit: &Unit,
    state: &State,
    changes: &[Change],
    look: &dyn Look,
) -> Result<Option<String>, StepError> {
    let path = path_of(&unit.name);
    if changes.iter().any(|change| change.subject == path && change.field == Field::Content) {
        return Ok(Some("running with an older unit file".to_owned()));
    }
    if state.needs_reload {
        return Ok(Some("systemd has not read the changed unit file yet".to_owned()));
    }
    // systemd tells microseconds, files nanoseconds.
    let Some(started) = state.started else { return Ok(None) };
    let own = unit.content.is_some().then_some(&path);
    for file in unit.restart_on.iter().chain(own) {
        let found = look.metadata(Path::new(file)).map_err(failed("read", file))?;
        if found.is_some_and(|found| found.changed.div_euclid(1000) * 1000 > started) {
            return Ok(Some(format!("`{file}` changed after it was started")));
        }
    }
    Ok(None)
}

/// Starts, stops or restarts, and waits for the unit's own readiness; a failure shows the end of its log.
fn job(unit: &Unit, verb: &str, context: &Context<'_>) -> Result<(), StepError> {
    // A unit that failed too often would be refused.
    if verb != "stop" {
        systemctl(&["reset-failed", "--", &unit.name], context).or_else(ignore_exit)?;
    }
    (context.progress)(&format!("systemctl {verb} {}", unit.name));
    match context.system.run(&Command::new("systemctl", [verb, "--", &unit.name]).timeout(JOB)) {
        Ok(_) => Ok(()),
        Err(error @ CommandError::Start { .. }) => Err(error.into()),
        Err(error) => Err(StepError::Explained {
            message: format!("`systemctl {verb} {}` failed", unit.name),
            help: Some(format!("on the host: `systemctl status {0}`, `journalctl -u {0}`", unit.name)),
            evidence: Evidence::of([
                format!("the end of its log:\n{}", last_log_lines(&unit.name, context.system.look())),
                error.to_string(),
            ]),
        }),
    }
}

/// The end of a unit's log, for messages.
pub(crate) fn last_log_lines(name: &str, look: &dyn Look) -> String {
    let arguments = ["--unit", name, "--lines=20", "--no-pager", "--output=cat", "--quiet", "--boot"];
    match look.ask(&Command::new("journalctl", arguments)) {
        Ok(output) => output.stdout.trim_end().to_owned(),
        Err(error) => format!("(no log: {error})"),
    }
}

fn systemctl(arguments: &[&str], context: &Context<'_>) -> Result<(), StepError> {
    context.system.run(&Command::new("systemctl", arguments.iter().copied()).timeout(JOB))?;
    Ok(())
}

fn ignore_exit(error: StepError) -> Result<(), StepError> {
    match error {
        StepError::Command(CommandError::Exit { .. }) => Ok(()),
        other => Err(other),
    }
}

pub(super) fn path_of(name: &str) -> String {
    format!("/etc/systemd/system/{name}")
}

/// Units that cannot be enabled (`static`, `generated`…) start as others want them.
fn is_enabled(state: &State) -> bool {
    matches!(
        state.enabled.as_str(),
        "enabled" | "enabled-runtime" | "static" | "alias" | "indirect" | "generated"
    )
}

pub(crate) fn is_running(state: &State) -> bool {
    matches!(state.active.as_str(), "active" | "reloading" | "refreshing")
}

#[cfg(test)]
mod tests {
    use super::{parse, timestamp};

    #[test]
    fn timestamps_of_systemd_are_read_to_the_microsecond() {
        // `date --utc --date='2026-11-21 09:36:00' +%s` = 1795253760.
        assert_eq!(timestamp("Sat 2026-11-21 09:36:00.123456 UTC"), Some(1_795_253_760_123_456_000));
        assert_eq!(timestamp("Thu 1970-01-01 00:00:00 UTC"), Some(0));
        assert_eq!(timestamp(""), None);
        assert_eq!(timestamp("n/a"), None);
    }

    #[test]
    fn a_unit_that_never_ran_has_no_start() {
        let state =
            parse("UnitFileState=\nActiveState=inactive\nNeedDaemonReload=no\nExecMainStartTimestamp=\n");
        assert_eq!((state.started, state.enabled.as_str(), state.needs_reload), (None, "", false));
    }
}
