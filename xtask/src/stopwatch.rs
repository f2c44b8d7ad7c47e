//! Stages of a long command: says what begins, how long it took, and at the end where the time went.

use std::io::Write as _;
use std::time::{Duration, Instant};

/// Measures stages.
pub(crate) struct Stopwatch {
    begun: Instant,
    total: usize,
    stages: Vec<(String, Duration)>,
}

impl Stopwatch {
    /// For so many stages.
    pub(crate) fn new(total: usize) -> Self {
        Self { begun: Instant::now(), total, stages: Vec::new() }
    }

    /// Does one stage.
    pub(crate) fn stage<T, E: Into<anyhow::Error>>(
        &mut self,
        name: &str,
        work: impl FnOnce() -> Result<T, E>,
    ) -> anyhow::Result<T> {
        let number = self.stages.len() + 1;
        say(&format!("[{number}/{}] {name} ({} so far)", self.total, human(self.begun.elapsed())));
        let begun = Instant::now();
        let result = work().map_err(|error| error.into().context(format!("{name} failed")));
        self.stages.push((name.to_owned(), begun.elapsed()));
        result
    }

    /// Where the time went.
    pub(crate) fn table(&self) {
        say("\nwhere the time went:");
        for (name, time) in &self.stages {
            say(&format!("{:>10}  {name}", human(*time)));
        }
        say(&format!("{:>10}  in all", human(self.begun.elapsed())));
    }
}

/// One line for the person who watches. A closed stderr is no reason to stop.
pub(crate) fn say(line: &str) {
    let _ = writeln!(std::io::stderr(), "{line}");
}

fn human(time: Duration) -> String {
    let seconds = time.as_secs();
    if seconds < 60 {
        format!("{:.1} s", time.as_secs_f64())
    } else {
        format!("{} m {:02} s", seconds / 60, seconds % 60)
    }
}
