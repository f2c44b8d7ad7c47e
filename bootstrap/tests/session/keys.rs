//! Private keys: encrypted, held by an agent, many of them, certified, expired.

use std::io;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use garboard::secrets::{Secrets, Terminal};
use garboard::ssh::{Native, NativeOptions, SshError, Target, Transport as _};
use garboard_inventory::{Secret, SecretReference};

use crate::sshd::{Sshd, generate, refused, says};

/// An `ssh-agent` that ends with the test, also with a failing one.
struct Agent {
    child: Child,
    socket: PathBuf,
}

impl Agent {
    fn start(sshd: &Sshd) -> Self {
        let socket = sshd.path("agent.sock");
        let spawned =
            Command::new("ssh-agent").args(["-D", "-a"]).arg(&socket).stdout(Stdio::piped()).spawn();
        let mut child = spawned.unwrap();
        // It tells its socket once it listens there.
        let mut line = String::new();
        io::BufRead::read_line(&mut io::BufReader::new(child.stdout.take().unwrap()), &mut line).unwrap();
        Self { child, socket }
    }

    fn add(&self, key: &Path) {
        let added = Command::new("ssh-add").arg("-q").arg(key).env("SSH_AUTH_SOCK", &self.socket).status();
        assert!(added.unwrap().success());
    }

    fn transport(&self) -> Native {
        Native::new(NativeOptions { agent_socket: Some(self.socket.clone()), ..NativeOptions::default() })
    }
}

impl Drop for Agent {
    fn drop(&mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }
}

/// Keys that no host knows.
fn strangers(sshd: &Sshd, count: usize) -> Vec<PathBuf> {
    let keys = (0..count).map(|number| sshd.path(&format!("stranger_{number}")));
    keys.inspect(|key| generate(key, "ed25519", "")).collect()
}

#[tokio::test]
async fn an_encrypted_key_needs_its_passphrase() {
    let sshd = Sshd::start(&["ed25519"]);
    let key = sshd.path("encrypted");
    generate(&key, "ed25519", "open sesame");
    sshd.authorize(&key.with_extension("pub"));
    let transport = sshd.transport("");
    let with = |passphrase: Option<&str>| Target {
        identity: vec![key.clone()],
        passphrase: passphrase.map(|text| SecretReference::Command(vec!["echo".to_owned(), text.to_owned()])),
        ..sshd.target()
    };
    let error = refused(&transport, &with(None)).await;
    assert!(error.to_string().contains("encrypted"), "{error}");
    assert!(error.help().unwrap().contains("ssh-add"));
    let error = refused(&transport, &with(Some("wrong"))).await;
    assert!(error.to_string().contains("the passphrase does not open it"), "{error}");
    transport.connect(&with(Some("open sesame"))).await.unwrap();
}

#[tokio::test]
async fn a_key_others_can_read_is_refused() {
    use std::os::unix::fs::PermissionsExt;
    let sshd = Sshd::start(&["ed25519"]);
    fs_err::set_permissions(sshd.path("id_ed25519"), PermissionsExt::from_mode(0o644)).unwrap();
    let error = refused(&sshd.transport(""), &sshd.target()).await;
    assert!(error.to_string().contains("others can read it"), "{error}");
}

#[tokio::test]
async fn the_ssh_agent_logs_in_where_no_key_is_named_or_the_named_one_is_locked() {
    let sshd = Sshd::start(&["ed25519"]);
    let agent = Agent::start(&sshd);
    let socket = agent.socket.clone();
    let key = sshd.path("id_rsa");
    generate(&key, "rsa", "");
    sshd.authorize(&key.with_extension("pub"));
    agent.add(&key);
    let locked =
        Command::new("ssh-keygen").args(["-q", "-p", "-P", "", "-N", "locked", "-f"]).arg(&key).status();
    assert!(locked.unwrap().success());

    let transport = Native::new(NativeOptions { agent_socket: Some(socket), ..NativeOptions::default() });
    for identity in [vec![], vec![key]] {
        let connection = transport.connect(&Target { identity, ..sshd.target() }).await.unwrap();
        assert_eq!(says(&*connection, "echo in").await, "in\n");
    }
    drop(agent);

    // Gone: nothing to log in with, and it says why.
    let error = refused(&transport, &Target { identity: vec![], ..sshd.target() }).await;
    assert!(matches!(error, SshError::NoIdentity { .. }), "{error}");
    assert!(error.to_string().contains("does not answer"), "{error}");
}

#[tokio::test]
async fn of_an_agent_with_many_keys_only_the_named_one_is_tried() {
    let sshd = Sshd::start(&["ed25519"]);
    sshd.configure("MaxAuthTries 2");
    let agent = Agent::start(&sshd);
    let strangers = strangers(&sshd, 6);
    for key in &strangers {
        agent.add(key);
    }
    let transport = agent.transport();
    transport.connect(&sshd.target()).await.unwrap();
    assert_eq!(sshd.connections(), 1);

    let error = refused(&transport, &Target { identity: vec![strangers[3].clone()], ..sshd.target() }).await;
    let text = error.to_string();
    assert!(text.contains(&format!("`{}`", strangers[3].display())) && !text.contains("agent"), "{text}");
    // Without a name, three of them are, and the others are told.
    let error = refused(&transport, &Target { identity: vec![], ..sshd.target() }).await.to_string();
    assert_eq!(error.matches("the SSH agent's key").count(), 6, "{error}");
    assert_eq!(error.matches("was not tried").count(), 3, "{error}");
}

#[tokio::test]
async fn more_keys_than_sshd_takes_at_once_are_tried_on_a_further_connection() {
    let sshd = Sshd::start(&["ed25519"]);
    sshd.configure("MaxAuthTries 2");
    let mut identity = strangers(&sshd, 3);
    identity.push(sshd.path("id_ed25519"));
    let connection =
        sshd.transport("").connect(&Target { identity: identity.clone(), ..sshd.target() }).await.unwrap();
    assert_eq!(says(&*connection, "echo in").await, "in\n");
    assert_eq!(sshd.connections(), 2);
    identity.pop();
    let error = refused(&sshd.transport(""), &Target { identity, ..sshd.target() }).await;
    assert!(matches!(&error, SshError::Denied { tried, .. } if tried.len() == 3), "{error}");
}

/// Types the passphrase.
struct Person(AtomicUsize);

impl Terminal for Person {
    fn ask(&self, question: &str) -> io::Result<Secret> {
        assert!(question.contains("encrypted`"), "{question}");
        self.0.fetch_add(1, Ordering::SeqCst);
        Ok(Secret::new("open sesame"))
    }
}

#[tokio::test]
async fn a_person_is_asked_once_for_a_passphrase_and_only_for_an_encrypted_key() {
    let sshd = Sshd::start(&["ed25519"]);
    let key = sshd.path("encrypted");
    generate(&key, "ed25519", "open sesame");
    sshd.authorize(&key.with_extension("pub"));
    let person = Arc::new(Person(AtomicUsize::new(0)));
    let secrets = Arc::new(Secrets::with_terminal(person.clone()));
    let transport = Native::new(NativeOptions { secrets, ..NativeOptions::default() });
    let plain =
        Target { passphrase: Some(SecretReference::Command(vec!["false".to_owned()])), ..sshd.target() };
    transport.connect(&plain).await.unwrap();
    assert_eq!(person.0.load(Ordering::SeqCst), 0);
    let target = Target { identity: vec![key], ..sshd.target() };
    let (one, other) = tokio::join!(transport.connect(&target), transport.connect(&target));
    assert!(one.is_ok() && other.is_ok());
    assert_eq!(person.0.load(Ordering::SeqCst), 1);
}

#[tokio::test]
async fn a_certificate_beside_the_key_logs_in_and_an_expired_one_is_named() {
    let sshd = Sshd::start(&["ed25519"]);
    let (authority, key) = (sshd.path("authority"), sshd.path("certified"));
    generate(&authority, "ed25519", "");
    generate(&key, "ed25519", "");
    sshd.configure(&format!("TrustedUserCAKeys {}", authority.with_extension("pub").display()));
    let sign = |validity: &str| {
        let user = sshd.target().user.unwrap();
        let signed = Command::new("ssh-keygen")
            .args(["-q", "-I", "test", "-n", &user, "-V", validity, "-s"])
            .arg(&authority)
            .arg(key.with_extension("pub"))
            .status();
        assert!(signed.unwrap().success());
    };
    let target = Target { identity: vec![key.clone()], ..sshd.target() };
    refused(&sshd.transport(""), &target).await;
    sign("-1d:+1d");
    sshd.transport("").connect(&target).await.unwrap();
    sign("-2d:-1d");
    let before = sshd.connections();
    let error = refused(&sshd.transport(""), &target).await;
    assert!(error.to_string().contains("certified-cert.pub` has expired"), "{error}");
    assert!(error.help().unwrap().contains("ssh-keygen -Lf"));
    assert_eq!(sshd.connections(), before);
}

#[tokio::test]
async fn a_key_whose_time_is_over_is_refused_with_where_to_look() {
    let sshd = Sshd::start(&["ed25519"]);
    let public = fs_err::read_to_string(sshd.path("id_ed25519.pub")).unwrap();
    fs_err::write(sshd.path("authorized_keys"), format!("expiry-time=\"20200101\" {public}")).unwrap();
    let error = refused(&sshd.transport(""), &sshd.target()).await;
    assert!(matches!(error, SshError::Denied { .. }), "{error}");
    assert!(error.help().unwrap().contains("expiry-time"), "{:?}", error.help());
}
