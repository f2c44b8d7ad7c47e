//! A host's power button, and waiting for what it leads to.

use std::io::{BufRead as _, BufReader};
use std::net::SocketAddr;
use std::path::Path;
use std::time::{Duration, Instant};

use crate::leader::Boot;
use crate::process::look_again_after;
use crate::supervisor::{LOCK, OFF};
use crate::{Error, Lab, Result, connect, lock::Lock, program, supervisor};

/// A container that boots is ready within this time.
const BOOT_DEADLINE: Duration = Duration::from_secs(90);
/// A virtual machine: emulated ones boot in some 20 seconds on a machine with nothing else to do, and in minutes on others.
const VM_BOOT_DEADLINE: Duration = Duration::from_mins(10);
/// A host without power has ended within this time.
const OFF_DEADLINE: Duration = Duration::from_secs(20);
/// How soon a host whose power is cut is looked at once more: it may just have been between two boots.
const CUT_AGAIN: Duration = Duration::from_millis(250);
/// How often a booting host is looked at. Not by inotify: the machine has few instances, and the hosts need them.
const LOOK: Duration = Duration::from_millis(25);

impl Lab {
    /// Switches hosts on and waits until sshd answers on each; one that is on already is only waited for.
    ///
    /// # Errors
    /// When one does not come up in time.
    pub fn power_on(&self, hosts: &[String]) -> Result<()> {
        let mut waiting = Vec::new();
        for host in hosts {
            self.host(host)?;
            let folder = self.places.host(self.name(), host);
            let running = Lock::try_take(&folder.join(LOCK))?.is_none();
            let mut supervisor = None;
            if !running {
                Boot::remove(&folder)?;
                if folder.join(OFF).exists() {
                    fs_err::remove_file(folder.join(OFF))?;
                }
                supervisor = Some(supervisor::start(&self.places, self.name(), host)?);
            }
            waiting.push((host, supervisor));
        }
        let began = Instant::now();
        for (host, mut supervisor) in waiting {
            self.wait_ready(host, 1, began, supervisor.as_mut())?;
        }
        Ok(())
    }

    /// Cuts a host's power: every process of it dies at once, nothing is written any more. It stays off, also where it was just
    /// rebooting.
    ///
    /// # Errors
    /// When its processes do not end.
    pub fn power_cut(&self, host: &str) -> Result<()> {
        let supervisor = self.boot(host)?.supervisor;
        let folder = self.places.host(self.name(), host);
        let deadline = Instant::now() + OFF_DEADLINE;
        loop {
            // A host between two boots has no process that could be ended, and is another one's host right after.
            if let Some(boot) = Boot::read(&folder)? {
                if let Some(leader) = boot.leader {
                    leader.kill();
                }
                boot.container.kill();
            }
            if supervisor.wait(deadline.min(Instant::now() + CUT_AGAIN)) {
                return Ok(());
            }
            if Instant::now() >= deadline {
                return Err(self.deadline(host, "go off", OFF_DEADLINE));
            }
        }
    }

    /// Reboots a host from inside and waits until sshd answers again.
    ///
    /// # Errors
    /// When it does not come back in time.
    pub fn reboot(&self, host: &str) -> Result<()> {
        let boot = self.boot(host)?;
        let began = Instant::now();
        let mut argv = vec!["systemctl", "reboot"];
        let is_virtual = self.host(host)?.machine.vm().is_some();
        // What a virtual machine's agent runs dies with it, and maybe its answer too: there it is only told to begin.
        if is_virtual {
            argv.push("--no-block");
        }
        let output = match self.exec(host, &argv) {
            Err(Error::Io(_)) if is_virtual => return self.wait_ready(host, boot.number + 1, began, None),
            output => output?,
        };
        // The connection to systemd may be cut by the very reboot; only its refusal is an error.
        if !output.status.success() && boot.leader.is_some_and(crate::process::Process::is_alive) {
            return Err(Error::Program {
                command: "systemctl reboot".into(),
                status: output.status,
                stderr: program::tail(&String::from_utf8_lossy(&output.stderr), 3),
            });
        }
        self.wait_ready(host, boot.number + 1, began, None)
    }

    /// The present boot of a host that is on.
    pub(crate) fn boot(&self, host: &str) -> Result<Boot> {
        self.host(host)?;
        Boot::read(&self.places.host(self.name(), host))?
            .ok_or_else(|| Error::Off { lab: self.name().into(), host: host.into() })
    }

    /// The host's first process.
    pub(crate) fn leader(&self, host: &str) -> Result<crate::process::Process> {
        self.boot(host)?
            .leader
            .filter(|leader| leader.is_alive())
            .ok_or_else(|| Error::Off { lab: self.name().into(), host: host.into() })
    }

    /// Waits until sshd answers in boot `number` of a host, or a later one.
    fn wait_ready(
        &self,
        host: &str,
        number: u32,
        began: Instant,
        mut supervisor: Option<&mut std::process::Child>,
    ) -> Result<()> {
        let folder = self.places.host(self.name(), host);
        let deadline = began + self.boot_deadline(host)?;
        loop {
            match Boot::read(&folder)? {
                Some(boot) if boot.ready && boot.number >= number => break,
                _ if folder.join(OFF).exists() => return Err(self.boot_failure(host)),
                _ => {}
            }
            if let Some(child) = supervisor.as_deref_mut()
                && child.try_wait()?.is_some()
                && !folder.join(OFF).exists()
            {
                return Err(self.boot_failure(host));
            }
            if Instant::now() > deadline {
                return Err(self.deadline(host, "boot", self.boot_deadline(host)?));
            }
            look_again_after(LOOK);
        }
        self.greet(host, deadline)
    }

    /// Waits for sshd's first line.
    fn greet(&self, host: &str, deadline: Instant) -> Result<()> {
        let left = deadline.saturating_duration_since(Instant::now()).max(Duration::from_secs(1));
        let address = SocketAddr::from((self.host(host)?.address, 22));
        let connection = connect(self.name(), address, left)?;
        connection.set_read_timeout(Some(left))?;
        let mut line = String::new();
        match BufReader::new(connection).read_line(&mut line) {
            Ok(_) if line.starts_with("SSH-") => Ok(()),
            Err(error) if error.kind() != std::io::ErrorKind::WouldBlock => Err(error.into()),
            _ => Err(self.deadline(host, "answer on port 22", self.boot_deadline(host)?)),
        }
    }

    fn boot_deadline(&self, host: &str) -> Result<Duration> {
        Ok(if self.host(host)?.machine.vm().is_some() { VM_BOOT_DEADLINE } else { BOOT_DEADLINE })
    }

    fn console(&self, host: &str) -> std::path::PathBuf {
        self.places.host(self.name(), host).join("console.log")
    }

    fn deadline(&self, host: &str, waited_for: &'static str, deadline: Duration) -> Error {
        Error::Deadline {
            lab: self.name().into(),
            host: host.into(),
            waited_for,
            seconds: deadline.as_secs(),
            console: self.console(host),
        }
    }

    fn boot_failure(&self, host: &str) -> Error {
        let read = |path: &Path| fs_err::read_to_string(path).unwrap_or_default();
        let folder = self.places.host(self.name(), host);
        let said = read(&self.console(host)) + &read(&folder.join("supervisor.log"));
        Error::Boot {
            lab: self.name().into(),
            host: host.into(),
            console: self.console(host),
            tail: program::tail(&said, 5),
        }
    }
}
