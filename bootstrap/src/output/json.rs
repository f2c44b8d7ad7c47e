//! JSON lines on standard output.

use std::io::Write;
use std::sync::Mutex;

use super::{Event, Listener};

/// Writes each event as one line of JSON.
pub struct Json<Target> {
    target: Mutex<Target>,
}

impl<Target: Write + Send> Json<Target> {
    /// To `target`.
    pub fn new(target: Target) -> Self {
        Self { target: Mutex::new(target) }
    }
}

impl<Target: Write + Send> Listener for Json<Target> {
    fn event(&self, event: &Event) {
        let Ok(mut line) = serde_json::to_vec(event) else { return };
        line.push(b'\n');
        if let Ok(mut target) = self.target.lock() {
            // A reader that went away is no reason to stop working on hosts.
            let _ = target.write_all(&line).and_then(|()| target.flush());
        }
    }
}

/// One line that says why a command did not do its work, for commands that print a document.
pub fn problems(problems: &crate::problem::Problems, exit: crate::problem::Exit) -> crate::problem::Exit {
    for problem in &problems.0 {
        super::print(&format!("{}\n", serde_json::json!({ "event": "failed", "problem": problem })));
    }
    exit
}
