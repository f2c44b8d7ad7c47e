//! Programs on a virtual machine, through the agent of QEMU that runs there: over a port of its own, not the network.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::os::unix::net::UnixStream;
use std::os::unix::process::ExitStatusExt as _;
use std::path::{Path, PathBuf};
use std::process::{ExitStatus, Output};
use std::time::{Duration, Instant};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use serde_json::{Value, json};

use crate::lock::Lock;
use crate::process::look_again_after;
use crate::{Error, Result};

/// The socket's name in a host's folder. QEMU listens on it and lets one caller at a time in.
pub(crate) const SOCKET: &str = "agent";
/// An answer comes within this time from a machine that runs, also when it is emulated and has much to do.
const ANSWER: Duration = Duration::from_mins(2);
/// How long we listen for an agent that may not have started yet.
const STARTS: Duration = Duration::from_millis(500);
/// How often we ask whether a program has ended.
const LOOK: Duration = Duration::from_millis(50);
/// What a program may be given and may say; the agent keeps no more than this of its output.
const MOST: usize = 16 * 1024 * 1024;

/// The agent of one host.
pub(crate) struct Guest {
    folder: PathBuf,
}

/// How a program on the machine ended.
#[derive(Debug)]
pub(crate) struct Ended {
    /// Its exit code; 128 and the signal's number where a signal ended it.
    pub(crate) code: i32,
    pub(crate) stdout: Vec<u8>,
    pub(crate) stderr: Vec<u8>,
}

impl Ended {
    /// As of a program of this machine.
    pub(crate) fn into_output(self) -> Output {
        // A wait status holds the exit code in its second byte (wait(2)).
        let status = ExitStatus::from_raw((self.code & 0xff) << 8);
        Output { status, stdout: self.stdout, stderr: self.stderr }
    }
}

impl Guest {
    pub(crate) fn of(host_folder: &Path) -> Self {
        Self { folder: host_folder.to_owned() }
    }

    /// Whether the agent answers within so much time.
    pub(crate) fn answers(&self, time: Duration) -> bool {
        self.connect(time).is_ok()
    }

    /// Starts a program; gives its number.
    pub(crate) fn start(&self, argv: &[String], environment: &[String], input: &[u8]) -> Result<i64> {
        let mut arguments = json!({
            "path": argv[0], "arg": argv[1..], "env": environment, "capture-output": true,
        });
        if input.len() > MOST {
            return Err(Error::Refused {
                message: format!(
                    "a program on a virtual machine takes at most {MOST} bytes of standard input"
                ),
            });
        }
        if !input.is_empty() {
            arguments["input-data"] = BASE64.encode(input).into();
        }
        let answer = self.ask("guest-exec", &arguments)?;
        answer["pid"].as_i64().ok_or_else(|| nonsense(&answer))
    }

    /// How it ended; none while it runs.
    pub(crate) fn ended(&self, number: i64) -> Result<Option<Ended>> {
        let answer = self.ask("guest-exec-status", &json!({ "pid": number }))?;
        if answer["exited"] != true {
            return Ok(None);
        }
        if answer["out-truncated"] == true || answer["err-truncated"] == true {
            return Err(Error::Refused {
                message: format!(
                    "a program on a virtual machine said more than {MOST} bytes; let it write to a file"
                ),
            });
        }
        let text = |name: &str| BASE64.decode(answer[name].as_str().unwrap_or_default());
        let (Ok(stdout), Ok(stderr)) = (text("out-data"), text("err-data")) else {
            return Err(nonsense(&answer));
        };
        let code = match (answer["exitcode"].as_i64(), answer["signal"].as_i64()) {
            (Some(code), _) => code,
            (None, Some(signal)) => 128 + signal,
            (None, None) => return Err(nonsense(&answer)),
        };
        Ok(Some(Ended { code: i32::try_from(code).unwrap_or(255), stdout, stderr }))
    }

    /// Runs a program to its end.
    pub(crate) fn run(&self, argv: &[String], environment: &[String], input: &[u8]) -> Result<Ended> {
        let number = self.start(argv, environment, input)?;
        loop {
            if let Some(ended) = self.ended(number)? {
                return Ok(ended);
            }
            look_again_after(LOOK);
        }
    }

    fn ask(&self, command: &str, arguments: &Value) -> Result<Value> {
        let mut agent = self.connect(ANSWER)?;
        let mut answer = agent.ask(command, arguments)?;
        match &answer["error"] {
            Value::Null => Ok(answer["return"].take()),
            error => Err(Error::Refused {
                message: format!("the agent on the virtual machine refuses `{command}`: {}", error["desc"]),
            }),
        }
    }

    fn connect(&self, time: Duration) -> Result<Connection> {
        let lock = Lock::wait(&self.folder.join("agent.lock"))?;
        let stream = UnixStream::connect(self.folder.join(SOCKET))?;
        stream.set_read_timeout(Some(time))?;
        let mut connection = Connection { stream: BufReader::new(stream), _lock: lock };
        connection.synchronize(Instant::now() + time)?;
        Ok(connection)
    }
}

/// A machine that boots, asked now and then whether it has finished.
pub(crate) struct Starting {
    guest: Guest,
    /// The program on it that waits for systemd.
    waiting: Option<i64>,
}

impl Starting {
    pub(crate) fn of(host_folder: &Path) -> Self {
        Self { guest: Guest::of(host_folder), waiting: None }
    }

    /// Whether systemd has started all that a boot starts, well or not.
    pub(crate) fn has_booted(&mut self) -> bool {
        let Some(waiting) = self.waiting else {
            if self.guest.answers(STARTS) {
                let argv = ["systemctl", "is-system-running", "--wait"].map(str::to_owned);
                self.waiting = self.guest.start(&argv, &[], &[]).ok();
            }
            return false;
        };
        match self.guest.ended(waiting) {
            Ok(None) => false,
            Ok(Some(ended)) => {
                // Asked too early it cannot say.
                self.waiting = None;
                matches!(String::from_utf8_lossy(&ended.stdout).trim(), "running" | "degraded")
            }
            Err(_) => {
                self.waiting = None;
                false
            }
        }
    }
}

struct Connection {
    stream: BufReader<UnixStream>,
    /// Let go of after the connection is closed: fields are dropped in order.
    _lock: Lock,
}

impl Connection {
    /// What an earlier caller left unread is passed over: only after a mark and our own number come our answers.
    fn synchronize(&mut self, deadline: Instant) -> Result<()> {
        let mut bytes = [0; 4];
        getrandom::fill(&mut bytes).map_err(std::io::Error::other)?;
        let number = u32::from_ne_bytes(bytes);
        // The mark makes the agent throw away half a question that somebody left.
        self.stream.get_mut().write_all(&[0xff])?;
        self.say("guest-sync-delimited", &json!({ "id": number }))?;
        loop {
            let mut skipped = Vec::new();
            if self.stream.read_until(0xff, &mut skipped)? == 0 {
                // QEMU is gone.
                return Err(std::io::Error::from(std::io::ErrorKind::UnexpectedEof).into());
            }
            if self.hear().is_ok_and(|answer| answer["return"] == number) {
                return Ok(());
            }
            if Instant::now() > deadline {
                return Err(std::io::Error::from(std::io::ErrorKind::TimedOut).into());
            }
        }
    }

    fn ask(&mut self, command: &str, arguments: &Value) -> Result<Value> {
        self.say(command, arguments)?;
        self.hear()
    }

    fn say(&mut self, command: &str, arguments: &Value) -> Result<()> {
        let mut line = json!({ "execute": command, "arguments": arguments }).to_string();
        line.push('\n');
        Ok(self.stream.get_mut().write_all(line.as_bytes())?)
    }

    fn hear(&mut self) -> Result<Value> {
        let mut line = Vec::new();
        // Twice as much as the most of both streams in base64.
        self.stream.by_ref().take(4 * MOST as u64).read_until(b'\n', &mut line)?;
        serde_json::from_slice(&line)
            .map_err(|_| std::io::Error::from(std::io::ErrorKind::UnexpectedEof).into())
    }
}

fn nonsense(answer: &Value) -> Error {
    let shown: String = answer.to_string().chars().take(200).collect();
    Error::Refused { message: format!("the agent on the virtual machine gave an unknown answer: {shown}") }
}
