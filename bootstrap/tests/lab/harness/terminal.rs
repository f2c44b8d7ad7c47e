//! The product at a terminal of its own: keys are pressed, what it shows is read, as a person would.

use std::fs::File;
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::os::unix::process::ExitStatusExt as _;
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::sync::{Arc, Condvar, Mutex};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use nix::pty::openpty;
use nix::sys::termios::{LocalFlags, tcgetattr};
use serde_json::Value;

use super::invocation::Finished;

/// Nothing these tests wait for takes longer, unless it hangs.
const DEADLINE: Duration = Duration::from_mins(4);

type Said = Arc<(Mutex<String>, Condvar)>;

/// A call of the product while it runs. Standard input and error are the terminal; its events come beside it.
pub(crate) struct OnTerminal {
    what: String,
    child: Child,
    terminal: File,
    said: Said,
    events: Receiver<Value>,
    seen: Vec<Value>,
    reader: JoinHandle<String>,
    begun: Instant,
}

impl OnTerminal {
    /// Starts it in a session of its own, whose terminal this is.
    pub(crate) fn start(product: &Command) -> Self {
        let pty = openpty(None, None).unwrap();
        let mut command = Command::new("setsid");
        command.args(["--ctty", "--wait"]).arg(product.get_program()).args(product.get_args());
        for (name, value) in product.get_envs() {
            match value {
                Some(value) => command.env(name, value),
                None => command.env_remove(name),
            };
        }
        let what = product.get_args().map(|word| word.to_string_lossy()).collect::<Vec<_>>().join(" ");
        let mut child = command
            .stdin(pty.slave.try_clone().unwrap())
            .stderr(pty.slave)
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        // It holds the terminal's other end, whose last closing is the end for the reader below.
        drop(command);
        let (sender, events) = channel();
        let output = child.stdout.take().unwrap();
        let reader = std::thread::spawn(move || {
            let mut text = String::new();
            for line in BufReader::new(output).lines().map_while(Result::ok) {
                if let Ok(event @ Value::Object(_)) = serde_json::from_str(&line) {
                    let _ = sender.send(event);
                }
                text += &line;
                text.push('\n');
            }
            text
        });
        let terminal = File::from(pty.master);
        let said = Said::default();
        let (mut shown, heard) = (terminal.try_clone().unwrap(), Arc::clone(&said));
        std::thread::spawn(move || {
            let mut buffer = [0; 4096];
            while let Ok(count @ 1..) = shown.read(&mut buffer) {
                heard.0.lock().unwrap().push_str(&String::from_utf8_lossy(&buffer[..count]));
                heard.1.notify_all();
            }
        });
        Self { what, child, terminal, said, events, seen: Vec::new(), reader, begun: Instant::now() }
    }

    /// Waits for an event.
    #[track_caller]
    pub(crate) fn until(&mut self, is_it: impl Fn(&Value) -> bool) -> Value {
        loop {
            let event = self.events.recv_timeout(DEADLINE);
            let event = event.unwrap_or_else(|error| panic!("{error}: {:#?}\n{}", self.seen, self.said()));
            self.seen.push(event.clone());
            if is_it(&event) {
                return event;
            }
        }
    }

    /// Waits until this is to be read on the terminal.
    #[track_caller]
    pub(crate) fn until_said(&self, text: &str) {
        let said = self.said.0.lock().unwrap();
        let waited = self.said.1.wait_timeout_while(said, DEADLINE, |said| !said.contains(text)).unwrap();
        assert!(!waited.1.timed_out(), "`{text}` was not said: {}", waited.0);
    }

    /// Presses Ctrl-C.
    pub(crate) fn interrupt(&mut self) {
        self.terminal.write_all(b"\x03").unwrap();
    }

    /// Whether it has not ended yet.
    pub(crate) fn is_running(&mut self) -> bool {
        self.child.try_wait().unwrap().is_none()
    }

    /// The terminal, to be looked at when nobody is at it any more.
    pub(crate) fn terminal(&self) -> File {
        self.terminal.try_clone().unwrap()
    }

    /// Whether the terminal shows what is typed.
    pub(crate) fn echoes(&self) -> bool {
        Self::echoes_at(&self.terminal)
    }

    /// The same of a terminal.
    pub(crate) fn echoes_at(terminal: &File) -> bool {
        tcgetattr(terminal).unwrap().local_flags.contains(LocalFlags::ECHO)
    }

    /// What was shown so far.
    pub(crate) fn said(&self) -> String {
        self.said.0.lock().unwrap().clone()
    }

    /// Waits for its end.
    pub(crate) fn end(mut self) -> Finished {
        let status = self.child.wait().unwrap();
        let stdout = self.reader.join().unwrap();
        self.seen.extend(self.events.try_iter());
        let code = status.code().unwrap_or_else(|| 128 + status.signal().unwrap_or(0));
        let stderr = self.said.0.lock().unwrap().clone();
        Finished::of(self.what, code, self.seen, stdout, stderr, self.begun.elapsed())
    }
}
