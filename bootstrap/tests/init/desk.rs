//! Where somebody sits: an empty folder, a home with nothing in it, and a terminal.

use std::io::{Read as _, Write as _};
use std::path::PathBuf;
use std::process::{Child, ChildStdin, Command, Output, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::time::{Duration, Instant};

use tempfile::TempDir;

/// No answer of the program takes longer, unless it hangs.
const DEADLINE: Duration = Duration::from_mins(1);

pub(crate) struct Desk {
    folder: TempDir,
}

impl Desk {
    pub(crate) fn new() -> Self {
        Self { folder: tempfile::tempdir().unwrap() }
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// The inventory that was written, if one was.
    pub(crate) fn written(&self) -> Option<String> {
        fs_err::read_to_string(self.path("garboard.yaml")).ok()
    }

    /// Names of everything in the folder.
    pub(crate) fn names(&self) -> Vec<String> {
        let entries = fs_err::read_dir(self.folder.path()).unwrap();
        let mut names: Vec<String> =
            entries.map(|entry| entry.unwrap().file_name().to_string_lossy().into_owned()).collect();
        names.sort();
        names
    }

    /// `garboard init`, with nobody to ask.
    pub(crate) fn init(&self, arguments: &[&str]) -> Output {
        let mut command = Command::new(assert_cmd::cargo::cargo_bin!("garboard"));
        command.arg("init").args(arguments).stdin(Stdio::null());
        self.at_home(&mut command).output().unwrap()
    }

    /// The same on a terminal of its own (`script(1)`).
    pub(crate) fn on_terminal(&self, arguments: &str) -> Typing {
        let program = assert_cmd::cargo::cargo_bin!("garboard");
        let mut script = Command::new("script");
        script.args(["--quiet", "--return", "--echo", "never", "--command"]);
        // In place of its shell: one that waits would end by the Ctrl-C that is meant for the program.
        script.arg(format!("exec {} init {arguments}", program.display())).arg("/dev/null");
        script.stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut child = self.at_home(&mut script).spawn().unwrap();
        let (keys, mut screen) = (child.stdin.take().unwrap(), child.stdout.take().unwrap());
        let (sender, shown) = channel();
        std::thread::spawn(move || {
            let mut buffer = [0_u8; 4096];
            while let Ok(count @ 1..) = screen.read(&mut buffer) {
                let _ = sender.send(buffer[..count].to_vec());
            }
        });
        Typing { child, keys, shown, seen: String::new(), read: 0 }
    }

    fn at_home<'a>(&self, command: &'a mut Command) -> &'a mut Command {
        command
            .current_dir(self.folder.path())
            .env_remove("SSH_AUTH_SOCK")
            .env("LC_ALL", "C.UTF-8")
            .env("TERM", "dumb")
            .env("HOME", self.folder.path())
            .env("XDG_STATE_HOME", self.path("state"))
            .env("XDG_CACHE_HOME", self.path("cache"))
    }
}

/// Somebody at a terminal, who reads before typing.
pub(crate) struct Typing {
    child: Child,
    keys: ChildStdin,
    shown: Receiver<Vec<u8>>,
    seen: String,
    /// How far of it was waited for already.
    read: usize,
}

impl Typing {
    /// Waits until the screen shows the words, behind what was waited for before.
    #[track_caller]
    pub(crate) fn sees(&mut self, words: &str) -> &mut Self {
        let end = Instant::now() + DEADLINE;
        loop {
            if let Some(at) = self.seen[self.read..].find(words) {
                self.read += at + words.len();
                return self;
            }
            let more = self.shown.recv_timeout(end.saturating_duration_since(Instant::now()));
            let Ok(more) = more else { panic!("`{words}` does not show up:\n{}", self.seen) };
            self.seen.push_str(&String::from_utf8_lossy(&more));
        }
    }

    /// Types a line.
    pub(crate) fn types(&mut self, line: &str) -> &mut Self {
        self.presses(&format!("{line}\n"))
    }

    /// Presses keys: `\u{3}` is Ctrl-C, `\u{4}` Ctrl-D.
    pub(crate) fn presses(&mut self, keys: &str) -> &mut Self {
        self.keys.write_all(keys.as_bytes()).unwrap();
        self.keys.flush().unwrap();
        self
    }

    /// The exit code, and everything that was shown.
    pub(crate) fn ends(mut self) -> (i32, String) {
        let end = Instant::now() + DEADLINE;
        loop {
            match self.shown.recv_timeout(end.saturating_duration_since(Instant::now())) {
                Ok(more) => self.seen.push_str(&String::from_utf8_lossy(&more)),
                Err(RecvTimeoutError::Disconnected) => break,
                Err(RecvTimeoutError::Timeout) => {
                    self.child.kill().unwrap();
                    panic!("it does not end:\n{}", self.seen);
                }
            }
        }
        let code = self.child.wait().unwrap().code().unwrap();
        (code, self.seen)
    }
}
