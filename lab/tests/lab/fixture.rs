//! A lab for one test, removed at its end however it ends.

use std::os::fd::{AsFd as _, OwnedFd};
use std::path::PathBuf;
use std::process::{Command, Output};
use std::sync::OnceLock;

use garboard_lab::{Lab, Machine, Places, Release, Shape};
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use rustix::process::{Pid, PidfdFlags, pidfd_open};

/// A lab that goes with the test.
pub(super) struct TestLab {
    pub(super) lab: Lab,
    pub(super) places: Places,
}

impl TestLab {
    /// Hosts `cp1`, `w1`, … of a lab that only this test has.
    pub(super) fn up(name: &str, workers: usize) -> Self {
        Self::up_with(name, workers, None)
    }

    pub(super) fn up_with(name: &str, workers: usize, mirror: Option<PathBuf>) -> Self {
        Self::up_shaped(name, shape(workers), mirror)
    }

    pub(super) fn up_shaped(name: &str, shape: Shape, mirror: Option<PathBuf>) -> Self {
        let places = places();
        // An earlier run may have been killed.
        Lab::down(&places, name).expect("the remains of an earlier run go away");
        let guard = Guard { places: places.clone(), name: name.into() };
        let lab = Lab::up(&places, name, shape, mirror, &|_| {}).expect("the lab comes up");
        std::mem::forget(guard);
        Self { lab, places }
    }

    /// What a program on a host prints; it must succeed.
    pub(super) fn says(&self, host: &str, argv: &[&str]) -> String {
        let output = self.lab.exec(host, argv).expect("the host runs programs");
        assert!(output.status.success(), "{argv:?}: {output:?}");
        String::from_utf8(output.stdout).expect("text").trim().to_owned()
    }

    /// Names of the timers that run on a host.
    pub(super) fn timers(&self, host: &str) -> Vec<String> {
        let argv =
            ["systemctl", "list-units", "--type=timer", "--state=active", "--plain", "--no-legend", "--full"];
        let listed = self.says(host, &argv);
        listed.lines().filter_map(|line| Some(line.split_whitespace().next()?.to_owned())).collect()
    }

    /// A host's present boot as a process: what it gives is waited for with [`ended`].
    pub(super) fn boot(&self, host: &str) -> OwnedFd {
        let record = self.places.lab(self.lab.name()).join("hosts").join(host);
        let record = fs_err::read(record.join("boot.json")).expect("the host is on");
        let record: serde_json::Value = serde_json::from_slice(&record).expect("JSON");
        let number = record["container"]["pid"].as_i64().and_then(|pid| i32::try_from(pid).ok());
        let number = number.and_then(Pid::from_raw).expect("a process");
        pidfd_open(number, PidfdFlags::empty()).expect("it runs")
    }

    /// Logs in as the inventory says and runs a command there.
    pub(super) fn ssh(&self, host: &str, command: &str) -> Output {
        let inventory = garboard_inventory::load(&self.lab.inventory()).expect("a valid inventory");
        let host = inventory.hosts.iter().find(|one| one.name == host).expect("the host is in the inventory");
        let proxy = host.ssh.proxy_command.as_ref().expect("a proxy command");
        Command::new("ssh")
            .args([
                "-F",
                "none",
                "-o",
                "BatchMode=yes",
                "-o",
                "StrictHostKeyChecking=no",
                "-o",
                "LogLevel=ERROR",
            ])
            .args(["-o", "UserKnownHostsFile=/dev/null", "-o", &format!("ProxyCommand={proxy}")])
            .arg("-i")
            .arg(&host.ssh.identity[0])
            .arg(format!("{}@{}", host.ssh.user.as_deref().unwrap_or("root"), host.address))
            .arg(command)
            .output()
            .expect("ssh runs")
    }
}

impl Drop for TestLab {
    fn drop(&mut self) {
        down(&self.places, self.lab.name());
    }
}

/// Waits for a process to end; false when it does not within a minute.
pub(super) fn ended(process: &OwnedFd) -> bool {
    let mut one = [PollFd::new(process.as_fd(), PollFlags::POLLIN)];
    poll(&mut one, PollTimeout::from(60_000_u16)).is_ok_and(|ended| ended == 1)
}

/// A control plane and so many workers.
pub(super) fn shape(workers: usize) -> Shape {
    let (os, machine) = (Release::Bookworm, Machine::Container);
    Shape { control_planes: 1, workers, edge: false, os, machine }
}

/// For the time in which there is no lab yet.
struct Guard {
    places: Places,
    name: String,
}

impl Drop for Guard {
    fn drop(&mut self) {
        down(&self.places, &self.name);
    }
}

fn down(places: &Places, name: &str) {
    if let Err(error) = Lab::down(places, name)
        && !std::thread::panicking()
    {
        panic!("the lab does not go away: {error}");
    }
}

/// The user's own folders (the base image is kept there), and the example program in the CLI's place.
pub(super) fn places() -> Places {
    static PROGRAM: OnceLock<PathBuf> = OnceLock::new();
    let program = PROGRAM.get_or_init(|| {
        let status = Command::new(env!("CARGO"))
            .args(["build", "--quiet", "--package", "garboard-lab", "--example", "lab"])
            .status()
            .expect("cargo runs");
        assert!(status.success(), "the example program does not build");
        let own = std::env::current_exe().expect("this test has a path");
        // target/PROFILE/deps/lab-HASH
        own.ancestors().nth(2).expect("a profile's folder").join("examples/lab")
    });
    Places { program: program.clone(), ..Places::from_environment().expect("a home") }
}

/// Runs the program as a user does.
pub(super) fn cli(arguments: &[&str]) -> Output {
    Command::new(places().program).arg("lab").args(arguments).output().expect("the program runs")
}
