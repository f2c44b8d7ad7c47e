//! Confirmation of a change that may have cut the host off: who confirms has logged in after it.
//!
//! A step waits here, on the thread that works, for a client of the executor's loop. A client that was there before the change
//! proves nothing: its connection is one that a packet filter knows as established.

use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use garboard_protocol::StepId;

/// How long a change waits for its confirmation: a login on a slow host takes some seconds, and a user who is locked out should not
/// be so for long.
pub const PATIENCE: Duration = Duration::from_secs(45);

/// At most one change waits at a time.
#[derive(Debug)]
pub struct Guard {
    state: Mutex<State>,
    changed: Condvar,
    patience: Duration,
}

#[derive(Debug, Default)]
struct State {
    /// The last client that came; clients are counted from 1.
    newest: u64,
    open: Option<Open>,
}

#[derive(Debug)]
struct Open {
    step: StepId,
    /// The newest client at that moment.
    before: u64,
    confirmed: bool,
}

impl Default for Guard {
    fn default() -> Self {
        Self::with_patience(PATIENCE)
    }
}

impl Guard {
    /// A guard with another patience: for tests.
    pub fn with_patience(patience: Duration) -> Self {
        Self { state: Mutex::default(), changed: Condvar::new(), patience }
    }

    /// How long a change waits.
    pub fn patience(&self) -> Duration {
        self.patience
    }

    /// A client has come in.
    pub fn arrived(&self, client: u64) {
        let mut state = self.state();
        state.newest = state.newest.max(client);
    }

    /// A change is made, and waits from now on.
    pub fn open(&self, step: &StepId) {
        let mut state = self.state();
        let before = state.newest;
        state.open = Some(Open { step: step.clone(), before, confirmed: false });
    }

    /// Whether it was confirmed in time. Nothing waits after this.
    pub fn wait(&self) -> bool {
        let deadline = Instant::now() + self.patience;
        let mut state = self.state();
        loop {
            let confirmed = state.open.as_ref().is_none_or(|open| open.confirmed);
            let left = deadline.saturating_duration_since(Instant::now());
            if confirmed || left.is_zero() {
                state.open = None;
                return confirmed;
            }
            state = self.changed.wait_timeout(state, left).unwrap_or_else(PoisonError::into_inner).0;
        }
    }

    /// A client confirms the change of a step.
    ///
    /// # Errors
    /// Why that does not count.
    pub fn confirm(&self, step: &StepId, client: u64) -> Result<(), String> {
        let mut state = self.state();
        let open = state.open.as_mut().filter(|open| open.step == *step);
        let Some(open) = open else {
            return Err(format!("no change of {step} waits for a confirmation"));
        };
        if client <= open.before {
            return Err(format!("the connection is older than the change of {step}: it proves nothing"));
        }
        open.confirmed = true;
        drop(state);
        self.changed.notify_all();
        Ok(())
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::thread;
    use std::time::Duration;

    use garboard_protocol::StepId;

    use super::Guard;

    fn step(name: &str) -> StepId {
        StepId(name.to_owned())
    }

    #[test]
    fn only_a_client_that_came_after_the_change_confirms_it() {
        let guard = Arc::new(Guard::with_patience(Duration::from_secs(30)));
        guard.arrived(1);
        guard.open(&step("firewall/5"));
        assert!(guard.confirm(&step("firewall/5"), 1).unwrap_err().contains("older than the change"));
        assert!(guard.confirm(&step("firewall/6"), 2).unwrap_err().contains("no change of firewall/6"));
        let waiting = thread::spawn({
            let guard = Arc::clone(&guard);
            move || guard.wait()
        });
        guard.arrived(2);
        guard.confirm(&step("firewall/5"), 2).unwrap();
        assert!(waiting.join().unwrap());
        assert!(guard.confirm(&step("firewall/5"), 2).is_err(), "nothing waits any more");
    }

    #[test]
    fn without_a_confirmation_the_wait_ends() {
        let guard = Guard::with_patience(Duration::from_millis(10));
        guard.open(&step("firewall/5"));
        assert!(!guard.wait());
    }
}
