//! The real program as a service in folders of its own, and what it is asked.

use std::io::Read as _;
use std::os::unix::fs::PermissionsExt as _;
use std::os::unix::net::UnixDatagram;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::time::Duration;

use garboard_ddns::machine::{NameState, Phase};
use garboard_ddns::report::Report;
use tempfile::TempDir;

use crate::fake_http::FakeHttp;

/// Addresses that a name may get; nothing is ever sent to them.
pub(crate) const OLD: &str = "84.20.10.1";
pub(crate) const NEW: &str = "84.20.10.2";
pub(crate) const NAME: &str = "home.example.org";
pub(crate) const PROGRAM: &str = env!("CARGO_BIN_EXE_garboard-ddns");

/// The folders of one service; it may be started several times.
pub(crate) struct Home {
    folder: TempDir,
}

/// Longest a command takes that is not the service.
const DEADLINE: Duration = Duration::from_mins(1);

/// A service that runs.
pub(crate) struct Service<'a> {
    home: &'a Home,
    child: Child,
}

/// Two services on the internet that say the same until told otherwise.
pub(crate) struct Echoes {
    pub(crate) one: FakeHttp,
    pub(crate) two: FakeHttp,
}

impl Echoes {
    pub(crate) fn saying(address: &str) -> Self {
        Self { one: FakeHttp::saying(200, address), two: FakeHttp::saying(200, address) }
    }

    pub(crate) fn say(&self, address: &str) {
        self.one.say(200, address);
        self.two.say(200, address);
    }

    /// As `sources:`, nothing else is asked.
    pub(crate) fn sources(&self) -> String {
        format!(
            "sources:\n  router: []\n  dns: []\n  https:\n{}{}",
            other("one", &self.one),
            other("two", &self.two)
        )
    }
}

/// One entry of `sources.https`.
pub(crate) fn other(operator: &str, server: &FakeHttp) -> String {
    format!("    - other: {{ operator: {operator}, ipv4: \"{}\" }}\n", server.url("/"))
}

/// Only what a command asks for happens, and a term is as long as it can be.
pub(crate) const SLOW: &str = "intervals: { router: 1h, echo: 1h, retry: 1h }\n";
/// What was held is tried again at once.
pub(crate) const QUICK: &str = "intervals: { router: 1h, echo: 1h, retry: 1ms }\n";

impl Home {
    pub(crate) fn new() -> Self {
        let home = Self { folder: tempfile::tempdir().unwrap() };
        for folder in ["state", "runtime"] {
            fs_err::create_dir(home.path(folder)).unwrap();
        }
        home.secret("secret", "canary-secret");
        home
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    pub(crate) fn secret(&self, name: &str, text: &str) {
        let path = self.path(name);
        fs_err::write(&path, text).unwrap();
        fs_err::set_permissions(&path, std::fs::Permissions::from_mode(0o600)).unwrap();
    }

    /// The reference of a secret file in this home.
    pub(crate) fn reference(&self, name: &str) -> String {
        format!("{{ file: \"{}\" }}", self.path(name).display())
    }

    pub(crate) fn configure(&self, text: &str) {
        fs_err::write(self.path("ddns.yaml"), text).unwrap();
    }

    /// One name at one provider, whose part of the file is given.
    pub(crate) fn configure_name(&self, name: &str, provider: &str, sources: &str, intervals: &str) {
        self.configure(&format!("names:\n  - name: {name}\n    provider: {provider}\n{sources}{intervals}"));
    }

    /// `no_ip` at a fake.
    pub(crate) fn no_ip(&self, server: &FakeHttp) -> String {
        format!(
            "{{ no_ip: {{ username: me, password: {}, server: \"{}\" }} }}",
            self.reference("secret"),
            server.url("/nic/update")
        )
    }

    pub(crate) fn command(&self, words: &[&str]) -> Command {
        let mut command = Command::new(PROGRAM);
        command
            .args(words)
            .arg("--config")
            .arg(self.path("ddns.yaml"))
            .arg("--state")
            .arg(self.path("state"))
            .arg("--runtime")
            .arg(self.path("runtime"))
            .arg("--credentials")
            .arg(self.folder.path())
            .env_remove("JOURNAL_STREAM");
        command
    }

    /// Runs a command to its end; one that should have ended and does not is killed, and seen as that.
    pub(crate) fn run(&self, words: &[&str]) -> Output {
        let mut command = self.command(words);
        let child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        let id = nix::unistd::Pid::from_raw(child.id().try_into().unwrap());
        let (ended, has_ended) = std::sync::mpsc::channel::<()>();
        let watch = std::thread::spawn(move || {
            if has_ended.recv_timeout(DEADLINE) == Err(std::sync::mpsc::RecvTimeoutError::Timeout) {
                let _ = nix::sys::signal::kill(id, nix::sys::signal::Signal::SIGKILL);
            }
        });
        let output = child.wait_with_output().unwrap();
        drop(ended);
        watch.join().unwrap();
        output
    }

    /// Starts the service and waits until it says that it is ready.
    pub(crate) fn start(&self) -> Service<'_> {
        let log = fs_err::OpenOptions::new().create(true).append(true).open(self.path("log")).unwrap();
        let mut command = self.command(&["run"]);
        command.stderr(log.into_parts().0).stdout(Stdio::null());
        let child = started(&mut command, self.folder.path(), &self.path("log"));
        Service { home: self, child }
    }

    pub(crate) fn log(&self) -> String {
        fs_err::read_to_string(self.path("log")).unwrap_or_default()
    }

    pub(crate) fn stored(&self) -> String {
        fs_err::read_to_string(self.path("state/state.json")).unwrap()
    }

    pub(crate) fn status(&self) -> Report {
        serde_json::from_slice(&self.run(&["status", "--json"]).stdout).unwrap()
    }
}

/// Starts a program that says `READY=1` to its service manager, and waits for that.
pub(crate) fn started(command: &mut Command, folder: &Path, log: &Path) -> Child {
    let path = folder.join("notify");
    let _ = fs_err::remove_file(&path);
    let socket = UnixDatagram::bind(&path).unwrap();
    socket.set_read_timeout(Some(Duration::from_secs(30))).unwrap();
    let mut child = command.env("NOTIFY_SOCKET", &path).spawn().unwrap();
    let mut message = [0; 512];
    let problem = loop {
        match socket.recv(&mut message) {
            Ok(length) if message[..length].starts_with(b"READY=1") => break None,
            Ok(_) => {}
            Err(error) => break Some(error),
        }
    };
    if let Some(error) = problem {
        let _ = child.kill();
        let status = child.wait();
        panic!("not ready: {error}, {status:?}\n{}", fs_err::read_to_string(log).unwrap_or_default());
    }
    child
}

impl Service<'_> {
    pub(crate) fn id(&self) -> u32 {
        self.child.id()
    }

    /// Has it look, and gives what it says then.
    pub(crate) fn update(&self) -> Report {
        self.tell(&["update", "--json"])
    }

    pub(crate) fn tell(&self, words: &[&str]) -> Report {
        let output = self.home.run(words);
        let said = || format!("{}\n{}", String::from_utf8_lossy(&output.stderr), self.home.log());
        serde_json::from_slice(&output.stdout)
            .unwrap_or_else(|error| panic!("{words:?}: {error}\n{}", said()))
    }

    /// As a crash or the kernel would.
    pub(crate) fn kill(mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }

    /// As systemd would; gives whether it ended well.
    pub(crate) fn end(mut self) -> bool {
        let id = nix::unistd::Pid::from_raw(self.child.id().try_into().unwrap());
        nix::sys::signal::kill(id, nix::sys::signal::Signal::SIGTERM).unwrap();
        self.child.wait().unwrap().success()
    }
}

impl Drop for Service<'_> {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// The only name's state.
pub(crate) fn state(report: &Report) -> &NameState {
    assert_eq!(report.names.len(), 1, "{report:?}");
    &report.names[0].entry.state
}

/// Why nothing is sent before a person acts.
pub(crate) fn refused(report: &Report) -> String {
    match &state(report).phase {
        Phase::HeldFatal { reason, .. } => reason.clone(),
        other => panic!("not refused: {other:?}"),
    }
}

/// For how many seconds from now nothing is sent, and why.
pub(crate) fn held(report: &Report) -> (i64, String) {
    match &state(report).phase {
        Phase::HeldTransient { until, reason, .. } => {
            (until.duration_since(jiff::Timestamp::now()).as_secs(), reason.clone())
        }
        other => panic!("not held: {other:?}"),
    }
}

pub(crate) fn is_in_sync(report: &Report, address: &str) -> bool {
    let state = state(report);
    matches!(state.phase, Phase::InSync { .. }) && state.published.to_string() == address
}

/// Everything of a file, for searching.
pub(crate) fn bytes(path: &Path) -> String {
    let mut bytes = Vec::new();
    fs_err::File::open(path).unwrap().read_to_end(&mut bytes).unwrap();
    String::from_utf8_lossy(&bytes).into_owned()
}
