//! `reboot`: where something pends that only a boot brings about. What it was for is on the disk before it is ordered; whether it
//! came about is seen by the executor of the next boot.

use std::path::Path;
use std::time::Duration;

use garboard_protocol::Observation;
use garboard_protocol::change::{Change, Field};
use garboard_protocol::step::{Outputs, Pending, Reboot};

use super::path::failed;
use super::{Context, Kind, ProbeContext, StepError};
use crate::boot::{Line, Loader, Ordered, REBOOT_REQUIRED, boot_id, has_word, running_line};
use crate::system::{Command, Look};

impl Kind for Reboot {
    fn probe(&self, context: &ProbeContext<'_>) -> Result<Observation, StepError> {
        let mut changes = Vec::new();
        for pending in &self.pending {
            let subject = match pending {
                Pending::KernelParameter(parameter) if waits(parameter, context.look)? => parameter.clone(),
                Pending::Required if is_required(context.look)? => REBOOT_REQUIRED.to_owned(),
                _ => continue,
            };
            let (before, after) = (Some("pending".to_owned()), Some("effective".to_owned()));
            changes.push(Change::new(subject, Field::Boot, before, after));
        }
        Ok(Observation::from_changes(changes))
    }

    fn apply(&self, changes: &[Change], context: &Context<'_>) -> Result<Outputs, StepError> {
        let parameters = changes
            .iter()
            .filter(|change| change.subject != REBOOT_REQUIRED)
            .map(|change| change.subject.clone())
            .collect();
        let ordered = Ordered { boot_id: boot_id(context.system.look()), parameters };
        ordered.save(context.system).map_err(failed("write", "/var/lib/garboard/reboot.json"))?;
        // It comes back as soon as the order is taken: the host goes down some time later.
        let order = Command::new("systemctl", ["reboot"]).timeout(Duration::from_mins(1));
        match context.system.run(&order) {
            // Who would have said that it is taken may be stopped first.
            Err(error) if !goes_down(context.system.look()) => Err(StepError::Failed {
                message: format!("the host does not take the order to reboot: {error}"),
                help: Some(
                    "see `systemctl list-jobs` and `systemd-inhibit --list` on the host; reboot it yourself and run again"
                        .to_owned(),
                ),
            }),
            _ => Ok(Outputs::new()),
        }
    }
}

/// Whether the host is stopping its units, for which `is-system-running` has a word and no exit code of its own.
fn goes_down(look: &dyn Look) -> bool {
    let state = look.ask(&Command::new("systemctl", ["is-system-running"]).expect(&[0, 1]));
    state.is_ok_and(|state| state.stdout.trim() == "stopping")
}

/// Whether a file of the loader has the parameter, and the running kernel does not.
fn waits(parameter: &str, look: &dyn Look) -> Result<bool, StepError> {
    if has_word(&running_line(look), parameter) {
        return Ok(false);
    }
    let Loader::Firmware { files, unmounted: None } =
        Loader::find(look).map_err(failed("look at", "/boot"))?
    else {
        return Ok(false);
    };
    for file in files {
        let content = look.read(Path::new(file)).map_err(failed("read", file))?;
        if Line::parse(&content).is_ok_and(|line| line.has(parameter)) {
            return Ok(true);
        }
    }
    Ok(false)
}

fn is_required(look: &dyn Look) -> Result<bool, StepError> {
    Ok(look.metadata(Path::new(REBOOT_REQUIRED)).map_err(failed("read", REBOOT_REQUIRED))?.is_some())
}
