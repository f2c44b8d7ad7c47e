//! Too many requests, on purpose and predictably.

use std::collections::HashSet;
use std::num::NonZeroU32;
use std::sync::{Mutex, PoisonError};

/// Refuses the first request for every so manieth address.
pub(super) struct Throttle {
    every: Option<NonZeroU32>,
    seen: Mutex<HashSet<String>>,
}

impl Throttle {
    pub(super) fn new(every: Option<NonZeroU32>) -> Self {
        Self { every, seen: Mutex::default() }
    }

    /// Whether this request is one too many. Asking again is always let through.
    pub(super) fn refuses(&self, path: &str) -> bool {
        let Some(every) = self.every else {
            return false;
        };
        let mut seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        seen.insert(path.to_owned()) && seen.len().is_multiple_of(every.get() as usize)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_third_address_is_refused_once() {
        let throttle = Throttle::new(NonZeroU32::new(3));
        let refused: Vec<bool> =
            ["a", "b", "a", "c", "c", "d", "e", "f"].iter().map(|path| throttle.refuses(path)).collect();
        assert_eq!(refused, [false, false, false, true, false, false, false, true]);
    }

    #[test]
    fn without_a_number_nothing_is_refused() {
        assert!(!Throttle::new(None).refuses("a"));
    }
}
