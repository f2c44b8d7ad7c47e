//! From when until when a certificate is good.

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};
use time::OffsetDateTime;

use super::PkiError;

/// How far a certificate is dated back: a machine whose clock is behind takes it all the same.
const BACKDATED: SignedDuration = SignedDuration::from_hours(24);

/// From when until when; whole seconds, as certificates tell time.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Validity {
    /// Good from here on: a day before it was made.
    pub since: Timestamp,
    /// Good up to here.
    pub until: Timestamp,
}

impl Validity {
    /// Made now, good until then.
    pub fn until(now: Timestamp, until: Timestamp) -> Self {
        let whole = |time: Timestamp| Timestamp::from_second(time.as_second()).unwrap_or(time);
        Self { since: whole(now.saturating_sub(BACKDATED).unwrap_or(now)), until: whole(until) }
    }

    /// Made now, good for so many days of 24 hours.
    pub fn days(now: Timestamp, days: u32) -> Self {
        let life = SignedDuration::from_hours(24 * i64::from(days));
        Self::until(now, now.saturating_add(life).unwrap_or(Timestamp::MAX))
    }

    /// It is over.
    pub fn is_over(&self, now: Timestamp) -> bool {
        self.until <= now
    }

    /// Less than a third of it is left.
    pub fn is_in_its_last_third(&self, now: Timestamp) -> bool {
        let life = self.until.duration_since(self.since);
        self.until.duration_since(now) < life / 3
    }

    /// As the library takes it.
    pub(super) fn ends(&self) -> Result<(OffsetDateTime, OffsetDateTime), PkiError> {
        let date = |time: Timestamp| {
            OffsetDateTime::from_unix_timestamp(time.as_second()).map_err(|_| PkiError::Time(time))
        };
        Ok((date(self.since)?, date(self.until)?))
    }
}

#[cfg(test)]
mod tests {
    use jiff::{SignedDuration, Timestamp};

    use super::Validity;

    #[test]
    fn the_last_third_begins_where_a_third_is_left_and_the_backdating_counts() {
        let now: Timestamp = "2026-11-21T12:00:00Z".parse().unwrap();
        let validity = Validity::days(now, 299);
        assert_eq!(validity.since, "2026-11-20T12:00:00Z".parse().unwrap());
        let day = |number: i64| now + SignedDuration::from_hours(24 * number);
        assert!(!validity.is_in_its_last_third(day(199)));
        assert!(validity.is_in_its_last_third(day(200)));
        assert!(!validity.is_over(day(298)) && validity.is_over(day(299)));
    }
}
