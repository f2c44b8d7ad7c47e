//! The daemons of a home: programs of this machine's packages, each in a network namespace of the lab's.

use std::net::{SocketAddr, TcpStream};
use std::os::unix::process::CommandExt as _;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use fs_err::File;

use crate::process::{Process, look_again_after};
use crate::record::write_json;
use crate::{Error, Lab, Result, namespace, program};

/// Longest a daemon may take until it answers.
const DEADLINE: Duration = Duration::from_secs(30);
/// How often it is looked for.
const LOOK: Duration = Duration::from_millis(25);

/// A program that stays in the foreground, logs to its standard error, and answers on a TCP port.
pub(super) struct Daemon<'a> {
    /// The lab it is of.
    pub(super) lab: &'a Lab,
    /// Where it runs.
    pub(super) namespace: String,
    /// The program and its arguments.
    pub(super) argv: Vec<String>,
    /// Where it answers when it is ready.
    pub(super) answers_at: SocketAddr,
}

impl Daemon<'_> {
    /// Starts it unless it runs; returns when it answers. It ends with `lab down`, which finds it by its namespace.
    pub(super) fn ensure(&self) -> Result<()> {
        let folder = super::folder(&self.lab.places, self.lab.name());
        let note = folder.join(format!("{}.json", self.argv[0]));
        let running: Option<Process> =
            fs_err::read(&note).ok().and_then(|bytes| serde_json::from_slice(&bytes).ok());
        if running.is_some_and(Process::is_alive) {
            return Ok(());
        }
        let log_path = folder.join(format!("{}.log", self.argv[0]));
        let log = File::options().create(true).append(true).open(&log_path)?.into_parts().0;
        let mut command = Command::new("ip");
        command.args(["netns", "exec", &self.namespace]).args(&self.argv);
        // A signal to the terminal's foreground group is not one for the home.
        command.current_dir("/").stdin(Stdio::null()).stdout(log.try_clone()?).stderr(log).process_group(0);
        let mut child =
            command.spawn().map_err(|source| Error::Spawn { command: self.argv.join(" "), source })?;
        if let Some(process) = Process::find(child.id().cast_signed()) {
            write_json(&note, &process)?;
        }
        self.wait(&mut child).map_err(|what| Error::Refused {
            message: format!(
                "`{}` in the home of lab `{}` {what}; its log (`{}`) ends: {}",
                self.argv[0],
                self.lab.name(),
                log_path.display(),
                program::tail(&fs_err::read_to_string(&log_path).unwrap_or_default(), 5)
            ),
        })
    }

    /// Waits until it answers; or says, as a verb phrase, what it does instead.
    fn wait(&self, child: &mut Child) -> std::result::Result<(), String> {
        let deadline = Instant::now() + DEADLINE;
        let connects = || Ok(TcpStream::connect_timeout(&self.answers_at, LOOK).is_ok());
        loop {
            if let Ok(Some(status)) = child.try_wait() {
                return Err(format!("ended at once ({status})"));
            }
            if namespace::inside(&self.namespace, connects).map_err(|error| error.to_string())? {
                return Ok(());
            }
            if Instant::now() > deadline {
                return Err(format!("does not answer within {} s", DEADLINE.as_secs()));
            }
            look_again_after(LOOK);
        }
    }
}
