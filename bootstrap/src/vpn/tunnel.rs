//! The real `OpenVPN` in network namespaces: its server with the configuration that the playbook renders and keys made here, its
//! clients with our profiles. Needs root, `ip` and `openvpn`; `cargo xtask test` has them.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod own_routes;

use std::collections::BTreeMap;
use std::io::{BufRead as _, BufReader, Write as _};
use std::net::{TcpListener, TcpStream};
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{self, Receiver};
use std::time::{Duration, Instant};

use garboard_inventory::{Inventory, OpenVpn, Secret};
use garboard_playbooks::{Artifacts, Inputs, VpnMaterial};
use garboard_protocol::Step;
use jiff::{SignedDuration, Timestamp};
use nix::sched::{CloneFlags, setns};
use tokio::net::UnixStream;

use super::management::{Connected, Management};
use super::{Folder, Profile, Record, ServerCertificate};
use crate::facts_for_tests::facts;
use crate::pki::{Authority, Issued, ServerKey, Usage, Validity};

const HOST_FOLDER: &str = "/etc/openvpn/garboard";
const INVENTORY: &str = "
cluster: { name: home, kubernetes: v1.36.3 }
hosts:
  cp1: { address: 192.168.1.11, role: control_plane }
  dmz1: { address: 192.168.1.12, role: worker, edge: true }
edge:
  openvpn: { remote: 198.51.100.1, routes: [10.99.0.0/24], users: [alice, bob] }
";
/// A handshake takes well under a second; a busy machine may take long for it.
const DEADLINE: Duration = Duration::from_mins(1);

/// A network of its own, gone with everything in it when this goes.
struct Namespace(String);

impl Namespace {
    fn make(test: &str, name: &str) -> Self {
        let namespace = Self(format!("gb-{test}-{name}-{}", std::process::id()));
        ip(&["netns", "add", &namespace.0]);
        ip(&["-n", &namespace.0, "link", "set", "lo", "up"]);
        namespace
    }

    /// A cable to another one.
    fn join(&self, other: &Self, ours: &str, theirs: &str) {
        let device = format!("to-{}", theirs.rsplit('.').next().unwrap());
        ip(&[
            "-n", &self.0, "link", "add", &device, "type", "veth", "peer", "name", "up0", "netns", &other.0,
        ]);
        for (namespace, device, address) in [(self, device.as_str(), ours), (other, "up0", theirs)] {
            ip(&["-n", &namespace.0, "address", "add", &format!("{address}/30"), "dev", device]);
            ip(&["-n", &namespace.0, "link", "set", device, "up"]);
        }
        ip(&["-n", &other.0, "route", "add", "default", "via", ours]);
    }

    /// Does something inside.
    fn within<T: Send>(&self, work: impl FnOnce() -> T + Send) -> T {
        let path = Path::new("/run/netns").join(&self.0);
        std::thread::scope(|scope| {
            let inside = scope.spawn(move || {
                setns(fs_err::File::open(path).unwrap(), CloneFlags::CLONE_NEWNET).unwrap();
                work()
            });
            inside.join().unwrap()
        })
    }
}

impl Drop for Namespace {
    fn drop(&mut self) {
        let _ = Command::new("ip").args(["netns", "delete", &self.0]).status();
    }
}

#[track_caller]
fn ip(arguments: &[&str]) {
    let status = Command::new("ip").args(arguments).status().expect("iproute2 is installed");
    assert!(status.success(), "ip {arguments:?}");
}

/// An `OpenVPN` at work in a namespace, and what it says.
struct Program {
    child: Child,
    lines: Receiver<String>,
    said: String,
}

impl Program {
    fn start(namespace: &Namespace, folder: &Path, config: &Path) -> Self {
        let mut command = Command::new("ip");
        command
            .args(["netns", "exec", &namespace.0, "openvpn", "--cd"])
            .arg(folder)
            .arg("--config")
            .arg(config);
        let mut child =
            command.stdin(Stdio::null()).stdout(Stdio::piped()).spawn().expect("openvpn is installed");
        let (sender, lines) = mpsc::channel();
        let output = BufReader::new(child.stdout.take().unwrap());
        std::thread::spawn(move || {
            output.lines().map_while(Result::ok).try_for_each(|line| sender.send(line))
        });
        Self { child, lines, said: String::new() }
    }

    /// Waits for a line that holds one of these.
    #[track_caller]
    fn until(&mut self, any: &[&str]) -> String {
        let deadline = Instant::now() + DEADLINE;
        loop {
            let left = deadline.saturating_duration_since(Instant::now());
            let Ok(line) = self.lines.recv_timeout(left) else {
                panic!("none of {any:?} came; it said:\n{}", self.said);
            };
            self.said.push_str(&line);
            self.said.push('\n');
            if any.iter().any(|text| line.contains(text)) {
                return line;
            }
        }
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// A server, two clients beside it, and what the laptop knows.
struct Site {
    inventory: Inventory,
    folder: tempfile::TempDir,
    laptop: Folder,
    record: Record,
    server: Program,
    alice: Namespace,
    bob: Namespace,
    edge: Namespace,
}

impl Site {
    fn start(test: &str) -> Self {
        Self::of(test, INVENTORY)
    }

    fn of(test: &str, inventory: &str) -> Self {
        let inventory = garboard_inventory::parse("garboard.yaml", inventory).unwrap();
        let folder = tempfile::tempdir().unwrap();
        // The server reads its folders as `nobody`.
        fs_err::set_permissions(folder.path(), std::fs::Permissions::from_mode(0o755)).unwrap();
        let laptop = Folder::of(folder.path());
        laptop.make("home vpn", None, Timestamp::now()).unwrap();
        let mut record = Record::default();
        record.settle(openvpn(&inventory), Timestamp::now());
        let config = bring(&inventory, folder.path(), &laptop, &record, &laptop.server().unwrap());
        let edge = Namespace::make(test, "edge");
        let (alice, bob) = (Namespace::make(test, "alice"), Namespace::make(test, "bob"));
        edge.join(&alice, "198.51.100.1", "198.51.100.2");
        edge.join(&bob, "198.51.100.5", "198.51.100.6");
        // Hosts behind the server.
        for address in ["10.99.0.1/24", "10.99.0.2/24"] {
            ip(&["-n", &edge.0, "address", "add", address, "dev", "lo"]);
        }
        let tables = folder.path().join("host/tables.nft");
        ip(&["netns", "exec", &edge.0, "nft", "--file", tables.to_str().unwrap()]);
        let mut server = Program::start(&edge, config.parent().unwrap(), &config);
        server.until(&["Initialization Sequence Completed"]);
        Self { inventory, folder, laptop, record, server, alice, bob, edge }
    }

    fn namespace(&self, user: &str) -> &Namespace {
        if user == "alice" { &self.alice } else { &self.bob }
    }

    /// What the host would get from `up`.
    fn bring(&self) {
        bring(
            &self.inventory,
            self.folder.path(),
            &self.laptop,
            &self.record,
            &self.laptop.server().unwrap(),
        );
    }

    fn authority(&self) -> Authority {
        self.laptop.authority(None).unwrap()
    }

    /// Writes a profile around a certificate, with a key of this server's that lets its bearer speak at all.
    fn profile(&self, user: &str, issued: &Issued) -> PathBuf {
        let path = self.folder.path().join(format!("{user}-{}.ovpn", issued.serial));
        let client_key = self.laptop.tls_crypt_key().unwrap().client().unwrap();
        let profile = Profile {
            cluster: "home",
            user,
            openvpn: openvpn(&self.inventory),
            authority: &self.laptop.authority_certificate().unwrap(),
            certificate: &issued.certificate,
            key: &issued.key,
            tls_crypt_key: &client_key.pem,
        };
        crate::state::private_file::write_durably(&path, profile.render().expose().as_bytes()).unwrap();
        assert_eq!(fs_err::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        path
    }

    fn connect(&self, user: &str, profile: &Path) -> Program {
        Program::start(self.namespace(user), self.folder.path(), profile)
    }

    /// A new profile, and its owner inside.
    fn come_in(&self, user: &str) -> (Issued, PathBuf, Program) {
        let issued = issue(&self.authority(), user, Validity::days(Timestamp::now(), 30));
        let profile = self.profile(user, &issued);
        let mut client = self.connect(user, &profile);
        client.until(&["Initialization Sequence Completed"]);
        (issued, profile, client)
    }

    /// Whether a host behind the server can be spoken with through the tunnel.
    fn reaches(&self, user: &str) -> bool {
        self.reaches_at(user, "10.99.0.1")
    }

    fn reaches_at(&self, user: &str, host: &str) -> bool {
        let listener = self.edge.within(|| TcpListener::bind((host, 0)).unwrap());
        let address = listener.local_addr().unwrap();
        self.namespace(user).within(move || {
            TcpStream::connect_timeout(&address, Duration::from_secs(5))
                .is_ok_and(|stream| stream.local_addr().unwrap().ip().to_string().starts_with("10.8.0."))
        })
    }

    async fn management(&self) -> Management<UnixStream> {
        let socket = self.folder.path().join("run/management.sock");
        Management::greet(UnixStream::connect(socket).await.unwrap()).await.unwrap()
    }

    async fn connected(&self) -> BTreeMap<String, Connected> {
        let connected = self.management().await.connected().await.unwrap();
        connected.into_iter().map(|session| (session.user.clone(), session)).collect()
    }
}

fn issue(authority: &Authority, user: &str, validity: Validity) -> Issued {
    authority.issue(Usage::Client, user, validity).unwrap()
}

fn openvpn(inventory: &Inventory) -> &OpenVpn {
    inventory.openvpn().unwrap().1
}

/// Writes the files of the playbook below the folder. Gives the server's configuration.
fn bring(
    inventory: &Inventory,
    folder: &Path,
    laptop: &Folder,
    record: &Record,
    server: &ServerCertificate,
) -> PathBuf {
    let material = VpnMaterial {
        authority: laptop.authority_certificate().unwrap(),
        certificate: server.certificate.clone(),
        key: garboard_protocol::Secret::new(server.key.expose()),
        tls_crypt_key: garboard_protocol::Secret::new(laptop.tls_crypt_key().unwrap().pem().expose()),
        users: record.addresses(),
        revoked: record.revoked(),
    };
    let facts = inventory.hosts.iter().map(|host| (host.name.clone(), facts())).collect();
    let inputs = Inputs {
        inventory,
        facts: &facts,
        artifacts: &Artifacts::default(),
        leader: "cp1",
        clocks: &BTreeMap::new(),
        openvpn: Some(&material),
        ddns: None,
        ingress: None,
        serving: None,
    };
    let site = garboard_playbooks::shipped().unwrap().only("openvpn");
    let chain = site.render(&inputs).unwrap().hosts.remove("dmz1").unwrap();
    let (root, run) = (folder.join("host"), folder.join("run"));
    fs_err::create_dir_all(&run).unwrap();
    for planned in chain {
        match planned.step {
            Step::Directory(directory) => {
                fs_err::create_dir_all(root.join(below(&directory.path))).unwrap();
            }
            Step::File(file) => {
                let path = root.join(below(&file.path));
                let text = file.content.replace("/run/garboard-openvpn", run.to_str().unwrap());
                fs_err::File::create(&path).unwrap().write_all(text.as_bytes()).unwrap();
                fs_err::set_permissions(&path, std::fs::Permissions::from_mode(file.mode)).unwrap();
            }
            Step::Nft(nft) => fs_err::write(root.join("tables.nft"), nft.rules).unwrap(),
            _ => {}
        }
    }
    root.join("server.conf")
}

fn below(path: &str) -> &Path {
    Path::new(path).strip_prefix(HOST_FOLDER).unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_revoked_user_is_out_at_once_and_stays_out_while_another_stays() {
    let mut site = Site::start("rev");
    let (issued, profile, mut alice) = site.come_in("alice");
    let (_, _, mut bob) = site.come_in("bob");
    assert!(alice.said.contains("TLSv1.3"), "{}", alice.said);
    assert!(site.reaches("alice") && site.reaches("bob"));
    let before = site.connected().await;
    assert_eq!(before["alice"].address, site.record.users["alice"].address);
    assert_eq!(before["bob"].address.unwrap().to_string(), "10.8.0.3");

    let certificate = super::Certificate {
        serial: issued.serial,
        validity: issued.validity,
        tls_crypt_metadata: String::new(),
        written: true,
        revoked: None,
    };
    site.record.note("alice", certificate);
    assert!(site.record.revoke("alice", Timestamp::now(), None));
    site.bring();
    let revoked = Instant::now();
    site.management().await.end("alice").await.unwrap();
    while site.connected().await.contains_key("alice") {
        assert!(revoked.elapsed() < Duration::from_secs(5), "alice is still in");
    }
    drop(alice);
    alice = site.connect("alice", &profile);
    site.server.until(&["is revoked"]);
    assert!(!alice.said.contains("Initialization Sequence Completed"), "{}", alice.said);
    assert!(!site.connected().await.contains_key("alice"));
    let after = site.connected().await;
    assert_eq!(after["bob"].id, before["bob"].id, "bob was thrown out");
    assert!(site.reaches("bob"));
    assert!(bob.child.try_wait().unwrap().is_none());
    let seen = site.management().await.seen().await.unwrap();
    assert!(seen.contains_key("alice") && seen.contains_key("bob"), "{seen:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn strangers_certificates_and_old_ones_are_refused() {
    let mut site = Site::start("no");
    let now = Timestamp::now();
    let others = Authority::make("home vpn", now).unwrap();
    let stranger = issue(&others, "alice", Validity::days(now, 30));
    let profile = site.profile("alice", &stranger);
    let refused = site.connect("alice", &profile);
    site.server.until(&["VERIFY ERROR", "certificate verify failed"]);
    drop(refused);
    let past = now - SignedDuration::from_hours(24 * 10);
    let old = issue(&site.authority(), "bob", Validity::days(past, 5));
    let profile = site.profile("bob", &old);
    let refused = site.connect("bob", &profile);
    site.server.until(&["certificate has expired"]);
    drop(refused);
    assert!(site.connected().await.is_empty());
    // With nobody revoked the folder is empty, and whoever is known comes in.
    let revoked = site.folder.path().join("host/revoked");
    assert_eq!(fs_err::read_dir(revoked).unwrap().count(), 0);
    let (_, _, _bob) = site.come_in("bob");
    assert!(site.connected().await.contains_key("bob"));
}

#[test]
fn openvpns_own_key_of_a_server_is_read() {
    let made = Command::new("openvpn").args(["--genkey", "tls-crypt-v2-server", "/dev/stdout"]).output();
    let text = String::from_utf8(made.expect("openvpn is installed").stdout).unwrap();
    let key = ServerKey::parse(&text).unwrap();
    assert_eq!(key.pem(), Secret::new(text));
}
