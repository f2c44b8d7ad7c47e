//! The VPN on an edge host, beside an OpenVPN of somebody else: made by `up`, used by real clients, revoked, given back.

use std::io::{BufRead as _, BufReader};
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{self, Receiver};
use std::time::{Duration, Instant};

use serde_json::Value;

use crate::harness::{Phases, Shape, States, TestLab, assert_same, json_of};
use crate::second_up::second_up_changes_nothing;

/// The package, and what it needs beyond a host's default install.
const PACKAGES: [&str; 7] = [
    "openvpn",
    "libcap-ng0",
    "liblz4-1",
    "liblzo2-2",
    "libnl-3-200",
    "libnl-genl-3-200",
    "libpkcs11-helper1",
];
/// Somebody else's tunnel: no keys, it only has to be there, and stay. It writes no status, which would change by itself.
const FOREIGN: &str =
    "dev tun9\ndev-type tun\nproto udp\nport 1195\nifconfig 10.77.0.1 10.77.0.2\nstatus /dev/null\n";
const DEADLINE: Duration = Duration::from_mins(1);

#[test]
fn a_vpn_on_the_edge() {
    let mut phases = Phases::of("a_vpn_on_the_edge");
    let lab = phases.must("a control plane and an edge host", || TestLab::up("t-openvpn", Shape::workers(1)));
    phases.must("an OpenVPN of somebody else", || install_a_foreign_instance(&lab));
    let before = phases.must("the state of both hosts", || lab.states());
    let edge = lab.edited("role: worker,", "role: worker, edge: true,");
    let address = address_of(&lab, "w1");
    let section = |users: &str| {
        format!(
            "\nedge:\n  openvpn: {{ remote: {address}, routes: [10.96.0.0/12], users: [{users}] }}\nhosts:"
        )
    };
    let both = lab.edited("\nhosts:", &section("alice, bob"));
    phases.must("up makes the server", || lab.converge());
    phases.check("second_up_changes_nothing", || second_up_changes_nothing(&lab));
    phases.check("whoever_is_not_in_the_inventory_gets_no_profile", || {
        lab.garboard(&["vpn", "add", "carol"]).expect(2).says(&["users: [alice, bob, carol]"]);
    });
    let (alice, bob) = phases.must("two profiles", || (profile(&lab, "alice"), profile(&lab, "bob")));
    phases.check("the_authoritys_key_is_nowhere_on_the_edge_host", || {
        the_authoritys_key_is_nowhere_on_the_edge_host(&lab);
    });
    let mut bobs = phases.must("bob comes in", || come_in(&lab, &bob));
    phases.check("a_user_reaches_a_service_of_the_cluster_and_no_sshd_of_the_edge_host", || {
        a_user_reaches_a_service_of_the_cluster_and_no_sshd_of_the_edge_host(&lab);
    });
    phases.check("a_revoked_user_is_out_at_once_and_stays_out", || {
        a_revoked_user_is_out_at_once_and_stays_out(&lab, &alice);
    });
    phases.check("another_user_stays_connected", || {
        assert!(bobs.child.try_wait().unwrap().is_none(), "bob is out");
        assert!(user(&lab, "bob")["connected"].is_object());
    });
    drop(both);
    let one = lab.edited("\nhosts:", &section("alice"));
    phases.check("whoever_leaves_the_inventory_is_out_with_the_next_up", || {
        lab.converge();
        assert_eq!(user(&lab, "bob")["standing"], "revoked");
        assert!(user(&lab, "bob")["connected"].is_null());
        lab.converged();
    });
    drop((one, edge));
    drop(bobs);
    phases.check("reset_leaves_the_foreign_instance_as_it_was", || {
        reset_leaves_the_foreign_instance_as_it_was(&lab, &before);
    });
    phases.must("lab down", || drop(lab));
    phases.finish();
}

fn install_a_foreign_instance(lab: &TestLab) {
    install(lab, "w1");
    let host = lab.host("w1");
    host.write("/etc/openvpn/server/office.conf", FOREIGN);
    host.exec(&["systemctl", "enable", "--quiet", "--now", "openvpn-server@office"]);
}

/// From an archive inside the host: nothing here reaches another network.
pub(crate) fn install(lab: &TestLab, host: &str) {
    let folder = lab.folder().join("packages");
    fs_err::create_dir_all(&folder).unwrap();
    let mut fetch = Command::new("apt-get");
    fetch.current_dir(&folder).args(["download", "--quiet"]).args(PACKAGES);
    assert!(fetch.status().unwrap().success(), "apt-get download");
    let host = lab.host(host);
    fs_err::create_dir_all(host.path("/srv/openvpn")).unwrap();
    for file in fs_err::read_dir(&folder).unwrap() {
        let file = file.unwrap();
        fs_err::copy(file.path(), host.path("/srv/openvpn").join(file.file_name())).unwrap();
    }
    host.exec(&[
        "sh",
        "-c",
        "DEBIAN_FRONTEND=noninteractive dpkg --install /srv/openvpn/*.deb && rm -r /srv/openvpn",
    ]);
}

fn address_of(lab: &TestLab, host: &str) -> String {
    let inventory = lab.inventory();
    let (_, line) = inventory.split_once(&format!("  {host}: {{ address: ")).unwrap();
    line.split(',').next().unwrap().to_owned()
}

pub(crate) fn profile(lab: &TestLab, name: &str) -> PathBuf {
    let path = lab.folder().join(format!("{name}.ovpn"));
    lab.garboard(&["vpn", "add", name, "--output-file", path.to_str().unwrap()]).expect(0);
    assert_eq!(fs_err::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
    path
}

/// What `vpn list` says of somebody.
fn user(lab: &TestLab, name: &str) -> Value {
    let list = json_of(&lab.garboard(&["vpn", "list"]).expect(0));
    let mut users = list["users"].as_array().unwrap().iter();
    users.find(|user| user["name"] == name).unwrap_or_else(|| panic!("no {name} in {list}")).clone()
}

/// A client in the lab's network.
struct Client {
    child: Child,
    lines: Receiver<String>,
    said: String,
}

impl Client {
    fn start(lab: &TestLab, profile: &Path) -> Self {
        let mut command = lab.command();
        command.args(["lab", "run", lab.name(), "--", "openvpn", "--config"]).arg(profile);
        let mut child = command.stdin(Stdio::null()).stdout(Stdio::piped()).spawn().unwrap();
        let (sender, lines) = mpsc::channel();
        let output = BufReader::new(child.stdout.take().unwrap());
        std::thread::spawn(move || {
            output.lines().map_while(Result::ok).try_for_each(|line| sender.send(line))
        });
        Self { child, lines, said: String::new() }
    }

    #[track_caller]
    fn until(&mut self, any: &[&str]) {
        let deadline = Instant::now() + DEADLINE;
        while !any.iter().any(|text| self.said.contains(text)) {
            let left = deadline.saturating_duration_since(Instant::now());
            let Ok(line) = self.lines.recv_timeout(left) else {
                panic!("none of {any:?} came; it said:\n{}", self.said);
            };
            self.said.push_str(&line);
            self.said.push('\n');
        }
    }
}

impl Drop for Client {
    fn drop(&mut self) {
        // `lab run` waits for its program: both get the signal.
        if let Ok(number) = i32::try_from(self.child.id()) {
            let children = format!("/proc/{number}/task/{number}/children");
            let children = fs_err::read_to_string(children).unwrap_or_default();
            for child in children.split_whitespace().filter_map(|child| child.parse().ok()) {
                let _ = nix::sys::signal::kill(
                    nix::unistd::Pid::from_raw(child),
                    nix::sys::signal::Signal::SIGTERM,
                );
            }
        }
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn come_in(lab: &TestLab, profile: &Path) -> Client {
    let mut client = Client::start(lab, profile);
    client.until(&["Initialization Sequence Completed"]);
    client
}

/// Through the tunnel that is there: the API as a service, which the edge host forwards to the control plane.
fn a_user_reaches_a_service_of_the_cluster_and_no_sshd_of_the_edge_host(lab: &TestLab) {
    let curl = |words: &[&str]| {
        let curl = ["--", "curl", "--silent", "--max-time", "10"];
        lab.lab_command(&["run"], &[&curl[..], words].concat()).stdout
    };
    let version = curl(&["--insecure", "https://10.96.0.1/version"]);
    assert!(version.contains("gitVersion"), "the service does not answer: {version}");
    // sshd listens on every address of the host; this one is not among the routes.
    let said = curl(&["--write-out", "\n%{time_connect}", "telnet://10.8.0.1:22"]);
    let connected = said.lines().next_back().and_then(|time| time.trim().parse::<f64>().ok());
    assert_eq!(connected, Some(0.0), "a user reaches the edge host's sshd: {said}");
}

fn a_revoked_user_is_out_at_once_and_stays_out(lab: &TestLab, profile: &Path) {
    let client = come_in(lab, profile);
    assert!(client.said.contains("TLSv1.3"), "{}", client.said);
    let alice = user(lab, "alice");
    assert_eq!((alice["standing"].as_str(), alice["address"].as_str()), (Some("valid"), Some("10.8.0.2")));
    assert!(alice["connected"].is_object(), "{alice}");
    let revoked = json_of(&lab.garboard(&["vpn", "revoke", "alice"]).expect(0));
    assert_eq!((&revoked["revoked"], &revoked["ended_sessions"]), (&Value::Bool(true), &Value::from(1)));
    let alice = user(lab, "alice");
    assert_eq!(alice["standing"], "revoked");
    assert!(alice["connected"].is_null(), "{alice}");
    drop(client);
    let client = Client::start(lab, profile);
    let (host, deadline) = (lab.host("w1"), Instant::now() + DEADLINE);
    while !host.exec(&["journalctl", "--unit", "garboard-openvpn", "--output", "cat"]).contains("is revoked")
    {
        assert!(Instant::now() < deadline, "nobody was refused; the client said:\n{}", client.said);
    }
    assert!(user(lab, "alice")["connected"].is_null());
    lab.garboard(&["vpn", "revoke", "nobody"]).expect(2).says(&["nobody is called `nobody`"]);
}

fn the_authoritys_key_is_nowhere_on_the_edge_host(lab: &TestLab) {
    let key = fs_err::read_to_string(lab.cluster_state().join("vpn/ca.key")).unwrap();
    let line = key.lines().nth(1).unwrap();
    // It would be found: the server's own is.
    for (text, found) in [(line, false), (&server_key_line(lab), true)] {
        let search = format!(
            "grep --recursive --files-with-matches --fixed-strings --devices=skip -e '{text}' /etc /home /opt /root /run /srv /tmp /usr /var || true"
        );
        let files = lab.host("w1").exec(&["sh", "-c", &search]);
        assert_eq!(!files.trim().is_empty(), found, "{files}");
    }
}

fn server_key_line(lab: &TestLab) -> String {
    let key = lab.host("w1").exec(&["cat", "/etc/openvpn/garboard/server.key"]);
    key.lines().nth(1).unwrap().to_owned()
}

fn reset_leaves_the_foreign_instance_as_it_was(lab: &TestLab, before: &States) {
    lab.host("w1").exec(&["systemctl", "is-active", "--quiet", "openvpn-server@office"]);
    lab.reset(&[]);
    lab.host("w1").exec(&["systemctl", "is-active", "--quiet", "openvpn-server@office"]);
    assert_same(before, &lab.states());
    lab.garboard(&["reset", "--verify"]).expect(0);
}
