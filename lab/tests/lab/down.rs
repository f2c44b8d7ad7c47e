//! Nothing of a lab outlives `down`.

use std::io::Read as _;
use std::net::{SocketAddr, TcpStream};
use std::process::Command;
use std::time::Duration;

use garboard_lab::Lab;

use super::fixture::{TestLab, cli, places};

/// Whatever on this machine carries a lab's name.
pub(super) fn remains(name: &str) -> Vec<String> {
    let mut found = Vec::new();
    let mut look = |place: &str, text: String| {
        found.extend(text.lines().filter(|line| line.contains(name)).map(|line| format!("{place}: {line}")));
    };
    let run = |argv: &[&str]| {
        let output = Command::new(argv[0]).args(&argv[1..]).output().expect("the program runs");
        String::from_utf8_lossy(&output.stdout).into_owned()
    };
    look("namespaces", run(&["ip", "netns", "list"]));
    look("mounts", fs_err::read_to_string("/proc/self/mountinfo").expect("mounts"));
    look("links", run(&["ip", "-brief", "link"]));
    for folder in ["/run/systemd/nspawn", "/sys/fs/cgroup", places().labs().to_str().expect("a plain path")] {
        look("files", run(&["find", folder, "-name", &format!("*{name}*")]));
    }
    look("processes", run(&["ps", "-eo", "args"]).lines().filter(|line| line.contains(name)).collect());
    found
}

#[test]
fn nothing_outlives_down() {
    let test = TestLab::up("t-down", 1);
    assert!(!remains("t-down").is_empty());
    Lab::down(&test.places, "t-down").unwrap();
    assert_eq!(remains("t-down"), [""; 0]);
    // Once more is fine.
    Lab::down(&test.places, "t-down").unwrap();
}

#[test]
fn nothing_outlives_down_after_a_crash() {
    let test = TestLab::up("t-crash", 1);
    // What a crash of everything of ours leaves: hosts that run on without supervisors, and no record of them.
    let listed = Command::new("pgrep").args(["-f", "lab supervise t-crash "]).output().unwrap();
    let listed = String::from_utf8_lossy(&listed.stdout).into_owned();
    assert_eq!(listed.lines().count(), 2, "{listed}");
    for pid in listed.lines() {
        assert!(Command::new("kill").args(["-KILL", pid]).status().unwrap().success());
    }
    fs_err::remove_dir_all(test.places.lab("t-crash")).unwrap();
    let left = remains("t-crash");
    assert!(left.iter().any(|line| line.starts_with("files: /sys/fs/cgroup")), "{left:?}");
    assert!(left.iter().any(|line| line.starts_with("namespaces")), "{left:?}");

    let listed = cli(&["status"]);
    assert!(String::from_utf8_lossy(&listed.stdout).contains("lab t-crash: only remains"), "{listed:?}");
    let refused = cli(&["up", "t-crash"]);
    assert!(String::from_utf8_lossy(&refused.stderr).contains("garboard lab down t-crash"), "{refused:?}");

    Lab::down(&test.places, "t-crash").unwrap();
    assert_eq!(remains("t-crash"), [""; 0]);
}

#[test]
fn the_machines_settings_come_back_after_the_last_host() {
    // One that does no harm while it is another one, and that every host shares with the machine.
    let value = || fs_err::read_to_string("/proc/sys/kernel/printk_ratelimit_burst").unwrap();
    let before = value();
    let test = TestLab::up("t-settings", 0);
    test.says("cp1", &["sysctl", "-w", "kernel.printk_ratelimit_burst=17"]);
    assert_eq!(value(), "17\n", "the setting is not the machine's on this kernel");
    Lab::down(&test.places, "t-settings").unwrap();
    let note = fs_err::read_to_string("/run/garboard-lab/machine.json").unwrap_or_default();
    if note.is_empty() {
        assert_eq!(value(), before);
    } else {
        // Hosts of other labs run: theirs is the last `down`, and the note still knows.
        let note: serde_json::Value = serde_json::from_str(&note).unwrap();
        let hosts = note["hosts"].as_array().unwrap();
        assert!(
            !hosts.is_empty() && hosts.iter().all(|host| !host.as_str().unwrap().contains("t-settings")),
            "{hosts:?}"
        );
        assert_eq!(note["settings"]["kernel/printk_ratelimit_burst"], "10\n");
    }
}

#[test]
fn a_lab_is_not_reachable_from_the_machine_nor_from_another_lab() {
    let one = TestLab::up("t-apart-1", 0);
    let two = TestLab::up("t-apart-2", 0);
    let address = |test: &TestLab| SocketAddr::from((test.lab.hosts()[0].address, 22));
    let second = Duration::from_secs(1);
    // A machine behind a proxy may get a connection to anywhere, but no sshd's greeting on it.
    let greets = |connection: std::io::Result<TcpStream>| {
        let Ok(mut connection) = connection else { return false };
        connection.set_read_timeout(Some(second)).unwrap();
        let mut greeting = [0; 4];
        connection.read_exact(&mut greeting).is_ok() && greeting == *b"SSH-"
    };
    let connect =
        |lab: &str, address| garboard_lab::connect(lab, address, second).map_err(std::io::Error::other);
    assert!(!greets(TcpStream::connect_timeout(&address(&one), second)));
    assert_ne!(address(&one), address(&two));
    assert!(greets(connect("t-apart-1", address(&one))));
    assert!(!greets(connect("t-apart-1", address(&two))));
}

#[test]
fn a_mirror_is_served_until_down() {
    let mirror = tempfile::tempdir().unwrap();
    for folder in ["files/example.org", "registry"] {
        fs_err::create_dir_all(mirror.path().join(folder)).unwrap();
    }
    fs_err::write(mirror.path().join("files/example.org/file"), "content").unwrap();
    fs_err::write(mirror.path().join("garboard.lock"), "version: 1\nkubernetes: v1.36.1\n").unwrap();
    let test = TestLab::up_with("t-mirror", 0, Some(mirror.path().into()));
    let upstream = test.lab.summary().unwrap().upstream.expect("the mirror is served");
    let address: SocketAddr = upstream.strip_prefix("http://").unwrap().parse().unwrap();
    assert!(address.ip().is_loopback());
    assert!(TcpStream::connect(address).is_ok());
    let inventory = garboard_inventory::load(&test.lab.inventory()).unwrap();
    assert_eq!(inventory.cluster.kubernetes.to_string(), "1.36.1");
    let beside = test.lab.inventory().with_file_name("garboard.lock");
    assert_eq!(fs_err::read_to_string(beside).unwrap(), "version: 1\nkubernetes: v1.36.1\n");
    Lab::down(&test.places, "t-mirror").unwrap();
    assert!(TcpStream::connect(address).is_err());
}
