//! The process that stands for a host's power supply and mainboard: starts its container or virtual machine, and again after
//! a reboot inside.

use std::io::Write as _;
use std::os::fd::AsFd;
use std::os::unix::net::UnixDatagram;
use std::os::unix::process::{CommandExt as _, ExitStatusExt as _};
use std::path::Path;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::Duration;

use fs_err::File;
use nix::unistd::setsid;

use crate::leader::Boot;
use crate::lock::Lock;
use crate::process::{Process, wait_readable};
use crate::vm::guest::Starting;
use crate::vm::monitor::Monitor;
use crate::{Error, Lab, Places, Result, cgroup, exec, faults, namespace, network, remains};

/// How systemd-nspawn ends when its payload asked for a reboot (`EXIT_FORCE_RESTART` of systemd).
const REBOOT: i32 = 133;
/// How often a silent host is looked at; what it says is heard at once.
const LOOK: Duration = Duration::from_millis(250);

/// The file whose lock a host's supervisor holds for as long as it lives.
pub(crate) const LOCK: &str = "supervisor.lock";
/// What a host's present boot says.
const CONSOLE: &str = "console.log";
/// What the boot before said: why it ended.
const CONSOLE_BEFORE: &str = "console.before.log";
/// The file that says that a host was switched off, rather than never started or lost with the machine's own reboot.
pub(crate) const OFF: &str = "off";

/// Starts a host's supervisor, in a session of its own.
pub(crate) fn start(places: &Places, lab: &str, host: &str) -> Result<Child> {
    let folder = places.host(lab, host);
    let log = File::options().create(true).append(true).open(folder.join("supervisor.log"))?.into_parts().0;
    let mut command = Command::new(&places.program);
    exec::set_places(&mut command, places);
    command
        .args(["lab", "supervise", lab, host])
        .current_dir("/")
        .stdin(Stdio::null())
        .stdout(log.try_clone()?)
        .stderr(log)
        // A signal to the terminal's foreground group is not one for the host.
        .process_group(0);
    command.spawn().map_err(|source| Error::Spawn { command: places.program.display().to_string(), source })
}

/// Runs a host until it is switched off: `lab supervise LAB HOST`.
///
/// # Errors
/// When the host cannot be started.
pub(crate) fn supervise(places: &Places, lab: &str, host: &str) -> Result<()> {
    // Fails only where a session leader calls it, and then there is nothing to do.
    let _ = setsid();
    let folder = places.host(lab, host);
    let Some(_lock) = Lock::try_take(&folder.join(LOCK))? else {
        return Err(Error::Refused {
            message: format!("host `{host}` of lab `{lab}` has a supervisor already"),
        });
    };
    let mut number = 1;
    let result = loop {
        let (status, reboots) = match run_once(places, lab, host, number) {
            Ok(ended) => ended,
            Err(error) => {
                log(&format!("boot {number} failed: {error}: {:?}", std::error::Error::source(&error)));
                break Err(error);
            }
        };
        log(&format!("boot {number} ended: {status}"));
        if !reboots {
            break Ok(());
        }
        number += 1;
    };
    // Nothing of the host may run on after its power is gone.
    remains::end_processes(&namespace::of_host(lab, host))?;
    network::remove(&namespace::of_host(lab, host))?;
    fs_err::write(folder.join(OFF), "")?;
    Boot::remove(&folder)?;
    result
}

/// One boot, from power-on to the end of the container or virtual machine: how that ended, and whether in order to boot again.
fn run_once(places: &Places, lab: &str, host: &str, number: u32) -> Result<(ExitStatus, bool)> {
    let folder = places.host(lab, host);
    let name = namespace::of_host(lab, host);
    let opened = Lab::open(places, lab)?;
    let one = opened.host(host)?;
    let is_vm = one.machine.vm().is_some();

    // What a real reboot clears: processes, cgroups, links, rules. Mounts end with the container's mount namespace.
    remains::end_processes(&name)?;
    cgroup::make(&name)?;
    if is_vm {
        network::make_tap(&opened.record, one)?;
    } else {
        network::make_host(&opened.record, one)?;
    }
    faults::apply(places, lab, host)?;

    let socket_path = folder.join("notify");
    let socket = bind(&socket_path)?;
    let monitor = if is_vm { Some(Monitor::listen(&folder)?) } else { None };
    keep_console(&folder)?;
    let console = File::create(folder.join(CONSOLE))?.into_parts().0;
    let mut child = Command::new(&places.program)
        .args(["lab", "boot", lab, host])
        .env("NOTIFY_SOCKET", &socket_path)
        .stdin(Stdio::null())
        .stdout(console.try_clone()?)
        .stderr(console)
        .spawn()
        .map_err(|source| Error::Spawn { command: places.program.display().to_string(), source })?;
    let container = Process::find(child.id().cast_signed());
    let Some(container) = container else { return Ok((child.wait()?, false)) };
    let leader = is_vm.then_some(container);
    let mut boot = Boot { number, supervisor: Process::own()?, container, leader, ready: false };
    boot.write(&folder)?;
    log(&format!("boot {number} began"));
    if let Some(monitor) = monitor {
        return follow_vm(child, boot, monitor, &folder);
    }
    // Ends with the container: its messages first, then its end.
    loop {
        if wait_readable(socket.as_fd(), LOOK) && hear(&socket, &mut boot)? {
            boot.write(&folder)?;
        }
        if let Some(status) = child.try_wait()? {
            kill_leader(&boot);
            return Ok((status, status.code() == Some(REBOOT)));
        }
        if boot.ready {
            let status = wait_to_end(child, &boot)?;
            return Ok((status, status.code() == Some(REBOOT)));
        }
    }
}

fn keep_console(folder: &Path) -> Result<()> {
    match fs_err::rename(folder.join(CONSOLE), folder.join(CONSOLE_BEFORE)) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => Err(error.into()),
        _ => Ok(()),
    }
}

/// Follows a virtual machine to its end. That it has booted tells the agent on it.
fn follow_vm(
    mut child: Child,
    mut boot: Boot,
    mut monitor: Monitor,
    folder: &Path,
) -> Result<(ExitStatus, bool)> {
    let mut starting = Starting::of(folder);
    loop {
        monitor.hear(LOOK)?;
        if let Some(status) = child.try_wait()? {
            return Ok((status, monitor.asked_for_reboot()));
        }
        if !boot.ready && starting.has_booted() {
            boot.ready = true;
            boot.write(folder)?;
        }
    }
}

/// The host is up: nothing is to be heard any more until its container ends.
fn wait_to_end(mut child: Child, boot: &Boot) -> std::io::Result<ExitStatus> {
    let status = child.wait()?;
    kill_leader(boot);
    if let Some(signal) = status.signal() {
        log(&format!("the container was ended by signal {signal}"));
    }
    Ok(status)
}

/// Reads one message of systemd-nspawn; says whether it changed what we know.
fn hear(socket: &UnixDatagram, boot: &mut Boot) -> Result<bool> {
    let mut buffer = [0; 4096];
    let length = socket.recv(&mut buffer)?;
    let before = *boot;
    for line in String::from_utf8_lossy(&buffer[..length]).lines() {
        match line.split_once('=') {
            Some(("X_NSPAWN_LEADER_PID", pid)) => boot.leader = pid.parse().ok().and_then(Process::find),
            Some(("READY", "1")) => boot.ready = true,
            _ => {}
        }
    }
    Ok(*boot != before)
}

/// A killed systemd-nspawn leaves its payload running.
fn kill_leader(boot: &Boot) {
    if let Some(leader) = boot.leader {
        leader.kill();
    }
}

fn bind(path: &Path) -> Result<UnixDatagram> {
    match fs_err::remove_file(path) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => return Err(error.into()),
        _ => {}
    }
    Ok(UnixDatagram::bind(path)?)
}

fn log(message: &str) {
    // The supervisor's standard error is its log file.
    let _ = writeln!(std::io::stderr(), "{message}");
}
