//! `clock`: right, before any certificate is made, and kept so by the host's own time service. A host whose clock follows a
//! source is believed. Else the client's time counts, told by a moment on the host's count since its boot: what passes
//! between plan and apply, and whoever sets the clock meanwhile, changes nothing in it.

use garboard_protocol::Observation;
use garboard_protocol::change::{Change, Field};
use garboard_protocol::step::{Clock, ClockReference, Outputs};

use super::path::failed;
use super::swap::shared_kernel;
use super::{Context, Entry, Kind, ProbeContext, StepError, unit};
use crate::facts;
use crate::system::{Command, Look};

const SUBJECT: &str = "clock";
/// The time service that comes with systemd; the one of those that are installed which we turn on.
const TIMESYNCD: &str = "systemd-timesyncd.service";
const BOOT_ID: &str = "/proc/sys/kernel/random/boot_id";
const HARDWARE: &str = "/sys/class/rtc";

impl Kind for Clock {
    fn probe(&self, context: &ProbeContext<'_>) -> Result<Observation, StepError> {
        let look = context.look;
        // A container's clock is the machine's.
        if shared_kernel(look)? {
            return Ok(Observation::converged());
        }
        let mut changes = Vec::new();
        if let Some(wanted) = wanted(self, look)? {
            let off = wanted - look.now();
            if off.unsigned_abs() > u128::from(self.tolerance_milliseconds) * 1_000_000 {
                let direction = if off > 0 { "behind" } else { "ahead" };
                let before = format!("{} {direction}", words(off.unsigned_abs()));
                changes.push(Change::new(SUBJECT, Field::Value, Some(before), Some("right".to_owned())));
            }
        }
        if is_to_be_turned_on(look)? {
            let word = |text: &str| Some(text.to_owned());
            changes.push(Change::new(TIMESYNCD, Field::Enabled, word("disabled"), word("enabled")));
        }
        Ok(Observation::from_changes(changes))
    }

    fn apply(&self, changes: &[Change], context: &Context<'_>) -> Result<Outputs, StepError> {
        if changes.iter().any(|change| change.subject == SUBJECT) {
            set(self, context)?;
        }
        if is_to_be_turned_on(context.system.look())? {
            let before = unit::state(TIMESYNCD, context.system.look())?;
            context.baseline.note(Entry::Unit {
                name: TIMESYNCD.to_owned(),
                enabled: before.enabled.clone(),
                active: unit::is_running(&before),
                configured: false,
            })?;
            context.system.run(&Command::new("systemctl", ["enable", "--now", "--", TIMESYNCD]))?;
        }
        Ok(Outputs::new())
    }
}

/// What the time is by the client's clock, nanoseconds since 1970; `None` where the host knows better, or nobody does.
fn wanted(clock: &Clock, look: &dyn Look) -> Result<Option<i128>, StepError> {
    let Some(reference) = &clock.reference else { return Ok(None) };
    let boot_id = look.read_text(BOOT_ID.as_ref()).map_err(failed("read", BOOT_ID))?.unwrap_or_default();
    if boot_id.trim() != reference.boot_id || facts::is_synchronised(look) {
        return Ok(None);
    }
    let kernel = look.kernel_clock().map_err(failed("read the clock of", SUBJECT))?;
    let ClockReference { boot_milliseconds, time_milliseconds, .. } = *reference;
    let moment = i128::from(time_milliseconds) - i128::from(boot_milliseconds);
    Ok(Some(moment * 1_000_000 + i128::try_from(kernel.since_boot.as_nanos()).unwrap_or(i128::MAX)))
}

/// Sets the host's clock, and the one that runs while the machine is off: a reboot would bring the wrong time back.
fn set(clock: &Clock, context: &Context<'_>) -> Result<(), StepError> {
    let look = context.system.look();
    let Some(wanted) = wanted(clock, look)? else { return Ok(()) };
    context.system.set_clock(wanted).map_err(|error| StepError::Failed {
        message: format!("the clock cannot be set: {error}"),
        help: Some("set it on the host: `date --set=…`, or turn on its time service".to_owned()),
    })?;
    if look.list(HARDWARE.as_ref()).is_ok_and(|clocks| !clocks.is_empty())
        && let Err(error) = context.system.set_hardware_clock(wanted)
    {
        (context.progress)(&format!(
            "the clock that runs while the machine is off could not be set: {error}; until a time service answers, \
                 the time is wrong again after a reboot"
        ));
    }
    Ok(())
}

/// No time service runs, and the one that comes with systemd is there and was not masked by somebody.
fn is_to_be_turned_on(look: &dyn Look) -> Result<bool, StepError> {
    if !facts::is_installed(look, TIMESYNCD)
        || facts::TIME_SERVICES.iter().any(|unit| facts::is_active(look, unit))
    {
        return Ok(false);
    }
    Ok(unit::state(TIMESYNCD, look)?.enabled == "disabled")
}

/// A length of time in words, to two units.
fn words(nanoseconds: u128) -> String {
    let seconds = u64::try_from(nanoseconds / 1_000_000_000).unwrap_or(u64::MAX);
    let (days, hours, minutes) = (seconds / 86_400, seconds / 3600 % 24, seconds / 60 % 60);
    match (days, hours, minutes) {
        (0, 0, 0) => format!("{seconds} s"),
        (0, 0, _) => format!("{minutes} min {} s", seconds % 60),
        (0, _, _) => format!("{hours} h {minutes} min"),
        _ => format!("{days} d {hours} h"),
    }
}
