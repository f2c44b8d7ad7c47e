//! A real Knot DNS (Debian's package `knot`) in a lab's network, with a zone that the key `updater` may change.

use std::net::Ipv4Addr;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use super::Network;

const ZONE: &str = "example.org";
const READY: Duration = Duration::from_secs(30);

pub(crate) struct Knot {
    child: Child,
    network: Network,
    folder: PathBuf,
}

impl Knot {
    /// Serves the zone on port 53 of the network's address.
    pub(crate) fn start(network: &Network, folder: &Path, secret: &str) -> Self {
        for name in ["run", "storage"] {
            fs_err::create_dir_all(folder.join(name)).unwrap();
        }
        fs_err::write(
            folder.join("zone"),
            "$ORIGIN example.org.\n$TTL 60\n@ SOA ns1 admin 1 60 60 3600 60\n@ NS ns1\nns1 A 192.0.2.1\n",
        )
        .unwrap();
        let child = run(network, folder, secret);
        Self { child, network: network.clone(), folder: folder.to_owned() }
    }

    /// The same zone, and another secret of the key.
    pub(crate) fn restart(&mut self, secret: &str) {
        self.stop();
        self.child = run(&self.network, &self.folder, secret);
    }

    /// What the name leads to.
    pub(crate) fn addresses(&self) -> Vec<Ipv4Addr> {
        let said = control(&self.folder, &["zone-read", ZONE, "home", "A"]).unwrap();
        said.lines().filter_map(|line| line.split_whitespace().last()?.parse().ok()).collect()
    }

    /// How many updates it was sent since it runs; the zone's serial tells nothing of those that change nothing.
    pub(crate) fn updates(&self) -> usize {
        let log = fs_err::read_to_string(self.folder.join("log")).unwrap();
        log.lines().filter(|line| line.contains("DDNS, processing")).count()
    }

    fn stop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Drop for Knot {
    fn drop(&mut self) {
        self.stop();
    }
}

/// The secret of a key of 32 bytes, in base64; its last letter holds four bits.
pub(crate) fn tsig_secret(which: char) -> String {
    format!("{}=", which.to_string().repeat(43))
}

fn run(network: &Network, folder: &Path, secret: &str) -> Child {
    let at = |name: &str| folder.join(name).display().to_string();
    let address = network.address();
    let configuration = format!(
        "server:\n    rundir: {}\n    listen: {address}@53\n    udp-workers: 1\n    tcp-workers: 1\n    \
         background-workers: 1\nlog:\n  - target: stderr\n    any: info\ndatabase:\n    storage: {}\nkey:\n  - id: updater\n    \
         algorithm: hmac-sha256\n    secret: {secret}\nacl:\n  - id: update\n    key: updater\n    action: update\nzone:\n  - \
         domain: {ZONE}\n    file: {}\n    acl: update\n",
        at("run"),
        at("storage"),
        at("zone")
    );
    fs_err::write(folder.join("knot.conf"), configuration).unwrap();
    let log = fs_err::File::create(folder.join("log")).unwrap();
    let mut command = Command::new("/usr/sbin/knotd");
    command
        .args(["-c", &at("knot.conf")])
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(log.into_parts().0);
    let mut child = network.spawn(command);
    let deadline = Instant::now() + READY;
    while control(folder, &["zone-read", ZONE, "@", "SOA"]).is_none_or(|said| !said.contains("SOA")) {
        let log = || fs_err::read_to_string(folder.join("log")).unwrap();
        assert!(child.try_wait().unwrap().is_none(), "knotd has ended:\n{}", log());
        assert!(Instant::now() < deadline, "knotd is not ready:\n{}", log());
    }
    child
}

/// `knotc`, over the server's own socket; nothing where it did not answer.
fn control(folder: &Path, words: &[&str]) -> Option<String> {
    let mut command = Command::new("/usr/sbin/knotc");
    let output = command.arg("-c").arg(folder.join("knot.conf")).args(words).output().unwrap();
    output.status.success().then(|| String::from_utf8_lossy(&output.stdout).into_owned())
}
