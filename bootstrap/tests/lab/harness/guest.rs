//! A program of this machine that runs in a lab's network for a while.

use std::io::{BufRead as _, BufReader};
use std::process::{Child, Stdio};
use std::sync::mpsc::{self, Receiver};
use std::time::{Duration, Instant};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use super::{From, TestLab};

/// How long it may take to say what it is waited for to say.
const DEADLINE: Duration = Duration::from_mins(1);

/// The program; it ends when this goes.
pub(crate) struct Guest {
    child: Child,
    lines: Receiver<String>,
    said: String,
}

impl TestLab {
    /// Starts a program in this lab's network. What it says on both ways is read.
    pub(crate) fn start(&self, words: &[&str]) -> Guest {
        self.start_from(From::Laptop, words)
    }

    /// The same at that place.
    pub(crate) fn start_from(&self, from: From<'_>, words: &[&str]) -> Guest {
        let mut command = self.command();
        command.args(["lab", "run", self.name()]).args(from.place()).arg("--").args(words);
        let mut child =
            command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        let (sender, lines) = mpsc::channel();
        let (output, errors) = (child.stdout.take().unwrap(), child.stderr.take().unwrap());
        let other = sender.clone();
        std::thread::spawn(move || {
            BufReader::new(output).lines().map_while(Result::ok).try_for_each(|line| sender.send(line))
        });
        std::thread::spawn(move || {
            BufReader::new(errors).lines().map_while(Result::ok).try_for_each(|line| other.send(line))
        });
        Guest { child, lines, said: String::new() }
    }
}

impl Guest {
    /// Waits until it has said this.
    #[track_caller]
    pub(crate) fn until(&mut self, text: &str) {
        let deadline = Instant::now() + DEADLINE;
        while !self.said.contains(text) {
            let left = deadline.saturating_duration_since(Instant::now());
            let Ok(line) = self.lines.recv_timeout(left) else {
                panic!("`{text}` did not come; it said:\n{}", self.said);
            };
            self.said.push_str(&line);
            self.said.push('\n');
        }
    }

    /// Whether it runs.
    pub(crate) fn is_alive(&mut self) -> bool {
        self.child.try_wait().unwrap().is_none()
    }

    /// Waits for its end, which must be a good one.
    #[track_caller]
    pub(crate) fn ended(mut self) {
        let status = self.child.wait().unwrap();
        assert!(status.success(), "{status}: {}", self.said());
    }

    /// All it has said so far.
    pub(crate) fn said(&mut self) -> &str {
        while let Ok(line) = self.lines.try_recv() {
            self.said.push_str(&line);
            self.said.push('\n');
        }
        &self.said
    }
}

impl Drop for Guest {
    fn drop(&mut self) {
        // `lab run` waits for its program: both get the signal.
        let number = self.child.id();
        let children = format!("/proc/{number}/task/{number}/children");
        let children = fs_err::read_to_string(children).unwrap_or_default();
        for child in children.split_whitespace().filter_map(|child| child.parse().ok()) {
            let _ = kill(Pid::from_raw(child), Signal::SIGTERM);
        }
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
