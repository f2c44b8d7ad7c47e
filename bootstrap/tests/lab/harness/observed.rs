//! What our login and our unit did on hosts while something ran, seen from outside.

use std::collections::{BTreeMap, BTreeSet};
use std::process::Command;

use garboard_lab::observer::{Event, Kind, Observer};

use super::TestLab;
use super::environment::product;

/// The agent's own lock and socket, and the folder they are in: gone with the next boot.
const OWN: [&str; 3] = ["/run/garboard", "/run/garboard/lock", "/run/garboard/executor.sock"];

/// Places that change only when somebody changes the host, whoever does it.
const KEPT: [&str; 5] = ["/etc/", "/usr/", "/opt/", "/var/lib/garboard/", "/boot/"];

/// Services that we brought work by themselves, and write their metrics and who is connected; whether they were restarted their
/// start times show.
const SERVICES: [&str; 2] = ["/garboard-ddns.service", "/garboard-openvpn.service"];

/// Observers on some hosts.
pub(crate) struct Watch {
    control: BTreeMap<String, Control>,
    observers: BTreeMap<String, Observer>,
}

/// What they saw.
pub(crate) struct Observed {
    /// Of each host.
    control: BTreeMap<String, Control>,
    events: BTreeMap<String, Vec<Event>>,
}

/// What any login and any transient unit writes and executes: kind of event and path without its numbers.
type Control = BTreeSet<(Kind, String)>;

impl Watch {
    /// Begins; what happens after the return is seen.
    pub(crate) fn begin(lab: &TestLab, hosts: &[String]) -> Self {
        // Each release has its own way to log somebody in.
        let mut of_release = BTreeMap::new();
        let mut control = BTreeMap::new();
        for host in hosts {
            let os = lab.lab().host(host).unwrap().os;
            let known = of_release.entry(os).or_insert_with(|| self::control(lab, host));
            control.insert(host.clone(), known.clone());
        }
        let observers =
            hosts.iter().map(|host| (host.clone(), Observer::start(lab.lab(), host).unwrap())).collect();
        Self { control, observers }
    }

    /// Ends.
    pub(crate) fn end(self) -> Observed {
        let events =
            self.observers.into_iter().map(|(host, observer)| (host, observer.stop().unwrap())).collect();
        Observed { control: self.control, events }
    }
}

impl Observed {
    /// Nothing was written by our login or our unit but its lock and socket, and nothing by anybody where only an
    /// administrator writes.
    #[track_caller]
    pub(crate) fn assert_no_write_of_ours(&self, host: &str) {
        let seen = &self.events[host];
        assert!(
            seen.iter().any(|event| is_of_login(&event.cgroup)),
            "no login was seen on {host}: the watch is blind"
        );
        let found: Vec<String> = seen
            .iter()
            .filter(|event| event.kind != Kind::Execute)
            .filter(|event| is_ours(event) || KEPT.iter().any(|place| event.path.starts_with(place)))
            .filter(|event| !OWN.contains(&event.path.as_str()))
            .filter(|event| !self.control[host].contains(&pattern(event)))
            .map(|event| format!("{:?} {} by {} in {}", event.kind, event.path, event.program, event.cgroup))
            .collect();
        assert!(found.is_empty(), "written on {host}:\n{}", found.join("\n"));
    }

    /// Paths of the programs that our login and our unit executed, in order.
    pub(crate) fn programs(&self, host: &str) -> Vec<String> {
        self.executed(host).map(|event| event.path.clone()).collect()
    }

    /// Those of them that a bare login and an empty unit do not execute.
    pub(crate) fn programs_of_ours(&self, host: &str) -> BTreeSet<String> {
        let ours = self.executed(host).filter(|event| !self.control[host].contains(&pattern(event)));
        ours.map(|event| event.path.clone()).collect()
    }

    fn executed(&self, host: &str) -> impl Iterator<Item = &Event> {
        self.events[host].iter().filter(|event| event.kind == Kind::Execute && is_ours(event))
    }
}

fn is_ours(event: &Event) -> bool {
    if SERVICES.iter().any(|service| event.cgroup.contains(service)) {
        return false;
    }
    // A process that ended before it could be looked at may have been ours.
    is_of_login(&event.cgroup) || event.cgroup.contains("/garboard-") || event.cgroup.is_empty()
}

/// sshd's own children before they become a session, the session, and what logind starts for it.
fn is_of_login(cgroup: &str) -> bool {
    cgroup.contains("/ssh.service") || cgroup.contains("/user.slice")
}

/// A bare login and an empty unit.
fn control(lab: &TestLab, host: &str) -> Control {
    let observer = Observer::start(lab.lab(), host).unwrap();
    // Twice: the first login of a boot makes what later ones find.
    for _ in 0..2 {
        log_in(lab, host);
    }
    let unit = "--unit=garboard-control";
    lab.host(host).exec(&[
        "systemd-run",
        "--quiet",
        "--collect",
        "--wait",
        unit,
        "--property=Type=exec",
        "true",
    ]);
    observer
        .stop()
        .unwrap()
        .iter()
        .filter(|event| event.kind != Kind::Execute || is_ours(event))
        .map(pattern)
        .collect()
}

fn log_in(lab: &TestLab, host: &str) {
    let address = lab.lab().host(host).unwrap().address;
    let proxy = format!("ProxyCommand={} lab connect {} %h %p", product().display(), lab.name());
    let output = Command::new("ssh")
        .args(["-F", "/dev/null", "-o", "BatchMode=yes", "-o", "StrictHostKeyChecking=no"])
        .args(["-o", "UserKnownHostsFile=/dev/null", "-o", "LogLevel=ERROR", "-o", &proxy, "-i"])
        .arg(lab.lab_folder().join("identity"))
        .args([&format!("root@{address}"), "true"])
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
}

/// Numbers and random parts differ from login to login.
fn pattern(event: &Event) -> (Kind, String) {
    let mut path = String::new();
    for character in event.path.chars() {
        let character = if character.is_ascii_digit() { '#' } else { character };
        if character != '#' || !path.ends_with('#') {
            path.push(character);
        }
    }
    (event.kind, path)
}
