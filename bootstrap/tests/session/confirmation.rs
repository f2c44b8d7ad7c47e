//! Host keys that nobody knows: a person is asked, one host at a time, and what they confirm is recorded.

use std::io;
use std::os::unix::fs::PermissionsExt as _;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use futures::future::join_all;
use garboard::person::{Person, Terminal};
use garboard::problem::Exit;
use garboard::ssh::{
    Confirmation, Native, NativeOptions, OpenSsh, OpenSshOptions, Record, SshError, Target, Transport,
};
use garboard_inventory::Secret;

use crate::jump::Way;
use crate::sshd::{Sshd, says};

/// Gives one answer after the other.
#[derive(Default)]
struct Answers {
    left: Mutex<Vec<String>>,
    questions: Mutex<Vec<String>>,
    at_once: AtomicUsize,
}

impl Answers {
    fn new(answers: &[&str]) -> Arc<Self> {
        let left = Mutex::new(answers.iter().rev().map(|&answer| answer.to_owned()).collect());
        Arc::new(Self { left, ..Self::default() })
    }

    fn questions(&self) -> Vec<String> {
        self.questions.lock().unwrap().clone()
    }
}

impl Terminal for Answers {
    fn ask(&self, _question: &str) -> io::Result<Secret> {
        panic!("no secret is asked for")
    }

    fn ask_openly(&self, question: &str) -> io::Result<String> {
        assert_eq!(self.at_once.fetch_add(1, Ordering::SeqCst), 0, "two questions at once");
        self.questions.lock().unwrap().push(question.to_owned());
        let answer = self.left.lock().unwrap().pop();
        self.at_once.fetch_sub(1, Ordering::SeqCst);
        answer.ok_or_else(|| io::ErrorKind::UnexpectedEof.into())
    }
}

/// A folder for our own known-hosts file, and both transports with a person at the terminal.
struct Desk {
    folder: tempfile::TempDir,
    users: String,
}

impl Desk {
    fn new() -> Self {
        Self { folder: tempfile::tempdir().unwrap(), users: String::new() }
    }

    fn own(&self) -> std::path::PathBuf {
        self.folder.path().join("known_hosts")
    }

    fn recorded(&self) -> String {
        fs_err::read_to_string(self.own()).unwrap_or_default()
    }

    fn options(&self, person: &Arc<Answers>) -> NativeOptions {
        let users = self.folder.path().join("users");
        fs_err::write(&users, &self.users).unwrap();
        let person = Arc::new(Person::at(person.clone()));
        NativeOptions {
            own_known_hosts: Some(self.own()),
            known_hosts: vec![users],
            confirmation: Some(Arc::new(Confirmation::new(person, Record::at(self.own())))),
            ..NativeOptions::default()
        }
    }

    fn native(&self, person: &Arc<Answers>) -> Native {
        Native::new(self.options(person))
    }

    fn openssh(&self, person: &Arc<Answers>) -> OpenSsh {
        let config = self.folder.path().join("ssh_config");
        fs_err::write(&config, "").unwrap();
        let options = OpenSshOptions::of_this_machine(&self.options(person), false).unwrap();
        let judge = env!("CARGO_BIN_EXE_garboard").into();
        OpenSsh::new(OpenSshOptions { config: Some(config), judge, ..options })
    }
}

#[tokio::test]
async fn a_person_says_yes_once_and_the_key_is_recorded() {
    for openssh in [false, true] {
        let (desk, sshd) = (Desk::new(), Sshd::start(&["ed25519", "rsa"]));
        let person = Answers::new(&["yes\n"]);
        let (native, ssh) = (desk.native(&person), desk.openssh(&person));
        let transport: &dyn Transport = if openssh { &ssh } else { &native };
        let connection = transport.connect(&sshd.unpinned()).await.unwrap();
        assert_eq!(says(&*connection, "echo in").await, "in\n");
        assert_eq!(connection.host_key(), Some(sshd.fingerprint("ed25519").as_str()));
        let questions = person.questions();
        assert_eq!(questions.len(), 1);
        for part in [
            "127.0.0.1",
            &format!("port {}", sshd.port()),
            &format!("256 {} (ED25519)", sshd.fingerprint("ed25519")),
            "ssh-keygen -lf /etc/ssh/ssh_host_ed25519_key.pub",
        ] {
            assert!(questions[0].contains(part), "{part}: {}", questions[0]);
        }
        assert_eq!(desk.recorded(), sshd.known_host("ed25519").trim_end().to_owned() + "\n");
        let mode = fs_err::metadata(desk.own()).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
        // Both transports know it from now on, and nobody is asked.
        for transport in [&native as &dyn Transport, &ssh] {
            transport.connect(&sshd.unpinned()).await.unwrap();
        }
        assert_eq!(person.questions().len(), 1);
    }
}

#[tokio::test]
async fn many_unknown_hosts_are_asked_about_one_after_the_other() {
    let (desk, hosts) = (Desk::new(), [0; 4].map(|_| Sshd::start(&["ed25519"])));
    let fingerprint = hosts[3].fingerprint("ed25519");
    let person = Answers::new(&["yes", "what?", "yes", "yes", "yes"]);
    let transport = desk.native(&person);
    // One of them is called twice: as the second question about it would be, it is answered by then.
    let targets: Vec<Target> = hosts.iter().chain(&hosts[..1]).map(Sshd::unpinned).collect();
    let connected = join_all(targets.iter().map(|target| transport.connect(target))).await;
    assert!(connected.iter().all(Result::is_ok));
    // One of them twice: the answer was not understood.
    assert_eq!(person.questions().len(), 5);
    assert_eq!(desk.recorded().lines().count(), 4);
    assert!(person.questions().iter().any(|question| question.contains(&fingerprint)));
}

#[tokio::test]
async fn a_no_or_another_fingerprint_or_no_answer_lets_nobody_in() {
    let (desk, sshd) = (Desk::new(), Sshd::start(&["ed25519"]));
    let other = format!("SHA256:{}", "A".repeat(43));
    for (answers, wrong) in
        [(&["no"][..], false), (&[other.as_str()], true), (&["y", "y", "y", "yes"], false), (&[], false)]
    {
        let person = Answers::new(answers);
        let (native, ssh) = (desk.native(&person), desk.openssh(&Answers::new(answers)));
        for transport in [&native as &dyn Transport, &ssh] {
            let Err(error) = transport.connect(&sshd.unpinned()).await else { panic!("{answers:?} let in") };
            assert_eq!(error.exit(), Exit::Refused);
            assert_eq!(matches!(error, SshError::WrongHostKey { .. }), wrong, "{answers:?}: {error}");
            assert_eq!(desk.recorded(), "");
        }
    }
    // The right one is as good as a yes.
    let person = Answers::new(&[&format!("256 {} root@cp1 (ED25519)\n", sshd.fingerprint("ed25519"))]);
    desk.native(&person).connect(&sshd.unpinned()).await.unwrap();
}

#[tokio::test]
async fn a_changed_key_is_never_asked_about() {
    let (mut desk, sshd, other) = (Desk::new(), Sshd::start(&["ed25519"]), Sshd::start(&["ed25519"]));
    let key = fs_err::read_to_string(other.path("host_ed25519.pub")).unwrap();
    desk.users = format!("[127.0.0.1]:{} {key}", sshd.port());
    let person = Answers::new(&["yes", "yes"]);
    let (native, ssh) = (desk.native(&person), desk.openssh(&person));
    for transport in [&native as &dyn Transport, &ssh] {
        let Err(error) = transport.connect(&sshd.unpinned()).await else { panic!("let in") };
        assert!(matches!(error, SshError::ChangedHostKey { .. }), "{error}");
        assert!(error.problem("cp1").help.unwrap().contains("`garboard trust cp1`"));
    }
    assert!(person.questions().is_empty());
    // What is recorded by us outdoes what the user's own file says, and leaves that one alone.
    let names = [format!("[127.0.0.1]:{}", sshd.port())];
    let right = fs_err::read_to_string(sshd.path("host_ed25519.pub")).unwrap();
    Record::at(desk.own()).pin(&names, right.trim()).unwrap();
    for transport in [&native as &dyn Transport, &ssh] {
        transport.connect(&sshd.unpinned()).await.unwrap();
    }
    assert_eq!(fs_err::read_to_string(desk.folder.path().join("users")).unwrap(), desk.users);
    // Also the other way round: the user's file is no second way in.
    Record::at(desk.own()).pin(&names, key.trim()).unwrap();
    desk.users = sshd.known_host("ed25519");
    for transport in [&desk.native(&person) as &dyn Transport, &desk.openssh(&person)] {
        let Err(error) = transport.connect(&sshd.unpinned()).await else { panic!("let in") };
        assert!(matches!(error, SshError::ChangedHostKey { .. }), "{error}");
    }
}

#[tokio::test]
async fn jump_hosts_are_asked_about_once_for_all_hosts_behind_them() {
    let (desk, way) = (Desk::new(), Way::new());
    let person = Answers::new(&["yes", "yes", "yes"]);
    let home = Some(way.home().to_owned());
    let transport = Native::new(NativeOptions { home, known_hosts: Vec::new(), ..desk.options(&person) });
    let target = Target { address: "host".to_owned(), ..Target::default() };
    let targets = vec![target; 5];
    let connected = join_all(targets.iter().map(|host| transport.connect(host))).await;
    assert!(connected.iter().all(Result::is_ok));
    let asked: Vec<_> =
        person.questions().iter().map(|question| question.lines().nth(1).unwrap().to_owned()).collect();
    assert_eq!(asked.len(), 3, "{asked:?}");
    for (question, hop) in asked.iter().zip(["first", "second", "host"]) {
        assert!(question.starts_with(&format!("The host key of {hop} ")), "{question}");
    }
}
