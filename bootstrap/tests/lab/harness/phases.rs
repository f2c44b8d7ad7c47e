//! A long test in named parts: says what begins and how long it took, and names every part that failed.

use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::time::{Duration, Instant};

/// The parts of one test. Those that failed are named when it is dropped.
pub(crate) struct Phases {
    test: &'static str,
    begun: Instant,
    times: Vec<(String, Duration, bool)>,
}

impl Phases {
    /// For one test.
    pub(crate) fn of(test: &'static str) -> Self {
        println!("== {test}");
        Self { test, begun: Instant::now(), times: Vec::new() }
    }

    /// A part without which the rest makes no sense.
    pub(crate) fn must<T>(&mut self, name: &str, work: impl FnOnce() -> T) -> T {
        match self.part(name, work) {
            Ok(value) => value,
            Err(panic) => resume_unwind(panic),
        }
    }

    /// A part whose failure fails the test, after the other parts.
    pub(crate) fn check(&mut self, name: &str, work: impl FnOnce()) {
        let _ = self.part(name, work);
    }

    fn part<T>(&mut self, name: &str, work: impl FnOnce() -> T) -> std::thread::Result<T> {
        println!("-- {name} ({:.1} s so far)", self.begun.elapsed().as_secs_f64());
        let begun = Instant::now();
        let result = catch_unwind(AssertUnwindSafe(work));
        let verdict = if result.is_ok() { "ok" } else { "FAILED" };
        println!("   {verdict}: {name}, {:.1} s", begun.elapsed().as_secs_f64());
        self.times.push((name.to_owned(), begun.elapsed(), result.is_ok()));
        result
    }

    /// Fails if a part failed.
    pub(crate) fn finish(self) {
        let failed: Vec<&str> =
            self.times.iter().filter(|(.., fine)| !fine).map(|(name, ..)| name.as_str()).collect();
        assert!(failed.is_empty(), "{}: failed: {}", self.test, failed.join("; "));
    }
}

impl Drop for Phases {
    fn drop(&mut self) {
        println!("where the time of {} went:", self.test);
        for (name, time, fine) in &self.times {
            println!("{:>8.1} s  {}{name}", time.as_secs_f64(), if *fine { "" } else { "FAILED: " });
        }
        println!("{:>8.1} s  in all", self.begun.elapsed().as_secs_f64());
    }
}
