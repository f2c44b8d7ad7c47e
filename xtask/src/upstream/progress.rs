//! Says what is being done, how far it is and how long it has taken; closes with a table of times.

use std::sync::Mutex;
use std::time::{Duration, Instant};

use indicatif::{ProgressBar, ProgressStyle};

/// The steps of one build. Steps may run side by side.
pub(super) struct Progress {
    total: usize,
    started: Instant,
    bar: ProgressBar,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    begun: usize,
    times: Vec<(String, Duration)>,
}

impl Progress {
    /// For so many steps.
    pub(super) fn new(total: usize) -> Self {
        let bar = ProgressBar::new_spinner().with_style(
            ProgressStyle::with_template("{spinner} {msg} {elapsed}")
                .unwrap_or_else(|_| ProgressStyle::default_spinner()),
        );
        bar.enable_steady_tick(Duration::from_millis(200));
        Self { total, started: Instant::now(), bar, state: Mutex::default() }
    }

    /// Does one step and says so.
    pub(super) fn step<T>(&self, name: &str, work: impl FnOnce() -> anyhow::Result<T>) -> anyhow::Result<T> {
        let number = {
            let mut state = self.state();
            state.begun += 1;
            state.begun
        };
        let so_far = human(self.started.elapsed());
        self.say(&format!("[{number:>2}/{}] {name} ({so_far} so far)", self.total));
        self.bar.reset_elapsed();
        self.bar.set_message(name.to_owned());
        let begun = Instant::now();
        let result = work().map_err(|error| error.context(format!("{name} failed")));
        self.state().times.push((name.to_owned(), begun.elapsed()));
        result
    }

    /// The table of times, the longest first, and the whole.
    pub(super) fn finish(self) {
        self.bar.finish_and_clear();
        let mut times = std::mem::take(&mut self.state().times);
        times.sort_by_key(|(_, time)| std::cmp::Reverse(*time));
        super::note("\nwhere the time went:");
        for (name, time) in &times {
            super::note(&format!("{:>9}  {name}", human(*time)));
        }
        super::note(&format!("{:>9}  in all", human(self.started.elapsed())));
    }

    /// A line above the spinner, or a plain one where there is no terminal.
    fn say(&self, line: &str) {
        self.bar.suspend(|| super::note(line));
    }

    /// A step that panicked must not hide the panic behind a poisoned lock.
    fn state(&self) -> std::sync::MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
    }
}

/// `0.4 s`, `12 s` or `3 m 05 s`.
fn human(time: Duration) -> String {
    let seconds = time.as_secs();
    match seconds {
        0..10 => format!("{:.1} s", time.as_secs_f64()),
        10..60 => format!("{seconds} s"),
        _ => format!("{} m {:02} s", seconds / 60, seconds % 60),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_short_and_readable() {
        assert_eq!(human(Duration::from_millis(420)), "0.4 s");
        assert_eq!(human(Duration::from_secs(12)), "12 s");
        assert_eq!(human(Duration::from_secs(185)), "3 m 05 s");
    }
}
