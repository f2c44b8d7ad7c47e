//! `hostname`: live and in `/etc/hostname`.

use std::path::Path;

use garboard_protocol::Observation;
use garboard_protocol::change::{Change, Field};
use garboard_protocol::step::{Hostname, Outputs};

use super::path::failed;
use super::{Context, Entry, Kind, ProbeContext, StepError, file};
use crate::system::Look;

const FILE: &str = "/etc/hostname";
const LIVE: &str = "/proc/sys/kernel/hostname";

impl Kind for Hostname {
    fn probe(&self, context: &ProbeContext<'_>) -> Result<Observation, StepError> {
        let mut changes = Vec::new();
        let live = live(context.look)?;
        if live != self.name {
            changes.push(Change::new("live", Field::Value, Some(live), Some(self.name.clone())));
        }
        let kept = context.look.read_text(Path::new(FILE)).map_err(failed("read", FILE))?;
        // Comments and blank lines are allowed there (hostname(5)).
        let name = kept.as_deref().and_then(|text| {
            text.lines().map(str::trim).find(|line| !line.is_empty() && !line.starts_with('#'))
        });
        if name != Some(self.name.as_str()) {
            changes.push(Change::new(FILE, Field::Value, name.map(str::to_owned), Some(self.name.clone())));
        }
        Ok(Observation::from_changes(changes))
    }

    fn apply(&self, changes: &[Change], context: &Context<'_>) -> Result<Outputs, StepError> {
        if changes.iter().any(|change| change.subject == FILE) {
            file::write(FILE, &format!("{}\n", self.name), 0o644, &[], context)?;
        }
        let before = live(context.system.look())?;
        if before != self.name {
            context.baseline.note(Entry::Hostname { before })?;
            context.system.set_hostname(&self.name).map_err(failed("set the live host name in", LIVE))?;
        }
        Ok(Outputs::new())
    }
}

fn live(look: &dyn Look) -> Result<String, StepError> {
    let text = look.read_text(Path::new(LIVE)).map_err(failed("read", LIVE))?;
    Ok(text.unwrap_or_default().trim().to_owned())
}
