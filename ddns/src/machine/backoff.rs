//! How long nothing is sent after a failure.

use std::time::Duration;

/// The longest term that is our own choice.
pub const CAP: Duration = Duration::from_hours(1);
/// The longest a provider's own term is honoured: a broken `Retry-After` must not silence a name for years.
pub const LONGEST_TERM: Duration = Duration::from_hours(24);

/// What a term is made of.
#[derive(Debug, Clone, Copy)]
pub struct Terms {
    /// The first; it doubles with each failure.
    pub base: Duration,
    /// Chance, from 0 up to 1.
    pub chance: f64,
}

impl Terms {
    /// The term after the `failures`th failure in a row (1 is the first): base·2^(n-1), at most [`CAP`], and by full jitter
    /// anything up to that, so that many clients do not come back at once; never less than what the provider asked for.
    pub(super) fn after(self, failures: u32, asked: Option<Duration>) -> Duration {
        let doublings = failures.saturating_sub(1).min(20);
        let ceiling = self.base.saturating_mul(1 << doublings).min(CAP);
        let own = ceiling.mul_f64(self.chance.clamp(0.0, 1.0));
        own.max(asked.unwrap_or_default().min(LONGEST_TERM))
    }
}
