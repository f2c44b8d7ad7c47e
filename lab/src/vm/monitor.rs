//! What QEMU itself tells of a virtual machine: that it asked for a reboot, or went off. (QEMU's machine protocol.)

use std::io::{Read as _, Write as _};
use std::os::fd::AsFd as _;
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::Path;
use std::time::Duration;

use serde_json::Value;

use crate::Result;
use crate::process::wait_readable;

/// The socket's name in a host's folder. QEMU connects to it.
pub(crate) const SOCKET: &str = "events";

/// Listens to one QEMU.
pub(crate) struct Monitor {
    listener: UnixListener,
    stream: Option<UnixStream>,
    heard: Vec<u8>,
    asked_for_reboot: bool,
}

impl Monitor {
    /// Before QEMU starts.
    pub(crate) fn listen(folder: &Path) -> Result<Self> {
        let path = folder.join(SOCKET);
        match fs_err::remove_file(&path) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => return Err(error.into()),
            _ => {}
        }
        let listener = UnixListener::bind(path)?;
        Ok(Self { listener, stream: None, heard: Vec::new(), asked_for_reboot: false })
    }

    /// Hears what there is to hear, or waits that long.
    pub(crate) fn hear(&mut self, time: Duration) -> Result<()> {
        let Some(stream) = &mut self.stream else {
            if wait_readable(self.listener.as_fd(), time) {
                let (mut stream, _) = self.listener.accept()?;
                // Without that it tells nothing.
                stream.write_all(b"{\"execute\":\"qmp_capabilities\"}\n")?;
                self.stream = Some(stream);
            }
            return Ok(());
        };
        if !wait_readable(stream.as_fd(), time) {
            return Ok(());
        }
        let mut buffer = [0; 4096];
        match stream.read(&mut buffer) {
            // QEMU ended; so does the process.
            Ok(0) | Err(_) => {
                crate::process::look_again_after(time.min(Duration::from_millis(20)));
            }
            Ok(length) => self.take(&buffer[..length]),
        }
        Ok(())
    }

    /// Whether the machine ended in order to boot again. After the process's end: what it said before is still there.
    pub(crate) fn asked_for_reboot(mut self) -> bool {
        if let Some(stream) = &mut self.stream {
            let mut rest = Vec::new();
            // Nobody is at the other end any more: this comes to an end.
            let _ = stream.read_to_end(&mut rest);
            self.take(&rest);
        }
        self.asked_for_reboot
    }

    fn take(&mut self, bytes: &[u8]) {
        self.heard.extend_from_slice(bytes);
        while let Some(end) = self.heard.iter().position(|byte| *byte == b'\n') {
            let line: Vec<u8> = self.heard.drain(..=end).collect();
            self.asked_for_reboot |= is_reboot(&line);
        }
    }
}

/// `{"event": "SHUTDOWN", "data": {"guest": true, "reason": "guest-reset"}, …}`
fn is_reboot(line: &[u8]) -> bool {
    let said: Value = serde_json::from_slice(line).unwrap_or_default();
    said["event"] == "SHUTDOWN" && said["data"]["reason"] == "guest-reset"
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reboot_is_told_from_a_machine_that_goes_off() {
        let ended = |reason: &str| {
            format!(
                "{{\"timestamp\": {{\"seconds\": 1, \"microseconds\": 2}}, \"event\": \"SHUTDOWN\", \
                 \"data\": {{\"guest\": true, \"reason\": \"{reason}\"}}}}\n"
            )
        };
        let folder = tempfile::tempdir().unwrap();
        for (reason, reboots) in [("guest-reset", true), ("guest-shutdown", false)] {
            let mut monitor = Monitor::listen(folder.path()).unwrap();
            let mut qemu = UnixStream::connect(folder.path().join(SOCKET)).unwrap();
            monitor.hear(Duration::from_secs(5)).unwrap();
            qemu.write_all(b"{\"QMP\": {}}\n{\"return\": {}}\n").unwrap();
            monitor.hear(Duration::from_secs(5)).unwrap();
            qemu.write_all(ended(reason).as_bytes()).unwrap();
            drop(qemu);
            assert_eq!(monitor.asked_for_reboot(), reboots, "{reason}");
        }
    }
}
