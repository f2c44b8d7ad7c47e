//! Whom a real sshd lets in by the settings of the host that faces the internet, without any packet filter.

use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use garboard_playbooks::shipped;
use garboard_protocol::Step;

use crate::namespace::Namespace;
use crate::support::{artifacts, debian, facts, inputs, inventory};
use crate::vpn::with_vpn;
use crate::{House, TIERS};

/// Longest a real sshd may take to listen.
const STARTED: Duration = Duration::from_secs(10);

/// The settings of the edge host.
fn settings(source: &str) -> String {
    let inventory = inventory(source);
    let facts = facts(&inventory, debian);
    let artifacts = artifacts(&["amd64"]);
    let rendered = shipped().unwrap().render(&inputs(&inventory, &facts, &artifacts)).unwrap();
    let mut steps = rendered.hosts["dmz1"].iter();
    let found = steps.find_map(|planned| match &planned.step {
        Step::Sshd(sshd) => Some(sshd.content.clone()),
        _ => None,
    });
    found.expect("the edge host has settings of sshd")
}

/// A folder with keys, and a configuration as Debian's, which begins with what it includes and allows passwords.
fn folder(source: &str) -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| folder.path().join(name).to_string_lossy().into_owned();
    for key in ["host", "login"] {
        let path = at(key);
        let made = Command::new("ssh-keygen").args(["-q", "-t", "ed25519", "-N", "", "-f", &path]).status();
        assert!(made.unwrap().success());
    }
    fs_err::write(at("settings"), settings(source)).unwrap();
    fs_err::create_dir_all("/run/sshd").unwrap();
    let config = format!(
        "Include {}\nHostKey {}\nAuthorizedKeysFile {}\nPidFile none\nStrictModes no\nUsePAM no\n\
         PermitRootLogin yes\nPasswordAuthentication yes\nMaxAuthTries 6\n",
        at("settings"),
        at("host"),
        at("login.pub")
    );
    fs_err::write(at("config"), config).unwrap();
    folder
}

/// What sshd would do with somebody from there, by its own word.
fn says(folder: &tempfile::TempDir, user: &str, address: &str) -> String {
    let connection = format!("user={user},host=somewhere,addr={address},laddr=192.0.2.2,lport=22");
    let config = folder.path().join("config");
    let mut sshd = Command::new("/usr/sbin/sshd");
    let output = sshd.arg("-T").arg("-C").arg(connection).arg("-f").arg(config).output();
    let output = output.expect("openssh-server is installed");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

fn takes_passwords(folder: &tempfile::TempDir, user: &str, address: &str) -> bool {
    says(folder, user, address).contains("\npasswordauthentication yes\n")
}

fn refuses_everybody(folder: &tempfile::TempDir, address: &str) -> bool {
    says(folder, "pi", address).contains("\ndenyusers *\n")
}

#[test]
fn sshd_takes_no_password_and_nobody_but_from_home_and_the_vpn() {
    let folder = folder(&with_vpn());
    for (address, refused) in [
        ("203.0.113.9", true),
        ("10.244.3.5", true),
        ("2001:db8:1::9", true),
        ("192.168.1.50", false),
        ("10.8.0.2", false),
        ("fd00:1::50", false),
        ("127.0.0.1", false),
        ("::1", false),
    ] {
        assert_eq!(refuses_everybody(&folder, address), refused, "{address}");
        assert!(!takes_passwords(&folder, "pi", address), "a password opens it from {address}");
    }
    let said = says(&folder, "pi", "192.168.1.50");
    assert!(said.contains("\nmaxauthtries 3\n") && said.contains("\nlogingracetime 30\n"), "{said}");
    assert!(refuses_everybody(&self::folder(TIERS), "10.8.0.2"), "there is no VPN");
}

#[test]
fn who_logs_in_with_a_password_by_the_inventory_still_does_from_home_alone_and_not_as_root() {
    let login = "dmz1: { ssh: { user: pi, password: { env: PASSWORD } },";
    let folder = folder(&with_vpn().replacen("dmz1: {", login, 1));
    assert!(takes_passwords(&folder, "pi", "192.168.1.50"), "the inventory's own login is locked out");
    for (user, address) in [("root", "192.168.1.50"), ("pi", "10.8.0.2"), ("pi", "203.0.113.9")] {
        assert!(!takes_passwords(&folder, user, address), "{user} comes in with a password from {address}");
    }
    assert!(refuses_everybody(&folder, "203.0.113.9") && !refuses_everybody(&folder, "192.168.1.50"));
}

/// Ends it with the test.
struct Running(Child);

impl Drop for Running {
    fn drop(&mut self) {
        drop(self.0.kill());
        drop(self.0.wait());
    }
}

fn started(edge: &Namespace, folder: &tempfile::TempDir) -> Running {
    let config = folder.path().join("config");
    let child = edge.on(move || {
        let mut sshd = Command::new("/usr/sbin/sshd");
        sshd.arg("-D").arg("-p").arg("2222").arg("-f").arg(config).stderr(Stdio::null());
        sshd.spawn().expect("openssh-server is installed")
    });
    let running = Running(child);
    let deadline = Instant::now() + STARTED;
    while Instant::now() < deadline && !edge.run("ss --listening --tcp --numeric").contains(":2222") {
        std::thread::yield_now();
    }
    running
}

/// Whether the key of the login opens it from there.
fn logs_in(from: &Namespace, folder: &tempfile::TempDir, address: &str) -> bool {
    let key = folder.path().join("login");
    let target = format!("root@{address}");
    from.on(move || {
        let mut ssh = Command::new("ssh");
        ssh.args(["-F", "none", "-p", "2222", "-o", "BatchMode=yes", "-o", "ConnectTimeout=5"]);
        ssh.args(["-o", "UserKnownHostsFile=/dev/null", "-o", "StrictHostKeyChecking=no", "-i"]);
        ssh.arg(key).arg(target).arg("true").stderr(Stdio::null()).stdin(Stdio::null());
        ssh.status().expect("an ssh client is installed").success()
    })
}

#[test]
fn a_right_key_opens_the_edge_host_from_home_and_not_from_the_internet_even_without_a_packet_filter() {
    let House { internet, home, edge, pod } = House::new();
    let folder = folder(TIERS);
    let open = started(&edge, &folder);
    assert!(logs_in(&home, &folder, "192.168.1.10"), "home is locked out");
    assert!(internet.reaches("203.0.113.10:443"), "the internet is filtered: the test would show nothing");
    assert!(!logs_in(&internet, &folder, "203.0.113.10"), "the internet logs in");
    assert!(!logs_in(&pod, &folder, "10.244.3.1"), "a pod logs in");
    drop(open);
    fs_err::write(folder.path().join("settings"), "").unwrap();
    let _open = started(&edge, &folder);
    assert!(logs_in(&internet, &folder, "203.0.113.10"), "the key is wrong: the test shows nothing");
}
