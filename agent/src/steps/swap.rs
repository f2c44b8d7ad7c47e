//! `swap`: off now and after a reboot. What makes swap (see `facts::swap`) is switched off where it stands: services are
//! disabled, lines of `/etc/fstab` commented out, units that generators make masked. All of it comes back with reset.
//!
//! rpi-swap's own `Mechanism=none` would delete the swap file at the next boot; its units masked, it does not come to that.

use std::path::Path;
use std::time::Duration;

use garboard_protocol::Observation;
use garboard_protocol::change::{Change, Field};
use garboard_protocol::step::{Outputs, Swap};

use super::path::failed;
use super::unit::{self, State};
use super::{Context, Entry, Kind, ProbeContext, StepError};
use crate::facts::swap::{FSTAB, Source, has_ending, is_masked, is_swap, sources, unit_name};
use crate::system::{Command, Look};

/// Put before a line of `/etc/fstab` that we switched off; reset takes it away again.
pub(crate) const COMMENT: &str = "# garboard: ";
/// Longest the pages of one swap may take to come back into memory.
const SWAPOFF: Duration = Duration::from_mins(10);

impl Kind for Swap {
    fn probe(&self, context: &ProbeContext<'_>) -> Result<Observation, StepError> {
        Ok(Observation::from_changes(found(context.look)?.into_iter().map(change).collect()))
    }

    fn apply(&self, _changes: &[Change], context: &Context<'_>) -> Result<Outputs, StepError> {
        for source in found(context.system.look())? {
            match source {
                Source::Enabled { unit, .. } => disable(&unit, context)?,
                Source::Generated { unit, .. } => {
                    if !has_ending(&unit, "swap") {
                        stop(&unit, context)?;
                    }
                    mask(&unit, context)?;
                }
                Source::Active { .. } | Source::Fstab(_) => {}
            }
        }
        comment_fstab(context)?;
        // What a service or a unit has turned off already is no longer among them.
        for source in found(context.system.look())? {
            let Source::Active { path, .. } = source else { continue };
            let unit = unit_name(&path);
            // Masked, so that nothing turns it on at the next boot.
            mask(&unit, context)?;
            context.baseline.note(Entry::Swap { path: path.clone(), unit: Some(unit) })?;
            (context.progress)(&format!("swapoff {path}"));
            context.system.run(&Command::new("swapoff", [path.as_str()]).timeout(SWAPOFF))?;
        }
        context.system.run(&Command::new("systemctl", ["daemon-reload"]))?;
        Ok(Outputs::new())
    }
}

/// All that makes swap on this host.
fn found(look: &dyn Look) -> Result<Vec<Source>, StepError> {
    // In a container `/proc/swaps` shows the machine's swap, which is not this host's to switch off.
    if shared_kernel(look)? {
        return Ok(Vec::new());
    }
    // What cannot be read is no swap for the facts; here it must be known.
    for path in ["/proc/swaps", FSTAB] {
        look.read_text(Path::new(path)).map_err(failed("read", path))?;
    }
    Ok(sources(look))
}

fn change(source: Source) -> Change {
    let word = |text: &str| Some(text.to_owned());
    match source {
        Source::Active { path, maker } => {
            Change::new(path, Field::Swap, Some(format!("on ({maker})")), word("off"))
        }
        Source::Fstab(line) => {
            let after = format!("{COMMENT}{line}");
            Change::new(FSTAB, Field::Value, Some(line), Some(after))
        }
        Source::Enabled { unit, .. } => Change::new(unit, Field::Enabled, word("enabled"), word("disabled")),
        Source::Generated { unit, maker } => {
            Change::new(unit, Field::Enabled, Some(format!("at the next boot ({maker})")), word("masked"))
        }
    }
}

fn disable(unit: &str, context: &Context<'_>) -> Result<(), StepError> {
    let State { enabled, active, .. } = unit::state(unit, context.system.look())?;
    context.baseline.note(Entry::Unit {
        name: unit.to_owned(),
        enabled,
        active: active == "active",
        configured: false,
    })?;
    context.system.run(&Command::new("systemctl", ["disable", "--now", "--", unit]).timeout(SWAPOFF))?;
    Ok(())
}

fn stop(unit: &str, context: &Context<'_>) -> Result<(), StepError> {
    let state = unit::state(unit, context.system.look())?;
    if unit::is_running(&state) {
        context.baseline.note(Entry::Unit {
            name: unit.to_owned(),
            enabled: state.enabled,
            active: true,
            configured: false,
        })?;
        context.system.run(&Command::new("systemctl", ["stop", "--", unit]))?;
    }
    Ok(())
}

fn mask(unit: &str, context: &Context<'_>) -> Result<(), StepError> {
    let path = format!("/etc/systemd/system/{unit}");
    let found = context.system.metadata(Path::new(&path)).map_err(failed("read", &path))?;
    if found.is_some() || is_masked(unit, context.system.look()) {
        return Ok(());
    }
    context.note_path(&path)?;
    context.system.symlink(Path::new("/dev/null"), Path::new(&path)).map_err(failed("mask", &path))
}

fn comment_fstab(context: &Context<'_>) -> Result<(), StepError> {
    let path = Path::new(FSTAB);
    let Some(metadata) = context.system.metadata(path).map_err(failed("read", FSTAB))? else {
        return Ok(());
    };
    let text = context.system.read(path).map_err(failed("read", FSTAB))?;
    let text = String::from_utf8(text).map_err(|_| StepError::NeedsPerson {
        message: "`/etc/fstab` is not UTF-8 text".to_owned(),
        help: "comment its swap lines out by hand, and run again".to_owned(),
    })?;
    let lines: Vec<&str> = text.lines().filter(|line| is_swap(line)).collect();
    if lines.is_empty() {
        return Ok(());
    }
    for line in &lines {
        context.baseline.note(Entry::Line { path: FSTAB.to_owned(), line: format!("{COMMENT}{line}") })?;
    }
    let commented: String = text
        .split_inclusive('\n')
        .map(|line| if is_swap(line) { format!("{COMMENT}{line}") } else { line.to_owned() })
        .collect();
    let mode = metadata.mode & 0o7777;
    context.system.write(path, commented.as_bytes(), mode).map_err(failed("write", FSTAB))
}

/// Whether this is a container: its kernel, with all that is not namespaced, is shared with others.
pub(crate) fn shared_kernel(look: &dyn Look) -> Result<bool, StepError> {
    for path in ["/run/systemd/container", "/run/.containerenv", "/.dockerenv"] {
        if look.metadata(Path::new(path)).map_err(failed("read", path))?.is_some() {
            return Ok(true);
        }
    }
    Ok(false)
}
