//! Whether a host is as it was before us: every baseline value back, nothing left of what the software made.

use garboard_protocol::reset::{Keepsake, Leftover, ResetReport};

use super::kept::Kept;
use super::snapshot::Before;
use super::{owned, restore};
use crate::engine::{Engine, sources};
use crate::steps::StepError;
use crate::store::Snapshot;
use crate::system::Look;

/// Compares the host with `keepsake`, or with what is noted on it. Writes nothing.
pub fn verify(engine: &Engine, keepsake: Option<&Keepsake>) -> Result<ResetReport, StepError> {
    let look = engine.host().system.look();
    let kept = match keepsake {
        Some(keepsake) => {
            serde_json::from_value(keepsake.0.clone()).map_err(|error| StepError::NeedsPerson {
                message: format!("what was kept of this host cannot be read: {error}"),
                help: "use the garboard version that reset it".to_owned(),
            })?
        }
        None => Kept {
            version: 1,
            entries: engine.baseline().entries(),
            before: Snapshot::load(look, &engine.host().layout)
                .map_err(super::unreadable("snapshot"))?
                .map(|taken| taken.0),
            owned: engine.owned(),
        },
    };
    compare(&kept, look)
}

/// What is left, of what `kept` knows.
pub(super) fn compare(kept: &Kept, look: &dyn Look) -> Result<ResetReport, StepError> {
    let mut report = ResetReport::default();
    let Some(before) = kept.before.clone() else {
        report.kept.push(Leftover {
            kind: "host".to_owned(),
            subject: "snapshot".to_owned(),
            detail: "nothing is known of this host from before: it was never changed by garboard".to_owned(),
        });
        return Ok(report);
    };
    let before = Before::of(before, look).map_err(super::unreadable("snapshot"))?;
    for entry in &kept.entries {
        let found = match restore::went_with_package(entry, &kept.entries, look) {
            Ok(true) => Ok(None),
            Ok(false) => restore::leftover(entry, look),
            Err(error) => Err(error),
        };
        match found {
            Ok(found) => report.leftovers.extend(found),
            Err(error) => report.leftovers.push(unseen(&entry.subject(), &error)),
        }
    }
    let now = Before::take(look)?;
    for thing in &kept.owned {
        match owned::leftovers(thing, &before, &now, look) {
            Ok(found) => report.leftovers.extend(found),
            Err(error) => report.leftovers.push(unseen(&owned::subject(thing), &error)),
        }
    }
    report.leftovers.sort();
    report.leftovers.dedup();
    Ok(report)
}

/// What cannot be looked at is not known to be back.
fn unseen(subject: &str, error: &StepError) -> Leftover {
    let causes = sources(error).map(ToString::to_string);
    let texts: Vec<_> = std::iter::once(error.to_string()).chain(causes).collect();
    Leftover { kind: "unknown".to_owned(), subject: subject.to_owned(), detail: texts.join(": ") }
}
