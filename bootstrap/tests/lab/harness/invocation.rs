//! One call of the product: followed while it runs, judged when it has ended.

use std::io::{BufRead as _, BufReader, Read as _};
use std::os::unix::process::ExitStatusExt as _;
use std::process::{Command, Stdio};
use std::sync::mpsc;
use std::time::{Duration, Instant};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use serde_json::Value;

/// No call of these tests takes longer, unless it hangs or its hosts are emulated.
const DEADLINE: Duration = Duration::from_mins(6);

/// The call while it runs.
#[derive(Clone, Copy)]
pub(crate) struct Running {
    pid: Pid,
}

impl Running {
    /// Its process ends here and now, as in a crash.
    pub(crate) fn kill(self) {
        kill(self.pid, Signal::SIGKILL).unwrap();
    }

    /// Its process.
    pub(crate) fn pid(self) -> Pid {
        self.pid
    }
}

/// The call after its end.
pub(crate) struct Finished {
    what: String,
    /// The exit code; 128 and the signal's number after a kill.
    pub(crate) code: i32,
    /// Standard output, line by line, where a line is JSON.
    pub(crate) events: Vec<Value>,
    /// Standard output as it came.
    pub(crate) stdout: String,
    /// Standard error.
    pub(crate) stderr: String,
    pub(crate) time: Duration,
}

/// Runs it to its end; `follow` sees every event as it comes.
pub(crate) fn run(command: Command, follow: impl FnMut(&Value, Running)) -> Finished {
    run_patiently(1, command, follow)
}

/// The same for hosts that take so many times as long.
pub(super) fn run_patiently(
    patience: u32,
    mut command: Command,
    mut follow: impl FnMut(&Value, Running),
) -> Finished {
    let deadline = DEADLINE * patience;
    let mut what = command.get_program().to_string_lossy().into_owned();
    for argument in command.get_args() {
        what = format!("{what} {}", argument.to_string_lossy());
    }
    let begun = Instant::now();
    let mut child =
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let running = Running { pid: Pid::from_raw(child.id().cast_signed()) };
    let mut stderr = child.stderr.take().unwrap();
    let said = std::thread::spawn(move || {
        let mut text = Vec::new();
        let _ = stderr.read_to_end(&mut text);
        String::from_utf8_lossy(&text).into_owned()
    });
    let (ended, end) = mpsc::channel::<()>();
    let hung = std::thread::spawn(move || {
        let hung = matches!(end.recv_timeout(deadline), Err(mpsc::RecvTimeoutError::Timeout));
        if hung {
            let _ = kill(running.pid, Signal::SIGKILL);
        }
        hung
    });
    let (mut events, mut text) = (Vec::new(), String::new());
    for line in BufReader::new(child.stdout.take().unwrap()).split(b'\n') {
        let line = String::from_utf8_lossy(&line.unwrap()).into_owned();
        if let Ok(event @ Value::Object(_)) = serde_json::from_str(&line) {
            follow(&event, running);
            events.push(event);
        }
        text.push_str(&line);
        text.push('\n');
    }
    let status = child.wait().unwrap();
    drop(ended);
    let code = status.code().unwrap_or_else(|| 128 + status.signal().unwrap_or(0));
    let stderr = said.join().unwrap();
    assert!(!hung.join().unwrap(), "`{what}` did not end within {deadline:?}; it said:\n{stderr}\n{text}");
    Finished { what, code, events, stdout: text, stderr, time: begun.elapsed() }
}

impl Finished {
    /// Of a call that was followed by other means.
    pub(super) fn of(
        what: String,
        code: i32,
        events: Vec<Value>,
        stdout: String,
        stderr: String,
        time: Duration,
    ) -> Self {
        Self { what, code, events, stdout, stderr, time }
    }

    /// It ended so; otherwise what it said is shown.
    #[track_caller]
    pub(crate) fn expect(self, code: i32) -> Self {
        assert_eq!(self.code, code, "{}", self.story());
        self
    }

    /// Events of one kind.
    pub(crate) fn of_kind(&self, kind: &str) -> impl Iterator<Item = &Value> {
        self.events.iter().filter(move |event| event["event"] == kind)
    }

    /// What it told a person.
    pub(crate) fn notes(&self) -> impl Iterator<Item = &str> {
        self.of_kind("note").filter_map(|event| event["text"].as_str())
    }

    /// Number of steps that changed something, as the last event says.
    #[track_caller]
    pub(crate) fn changes(&self) -> u64 {
        let last = self.of_kind("run_finished").last();
        last.and_then(|event| event["changes"].as_u64()).unwrap_or_else(|| panic!("{}", self.story()))
    }

    /// Everything it had to say about what went wrong.
    pub(crate) fn complaints(&self) -> String {
        let events: Vec<String> = self.of_kind("failed").map(|event| event["problem"].to_string()).collect();
        format!("{}{}\n", self.stderr, events.join("\n"))
    }

    /// It said all of these.
    #[track_caller]
    pub(crate) fn says(self, words: &[&str]) -> Self {
        let complaints = self.complaints();
        for word in words {
            assert!(complaints.contains(word), "`{word}` is not in:\n{}", self.story());
        }
        self
    }

    /// The end of what it said, for a person who looks for the reason.
    pub(crate) fn story(&self) -> String {
        let shown =
            self.events.iter().filter(|event| event["event"] != "sending" && event["event"] != "fetching");
        let mut lines: Vec<String> =
            shown.map(|event| event.to_string().chars().take(400).collect()).collect();
        lines.drain(..lines.len().saturating_sub(30));
        // What failed may lie further back: the other hosts go on.
        format!(
            "`{}` ended with {} after {:.1?}\n{}\n{}",
            self.what,
            self.code,
            self.time,
            lines.join("\n"),
            self.complaints()
        )
    }
}

/// One JSON document from standard output.
#[track_caller]
pub(crate) fn json_of(finished: &Finished) -> Value {
    serde_json::from_str(&finished.stdout).unwrap_or_else(|error| panic!("{error}: {}", finished.story()))
}

/// Lines of a program's standard output that are not empty.
pub(crate) fn lines_of(text: &str) -> Vec<String> {
    text.lines().map(str::trim).filter(|line| !line.is_empty()).map(str::to_owned).collect()
}
