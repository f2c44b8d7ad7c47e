//! Text that must not be seen: tokens, keys, admin credentials.

use std::fmt;

use serde::{Deserialize, Serialize};
use zeroize::Zeroize;

/// A secret text. Its `Debug` is redacted, its memory is wiped on drop; it is serialised only on the wire between
/// laptop and agent (never into events that are kept, reports or logs: those types hold no `Secret`).
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Secret(String);

impl Secret {
    /// Takes a text over.
    pub fn new(text: impl Into<String>) -> Self {
        Self(text.into())
    }

    /// The text itself; the caller keeps it out of argv, logs and errors.
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl Drop for Secret {
    fn drop(&mut self) {
        self.0.zeroize();
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("Secret(…)")
    }
}

#[cfg(test)]
mod tests {
    #[test]
    fn debug_shows_nothing_of_a_secret() {
        assert_eq!(format!("{:?}", super::Secret::new("abcdef.0123456789abcdef")), "Secret(…)");
    }
}
