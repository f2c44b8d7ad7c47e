//! Lengths of time as a person writes them: `30s`, `5m`, `1h 30m`.

use std::time::Duration;

use jiff::SignedDuration;
use serde::de::{Deserialize, Deserializer, Error};

/// The longest that makes sense: a name that is looked after less than once a day is not looked after.
const LONGEST: Duration = Duration::from_hours(24);

/// More than nothing, at most a day.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Interval(Duration);

impl Interval {
    /// Of whole seconds.
    pub const fn seconds(seconds: u64) -> Self {
        Self(Duration::from_secs(seconds))
    }

    /// Its length.
    pub fn length(self) -> Duration {
        self.0
    }
}

impl<'de> Deserialize<'de> for Interval {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        let said = text.parse::<SignedDuration>().ok().and_then(|length| Duration::try_from(length).ok());
        match said {
            Some(length) if !length.is_zero() && length <= LONGEST => Ok(Self(length)),
            Some(_) => Err(D::Error::custom(format!("`{text}` is not between an instant and a day"))),
            None => Err(D::Error::custom(format!(
                "`{}` is no length of time; write `30s`, `5m`, `1h`",
                text.escape_debug()
            ))),
        }
    }
}
