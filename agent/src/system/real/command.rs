//! Commands in their own process group, with a time limit, and bounded memory for what they print.

use std::io::{self, Read, Write};
use std::os::fd::{AsFd, BorrowedFd};
use std::os::unix::process::{CommandExt as _, ExitStatusExt as _};
use std::process::{Child, ChildStdin, ExitStatus, Stdio};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread;
use std::time::Instant;

use nix::fcntl::{FcntlArg, OFlag, fcntl};
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::signal::{Signal, killpg};
use nix::unistd::Pid;

use crate::system::{Command, CommandError, Live, Output};

/// Where programs are looked for.
const PATH: &str = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";
/// Bytes of output that go into an error.
const PRINTED_BYTES: usize = 4096;

pub(super) fn run(command: &Command, live: Live<'_>) -> Result<Output, CommandError> {
    let start_error = |source| CommandError::Start { command: command.display(), source };
    let has_input = live.feed.is_some() || command.input.is_some();
    let mut child = spawn(command, has_input).map_err(start_error)?;
    let group = Pid::from_raw(child.id().cast_signed());
    let (exit_reader, exit_writer) = io::pipe().map_err(start_error)?;
    let streams = Streams::take(&mut child).map_err(start_error)?;
    let stdin = child.stdin.take();
    let (lines, heard) = channel();
    let lines = live.line.is_some().then_some(lines);

    let (collected, fed, status) = thread::scope(|scope| {
        // The pipe ends when the child has: an event that can be polled together with its output.
        let waiter = scope.spawn(move || {
            let status = child.wait();
            drop(exit_writer);
            status
        });
        let collector = scope.spawn(move || streams.collect(exit_reader.as_fd(), command, group, lines));
        let fed = keep_company(command, live, stdin, &heard, group);
        (collector.join(), fed, waiter.join())
    });
    let lost = |_| start_error(io::Error::other("a thread that watched it died"));
    let Collected { stdout, stderr, timed_out } = collected.map_err(lost)?;
    let status = status.map_err(lost)?.map_err(start_error)?;
    let output = Output { code: code(status), stdout: stdout.text(), stderr: stderr.text() };
    if timed_out {
        let printed = printed(&output);
        return Err(CommandError::Timeout { command: command.display(), timeout: command.timeout, printed });
    }
    fed.map_err(|source| CommandError::Input { command: command.display(), source })?;
    if command.expected.contains(&output.code) {
        return Ok(output);
    }
    Err(CommandError::Exit { command: command.display(), code: output.code, stderr: printed(&output) })
}

fn spawn(command: &Command, has_input: bool) -> io::Result<Child> {
    std::process::Command::new(&command.program)
        .args(&command.arguments)
        .env_clear()
        .env("PATH", PATH)
        .env("LC_ALL", "C")
        .env("HOME", "/root")
        .envs(command.environment.iter().map(|(name, value)| (name, value)))
        .current_dir("/")
        .process_group(0)
        .stdin(if has_input { Stdio::piped() } else { Stdio::null() })
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
}

/// Feeds the command and passes its lines on, both on the caller's thread.
fn keep_company(
    command: &Command,
    live: Live<'_>,
    stdin: Option<ChildStdin>,
    heard: &Receiver<String>,
    group: Pid,
) -> io::Result<()> {
    let Live { feed, mut line } = live;
    let mut result = Ok(());
    if let Some(stdin) = stdin {
        let mut input = Input { stdin, broken: false, heard, line: line.as_deref_mut() };
        let given = match feed {
            Some(feed) => feed(&mut input).and_then(|()| input.flush()),
            None => input.write_all(command.input.as_deref().unwrap_or_default()),
        };
        // A command that stops reading says itself what is wrong.
        if given.is_err() && !input.broken {
            // It may have ended by itself in the meantime.
            let _ = killpg(group, Signal::SIGKILL);
            result = given;
        }
    }
    for text in heard {
        if let Some(line) = &mut line {
            line(&text);
        }
    }
    result
}

/// A command's standard input, which lets its lines through between two writes.
struct Input<'a, 'b> {
    stdin: ChildStdin,
    broken: bool,
    heard: &'a Receiver<String>,
    line: Option<&'a mut (dyn FnMut(&str) + 'b)>,
}

impl Write for Input<'_, '_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        for text in self.heard.try_iter() {
            if let Some(line) = &mut self.line {
                line(&text);
            }
        }
        self.stdin.write(bytes).inspect_err(|error| {
            self.broken |= error.kind() == io::ErrorKind::BrokenPipe;
        })
    }

    fn flush(&mut self) -> io::Result<()> {
        self.stdin.flush()
    }
}

struct Streams {
    stdout: std::process::ChildStdout,
    stderr: std::process::ChildStderr,
}

struct Collected {
    stdout: Tail,
    stderr: Tail,
    timed_out: bool,
}

impl Streams {
    fn take(child: &mut Child) -> io::Result<Self> {
        let missing = || io::Error::other("its output is no pipe");
        let streams = Self {
            stdout: child.stdout.take().ok_or_else(missing)?,
            stderr: child.stderr.take().ok_or_else(missing)?,
        };
        for stream in [streams.stdout.as_fd(), streams.stderr.as_fd()] {
            fcntl(stream, FcntlArg::F_SETFL(OFlag::O_NONBLOCK))?;
        }
        Ok(streams)
    }

    /// Reads until the command has ended; what its own children still print then is nobody's.
    fn collect(
        mut self,
        exited: BorrowedFd<'_>,
        command: &Command,
        group: Pid,
        lines: Option<Sender<String>>,
    ) -> Collected {
        let deadline = Instant::now() + command.timeout;
        let mut stdout = Tail::new(command.kept_bytes, lines.clone());
        let mut stderr = Tail::new(command.kept_bytes, lines);
        let mut timed_out = false;
        let mut ended = false;
        while !ended {
            let left = deadline.saturating_duration_since(Instant::now());
            let wait = if timed_out {
                PollTimeout::NONE
            } else {
                // Rounded up, or the last fraction of a millisecond would be spent spinning.
                PollTimeout::try_from(left + std::time::Duration::from_millis(1)).unwrap_or(PollTimeout::MAX)
            };
            let mut sources = vec![PollFd::new(exited, PollFlags::POLLIN)];
            if stdout.open {
                sources.push(PollFd::new(self.stdout.as_fd(), PollFlags::POLLIN));
            }
            if stderr.open {
                sources.push(PollFd::new(self.stderr.as_fd(), PollFlags::POLLIN));
            }
            match poll(&mut sources, wait) {
                Ok(_) => ended = sources[0].any().unwrap_or(true),
                Err(nix::Error::EINTR) => {}
                Err(_) => ended = true,
            }
            stdout.read(&mut self.stdout);
            stderr.read(&mut self.stderr);
            if !ended && !timed_out && left.is_zero() {
                timed_out = true;
                // It may have ended by itself in this moment.
                let _ = killpg(group, Signal::SIGKILL);
            }
        }
        stdout.read(&mut self.stdout);
        stderr.read(&mut self.stderr);
        stdout.end_lines();
        stderr.end_lines();
        Collected { stdout, stderr, timed_out }
    }
}

/// The end of a stream.
struct Tail {
    bytes: Vec<u8>,
    limit: usize,
    open: bool,
    lines: Option<Sender<String>>,
    line: Vec<u8>,
}

impl Tail {
    fn new(limit: usize, lines: Option<Sender<String>>) -> Self {
        Self { bytes: Vec::new(), limit, open: true, lines, line: Vec::new() }
    }

    /// Takes what is there now.
    fn read(&mut self, stream: &mut impl Read) {
        let mut buffer = [0_u8; 16 * 1024];
        while self.open {
            match stream.read(&mut buffer) {
                Ok(0) => self.open = false,
                Ok(count) => self.take(&buffer[..count]),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return,
                Err(_) => self.open = false,
            }
        }
    }

    fn take(&mut self, piece: &[u8]) {
        self.bytes.extend_from_slice(piece);
        // Cut only now and then, so that a talkative command costs no quadratic time.
        if self.bytes.len() > self.limit.saturating_mul(2) {
            self.bytes.drain(..self.bytes.len() - self.limit);
        }
        if self.lines.is_none() {
            return;
        }
        for part in piece.split_inclusive(|byte| *byte == b'\n') {
            self.line.extend_from_slice(part);
            if part.ends_with(b"\n") || self.line.len() > self.limit {
                self.last_line();
            }
        }
    }

    fn last_line(&mut self) {
        let line = std::mem::take(&mut self.line);
        if let Some(lines) = &self.lines
            && !line.is_empty()
        {
            let text = String::from_utf8_lossy(&line);
            // Nobody listens any more only when the caller's own code has failed.
            let _ = lines.send(text.trim_end_matches(['\n', '\r']).to_owned());
        }
    }

    /// The last line, and the end of all lines: whoever listens to them waits for that.
    fn end_lines(&mut self) {
        self.last_line();
        self.lines = None;
    }

    fn text(mut self) -> String {
        let surplus = self.bytes.len().saturating_sub(self.limit);
        self.bytes.drain(..surplus);
        String::from_utf8(self.bytes)
            .unwrap_or_else(|error| String::from_utf8_lossy(error.as_bytes()).into_owned())
    }
}

fn code(status: ExitStatus) -> i32 {
    status.code().unwrap_or_else(|| 128 + status.signal().unwrap_or(0))
}

fn printed(output: &Output) -> String {
    let both = [output.stderr.trim(), output.stdout.trim()].into_iter().filter(|text| !text.is_empty());
    both.map(end).collect::<Vec<_>>().join("\n")
}

fn end(text: &str) -> &str {
    let mut start = text.len().saturating_sub(PRINTED_BYTES);
    while !text.is_char_boundary(start) {
        start += 1;
    }
    &text[start..]
}
