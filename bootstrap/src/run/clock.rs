//! A host's clock beside this machine's.

use std::time::{SystemTime, UNIX_EPOCH};

use garboard_protocol::Facts;
use garboard_protocol::step::ClockReference;

/// Both clocks at one moment: that at which the host's facts were here. The host reads its clock last of all, and the answer is under
/// way for a moment only: what is left is the difference of the clocks.
#[derive(Debug, Clone)]
pub(crate) struct ClockReading {
    /// How far the host's clock is ahead of this machine's, in milliseconds.
    pub(crate) ahead_milliseconds: i64,
    /// What the time is there by this machine's clock.
    pub(crate) reference: ClockReference,
}

impl ClockReading {
    /// Of facts that have just come.
    pub(crate) fn of(facts: &Facts) -> Self {
        let now = now_milliseconds();
        Self {
            ahead_milliseconds: facts.clock_milliseconds.cast_signed() - now.cast_signed(),
            reference: ClockReference {
                boot_id: facts.boot_id.clone(),
                boot_milliseconds: facts.clock.boot_milliseconds,
                time_milliseconds: now,
            },
        }
    }
}

fn now_milliseconds() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since.as_millis()).unwrap_or(u64::MAX)
}
