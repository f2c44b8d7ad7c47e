//! A guarded step on a fake host: confirmed, never confirmed, and what is left of its guard.

use std::sync::Arc;
use std::time::Duration;

use garboard_agent::guard::Guard;
use garboard_protocol::Step;

use crate::machine::Machine;

/// Applies it, and confirms by a client that comes afterwards.
pub(crate) fn confirmed(machine: &Machine, step: &Step) {
    let guard = Arc::new(Guard::with_patience(Duration::from_secs(30)));
    let confirm = |id: &_| {
        guard.arrived(1);
        guard.confirm(id, 1).unwrap();
    };
    machine.run_guarded(step, &guard, confirm).unwrap();
}

/// Nobody confirms in time.
pub(crate) fn nobody() -> Arc<Guard> {
    Arc::new(Guard::with_patience(Duration::from_millis(5)))
}

/// Nothing is left of the guard.
pub(crate) fn is_disarmed(machine: &Machine) -> bool {
    machine.world.lock().unwrap().timers.is_empty()
        && !machine.fake.tree().keys().any(|path| path.starts_with("/run/garboard-guard"))
        && machine.fake.content("/proc/self/mountinfo").is_none_or(|mounts| mounts.is_empty())
}
