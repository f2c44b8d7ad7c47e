//! A throw-away sshd: keys and configuration of its own, one process a connection, nothing left behind.

use std::fmt::Write as _;
use std::net::TcpListener;
use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use garboard::ssh::{Connection, Native, NativeOptions, SshError, Stream, Target, Transport};
use tokio::io::AsyncReadExt as _;

/// Listens on a free port of loopback and starts `sshd -i` for each connection.
pub(crate) struct Sshd {
    folder: tempfile::TempDir,
    port: u16,
    connections: Arc<AtomicUsize>,
}

impl Sshd {
    /// With host keys of these kinds (`ed25519`, `ecdsa`, `rsa`), and a login key `id_ed25519`.
    pub(crate) fn start(host_keys: &[&str]) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path();
        let mut config = format!(
            "AuthorizedKeysFile {}\nPidFile none\nUsePAM no\nStrictModes no\nPasswordAuthentication no\n\
             KbdInteractiveAuthentication no\nPermitRootLogin yes\nLogLevel ERROR\n",
            path.join("authorized_keys").display()
        );
        for kind in host_keys {
            let file = path.join(format!("host_{kind}"));
            generate(&file, kind, "");
            writeln!(config, "HostKey {}", file.display()).unwrap();
        }
        fs_err::write(path.join("sshd_config"), config).unwrap();
        generate(&path.join("id_ed25519"), "ed25519", "");
        fs_err::copy(path.join("id_ed25519.pub"), path.join("authorized_keys")).unwrap();
        // sshd as root insists on this folder; the package's unit makes it.
        fs_err::create_dir_all("/run/sshd").unwrap();

        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let connections = Arc::new(AtomicUsize::new(0));
        let (counter, config) = (connections.clone(), path.join("sshd_config"));
        // Ends with the test program: nothing else may connect to it then.
        std::thread::spawn(move || {
            for stream in listener.incoming() {
                counter.fetch_add(1, Ordering::SeqCst);
                let stream = OwnedFd::from(stream.unwrap());
                let mut child = sshd(&config)
                    .stdin(Stdio::from(stream.try_clone().unwrap()))
                    .stdout(Stdio::from(stream))
                    .spawn()
                    .expect("openssh-server is installed");
                std::thread::spawn(move || child.wait());
            }
        });
        Self { folder, port, connections }
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    pub(crate) fn port(&self) -> u16 {
        self.port
    }

    /// Connections so far.
    pub(crate) fn connections(&self) -> usize {
        self.connections.load(Ordering::SeqCst)
    }

    /// Lets a further key in.
    pub(crate) fn authorize(&self, public: &Path) {
        let file = self.path("authorized_keys");
        let keys = fs_err::read_to_string(&file).unwrap() + &fs_err::read_to_string(public).unwrap();
        fs_err::write(file, keys).unwrap();
    }

    /// Adds a line to sshd's configuration.
    pub(crate) fn configure(&self, line: &str) {
        let file = self.path("sshd_config");
        let config = fs_err::read_to_string(&file).unwrap() + line + "\n";
        fs_err::write(file, config).unwrap();
    }

    /// `SHA256:…` of a host key, as `ssh-keygen` tells it.
    pub(crate) fn fingerprint(&self, kind: &str) -> String {
        let output = Command::new("ssh-keygen")
            .arg("-lf")
            .arg(self.path(&format!("host_{kind}.pub")))
            .output()
            .unwrap();
        String::from_utf8(output.stdout).unwrap().split(' ').nth(1).unwrap().to_owned()
    }

    /// The known-hosts line of a host key.
    pub(crate) fn known_host(&self, kind: &str) -> String {
        let key = fs_err::read_to_string(self.path(&format!("host_{kind}.pub"))).unwrap();
        format!("[127.0.0.1]:{} {key}", self.port)
    }

    /// The right login, with the ed25519 host key pinned.
    pub(crate) fn target(&self) -> Target {
        Target { host_key: Some(self.fingerprint("ed25519")), ..self.unpinned() }
    }

    /// The right login, with no host key pinned.
    pub(crate) fn unpinned(&self) -> Target {
        Target {
            name: "cp1".to_owned(),
            address: "127.0.0.1".to_owned(),
            user: Some(user()),
            port: Some(self.port),
            identity: vec![self.path("id_ed25519")],
            ..Target::default()
        }
    }

    /// A transport that sees nothing of this machine's own SSH setup but this known-hosts text.
    pub(crate) fn transport(&self, known_hosts: &str) -> Native {
        let path = self.path("known_hosts");
        fs_err::write(&path, known_hosts).unwrap();
        Native::new(NativeOptions { known_hosts: vec![path], ..NativeOptions::default() })
    }
}

fn sshd(config: &Path) -> Command {
    // sshd starts itself anew for each connection, so it wants its absolute path.
    let mut command = Command::new("/usr/sbin/sshd");
    command.arg("-i").arg("-e").arg("-f").arg(config).stderr(Stdio::null());
    command
}

/// Makes a key pair.
pub(crate) fn generate(path: &Path, kind: &str, passphrase: &str) {
    let status = Command::new("ssh-keygen")
        .args(["-q", "-t", kind, "-C", "", "-N", passphrase, "-f"])
        .arg(path)
        .status()
        .expect("openssh-client is installed");
    assert!(status.success());
}

fn user() -> String {
    let output = Command::new("id").arg("-un").output().unwrap();
    String::from_utf8(output.stdout).unwrap().trim().to_owned()
}

pub(crate) async fn text(stream: &mut Stream) -> String {
    let mut text = String::new();
    stream.read_to_string(&mut text).await.unwrap();
    text
}

pub(crate) async fn says(connection: &dyn Connection, command: &str) -> String {
    let mut stream = connection.open(command).await.unwrap();
    text(&mut stream).await
}

pub(crate) async fn refused(transport: &dyn Transport, target: &Target) -> SshError {
    match transport.connect(target).await {
        Ok(_) => panic!("it let us in"),
        Err(error) => error,
    }
}
