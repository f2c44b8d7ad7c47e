//! The user's own `ssh` against a real sshd: what is promised of our own SSH holds for it too.

use std::path::PathBuf;

use garboard::problem::Exit;
use garboard::ssh::{ExitStatus, OpenSsh, OpenSshOptions, SshError, Target, Transport as _};
use garboard_protocol::Digest;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

use crate::sshd::{Sshd, generate, refused, says, text};

/// Sees nothing of this machine's own SSH setup but this known-hosts text and this configuration.
pub(crate) fn transport(sshd: &Sshd, known_hosts: &str, config: &str) -> OpenSsh {
    let (hosts, file) = (sshd.path("known hosts 100%"), sshd.path("ssh_config"));
    fs_err::write(&hosts, known_hosts).unwrap();
    fs_err::write(&file, config).unwrap();
    OpenSsh::new(OpenSshOptions {
        program: "ssh".into(),
        config: Some(file),
        judge: env!("CARGO_BIN_EXE_garboard").into(),
        home: None,
        user: None,
        own_known_hosts: None,
        known_hosts: vec![hosts],
        confirmation: None,
        interactive: false,
    })
}

#[tokio::test]
async fn commands_share_one_login_and_end_as_they_do() {
    let sshd = Sshd::start(&["ed25519"]);
    let connection = transport(&sshd, "", "").connect(&sshd.target()).await.unwrap();
    assert!(connection.login().ends_with("@127.0.0.1"), "{}", connection.login());
    let mut stream = connection.open("echo wrong >&2; cat; exit 7").await.unwrap();
    let mut other = connection.open("exec cat").await.unwrap();
    stream.write_all(b"to and fro").await.unwrap();
    stream.shutdown().await.unwrap();
    assert_eq!(text(&mut stream).await, "to and fro");
    assert_eq!(stream.ending().wait().await, ExitStatus::Code(7));
    assert_eq!(stream.ending().stderr(), "wrong");
    assert_eq!(says(&*connection, "echo \"$0 it's\"").await.lines().count(), 1);
    other.write_all(b"still here").await.unwrap();
    other.shutdown().await.unwrap();
    assert_eq!(text(&mut other).await, "still here");
    assert_eq!(sshd.connections(), 1);
}

#[tokio::test]
async fn bytes_arrive_as_they_are() {
    let sshd = Sshd::start(&["ed25519"]);
    let connection = transport(&sshd, "", "").connect(&sshd.target()).await.unwrap();
    let content: Vec<u8> =
        (0..8_000_000_u32).map(|index| index.wrapping_mul(2_654_435_761).to_be_bytes()[1]).collect();
    let mut stream = connection.open("exec cat").await.unwrap();
    let (mut output, mut input) = tokio::io::split(&mut stream);
    let mut arrived = Vec::new();
    let send = async {
        input.write_all(&content).await.unwrap();
        input.shutdown().await.unwrap();
    };
    let ((), received) = tokio::join!(send, output.read_to_end(&mut arrived));
    received.unwrap();
    assert_eq!(Digest::of(&arrived), Digest::of(&content));
    assert!(connection.bytes_sent() >= 8_000_000);
}

#[tokio::test]
async fn host_keys_are_judged_as_for_our_own_connections() {
    let (sshd, other) = (Sshd::start(&["ed25519", "ecdsa", "rsa"]), Sshd::start(&["ed25519"]));
    let (recorded, known) = (sshd.known_host("ed25519"), sshd.fingerprint("ed25519"));

    let error = refused(&transport(&sshd, "", ""), &sshd.unpinned()).await;
    assert!(matches!(&error, SshError::UnknownHostKey { key, .. } if key.fingerprint == known), "{error}");
    assert_eq!(error.exit(), Exit::Refused);

    // A key of any kind that is recorded is asked for first.
    for kind in ["ed25519", "ecdsa", "rsa"] {
        let transport = transport(&sshd, &sshd.known_host(kind), "");
        transport.connect(&sshd.unpinned()).await.unwrap_or_else(|error| panic!("{kind}: {error}"));
        let pinned = Target { host_key: Some(sshd.fingerprint(kind)), ..sshd.unpinned() };
        transport.connect(&pinned).await.unwrap_or_else(|error| panic!("{kind}, pinned: {error}"));
    }

    // The inventory's pin counts, even where a known-hosts file has the key that is shown.
    let pin = other.fingerprint("ed25519");
    let pinned = Target { host_key: Some(pin.clone()), ..sshd.unpinned() };
    let error = refused(&transport(&sshd, &recorded, ""), &pinned).await;
    assert!(matches!(error, SshError::ChangedHostKey { .. }), "{error}");
    assert!(error.to_string().contains(&pin) && error.to_string().contains(&known), "{error}");

    let key = fs_err::read_to_string(other.path("host_ed25519.pub")).unwrap();
    let changed = format!("[127.0.0.1]:{} {key}", sshd.port());
    let error = refused(&transport(&sshd, &changed, ""), &sshd.unpinned()).await;
    assert!(matches!(error, SshError::ChangedHostKey { .. }), "{error}");

    let revoked = format!("{recorded}@revoked {recorded}");
    let error = refused(&transport(&sshd, &revoked, ""), &sshd.unpinned()).await;
    assert!(matches!(error, SshError::RevokedHostKey { .. }), "{error}");

    // The user's configuration cannot loosen it.
    let loose = "StrictHostKeyChecking no\nUserKnownHostsFile /dev/null\n";
    let error = refused(&transport(&sshd, "", loose), &sshd.unpinned()).await;
    assert!(matches!(error, SshError::UnknownHostKey { .. }), "{error}");
}

#[tokio::test]
async fn what_ssh_says_becomes_our_own_errors() {
    let sshd = Sshd::start(&["ed25519"]);
    let wrong = sshd.path("wrong");
    generate(&wrong, "ed25519", "");
    let error =
        refused(&transport(&sshd, "", ""), &Target { identity: vec![wrong.clone()], ..sshd.target() }).await;
    assert!(matches!(error, SshError::Denied { .. }), "{error}");
    assert!(error.to_string().contains(&wrong.display().to_string()), "{error}");

    let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let error = refused(&transport(&sshd, "", ""), &Target { port: Some(port), ..sshd.target() }).await;
    assert_eq!(error.to_string(), format!("cannot connect to `127.0.0.1` port {port}"));
    assert!(error.help().unwrap().contains("start sshd there"));

    let address = "no-such-host.invalid".to_owned();
    let error = refused(&transport(&sshd, "", ""), &Target { address, ..sshd.target() }).await;
    assert!(matches!(error, SshError::Resolve { .. }), "{error}");

    let options = OpenSshOptions {
        program: PathBuf::from("/nowhere/ssh"),
        config: None,
        judge: "/bin/false".into(),
        home: None,
        user: None,
        own_known_hosts: None,
        known_hosts: Vec::new(),
        confirmation: None,
        interactive: false,
    };
    let error = refused(&OpenSsh::new(options), &sshd.target()).await;
    assert!(matches!(error, SshError::OpenSsh { .. }), "{error}");
}

#[tokio::test]
async fn the_users_configuration_leads_through_jump_hosts() {
    let (gate, sshd) = (Sshd::start(&["ed25519"]), Sshd::start(&["ed25519"]));
    let known = sshd.path("gate_known_hosts");
    fs_err::write(&known, gate.known_host("ed25519")).unwrap();
    let config = format!(
        "Host gate\n  HostName 127.0.0.1\n  Port {}\n  IdentityFile {}\n  UserKnownHostsFile {}\nHost inner\n  HostName \
         127.0.0.1\n  ProxyJump gate\n",
        gate.port(),
        gate.path("id_ed25519").display(),
        known.display()
    );
    let transport = transport(&sshd, "", &config);
    let connection =
        transport.connect(&Target { address: "inner".to_owned(), ..sshd.target() }).await.unwrap();
    assert_eq!(says(&*connection, "echo through").await, "through\n");
    assert_eq!((gate.connections(), sshd.connections()), (1, 1));
}

#[tokio::test]
async fn the_login_ends_with_the_connection() {
    let sshd = Sshd::start(&["ed25519"]);
    let connection = transport(&sshd, "", "").connect(&sshd.target()).await.unwrap();
    // The parent of the command's shell is the sshd of this login.
    let process: i32 = says(&*connection, "echo $PPID").await.trim().parse().unwrap();
    assert!(crate::native::is_there(process));
    drop(connection);
    crate::native::is_gone(process).await;
}
