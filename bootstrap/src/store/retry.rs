//! When a failed request is made again, and when.

use std::time::Duration;

use jiff::Timestamp;
use jiff::fmt::rfc2822;

use super::error::StoreError;

/// How patient the store is.
#[derive(Debug, Clone, Copy)]
pub struct Patience {
    /// Attempts in a row without a single byte of progress.
    pub attempts: u32,
    /// Pause after the first failure; doubled after each further one.
    pub first_pause: Duration,
    /// Longest pause of our own choice.
    pub longest_pause: Duration,
    /// Longest pause a server may ask for.
    pub longest_asked: Duration,
}

impl Default for Patience {
    fn default() -> Self {
        Self {
            attempts: 6,
            first_pause: Duration::from_millis(300),
            longest_pause: Duration::from_secs(10),
            longest_asked: Duration::from_mins(2),
        }
    }
}

/// A failed attempt.
#[derive(Debug)]
pub(super) enum Failure {
    /// Another attempt may do better, not before the given pause (which the server asked for).
    Again(StoreError, Option<Duration>),
    /// It would only fail again.
    Final(StoreError),
}

impl From<StoreError> for Failure {
    fn from(error: StoreError) -> Self {
        Self::Final(error)
    }
}

/// Counts the attempts of one piece of work.
pub(super) struct Attempts {
    patience: Patience,
    failed: u32,
}

impl Attempts {
    pub(super) fn new(patience: Patience) -> Self {
        Self { patience, failed: 0 }
    }

    /// Bytes came: what failed before counts no longer.
    pub(super) fn progressed(&mut self) {
        self.failed = 0;
    }

    /// The pause before the next attempt, or the error to end with.
    pub(super) fn after(
        &mut self,
        failure: Failure,
        url: &str,
    ) -> Result<(Duration, StoreError), StoreError> {
        let (error, asked) = match failure {
            Failure::Final(error) => return Err(error),
            Failure::Again(error, asked) => (error, asked),
        };
        self.failed += 1;
        if let Some(asked) = asked.filter(|asked| *asked > self.patience.longest_asked) {
            return Err(StoreError::ComeBack { url: url.to_owned(), seconds: asked.as_secs() });
        }
        if self.failed >= self.patience.attempts {
            return Err(StoreError::GaveUp {
                url: url.to_owned(),
                attempts: self.failed,
                cause: Box::new(error),
            });
        }
        let own = self.patience.first_pause.saturating_mul(1 << (self.failed - 1).min(16));
        Ok((asked.unwrap_or_else(|| own.min(self.patience.longest_pause)), error))
    }
}

/// Waits out a pause that a server asked for, or that keeps us from hammering it: there is no event to wait for instead.
pub(super) async fn pause(length: Duration) {
    tokio::time::sleep_until(tokio::time::Instant::now() + length).await;
}

/// Reads `Retry-After`: seconds, or an HTTP date (RFC 9110 §10.2.3).
pub(super) fn retry_after(value: &str, now: Timestamp) -> Option<Duration> {
    let value = value.trim();
    if let Ok(seconds) = value.parse::<u64>() {
        return Some(Duration::from_secs(seconds));
    }
    let date = rfc2822::parse(value).ok()?.timestamp();
    Some(Duration::try_from(date.duration_since(now)).unwrap_or(Duration::ZERO))
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::{Attempts, Failure, Patience, retry_after};
    use crate::store::error::StoreError;

    fn again(asked: Option<Duration>) -> Failure {
        let error = StoreError::Status { url: "u".into(), status: "429".into(), detail: None };
        Failure::Again(error, asked)
    }

    #[test]
    fn retry_after_is_read_as_seconds_and_as_a_date() {
        let now = "2026-11-21T09:00:00Z".parse().unwrap();
        assert_eq!(retry_after("7", now), Some(Duration::from_secs(7)));
        assert_eq!(retry_after("Sat, 21 Nov 2026 09:00:30 GMT", now), Some(Duration::from_secs(30)));
        assert_eq!(retry_after("Sat, 21 Nov 2026 08:00:00 GMT", now), Some(Duration::ZERO));
        assert_eq!(retry_after("soon", now), None);
    }

    #[test]
    fn pauses_grow_and_attempts_end_unless_bytes_came() {
        let patience = Patience { attempts: 3, ..Patience::default() };
        let mut attempts = Attempts::new(patience);
        let first = attempts.after(again(None), "u").unwrap().0;
        let second = attempts.after(again(None), "u").unwrap().0;
        assert_eq!(second, first * 2);
        attempts.progressed();
        assert_eq!(attempts.after(again(None), "u").unwrap().0, first);
        attempts.after(again(None), "u").unwrap();
        assert!(matches!(attempts.after(again(None), "u"), Err(StoreError::GaveUp { attempts: 3, .. })));
    }

    #[test]
    fn a_server_that_wants_hours_is_not_waited_for() {
        let mut attempts = Attempts::new(Patience::default());
        let asked = Some(Duration::from_hours(1));
        assert!(matches!(attempts.after(again(asked), "u"), Err(StoreError::ComeBack { seconds: 3600, .. })));
    }
}
