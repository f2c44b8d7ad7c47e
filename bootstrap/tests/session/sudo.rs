//! Root by `sudo`: two scripts stand for sudo and sudo-rs, with the prompts and the habits that the real ones showed.
//! The real sudo is asked by the tests on lab hosts.

use std::io;
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use garboard::deploy::{DeployError, Deployed, SudoFault, SudoPassword};
use garboard::problem::Exit;
use garboard::secrets::{Secrets, Terminal};
use garboard_inventory::{Secret, SecretReference};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

use crate::deploy::{Host, agent, as_nobody, runs};

const RIGHT: &str = "opensesame";

/// sudo 1.9: reads its password byte by byte, prints the prompt as it is.
const SUDO: &str = r#"
ask() { printf '%s' "$prompt" >&2; IFS= read -r word; }
again() { echo 'Sorry, try again.' >&2; }
"#;

/// sudo-rs 0.2.5: reads ahead, and what it has read is lost; prints the prompt in its own words.
const SUDO_RS: &str = r#"
ask() {
    printf '%s' "[sudo: $prompt] Password: " >&2
    word=$(/bin/dd bs=65536 count=1 2>/dev/null)
    word=${word%%
*}
    [ -n "$word" ]
}
again() { echo >&2; echo 'sudo: Authentication failed, try again.' >&2; }
"#;

const BOTH: [&str; 2] = [SUDO, SUDO_RS];

/// A host whose sudo wants a password, and the file with all passwords it was given.
async fn host_with(sudo: &str) -> (Host, tempfile::TempDir) {
    let notes = tempfile::tempdir().unwrap();
    fs_err::set_permissions(notes.path(), PermissionsExt::from_mode(0o777)).unwrap();
    let attempts = notes.path().join("attempts");
    let script = format!(
        r#"#!/bin/sh
{sudo}
while :; do
    case $1 in
        -k) ticket=refused; shift;;
        -S) shift;;
        -n) echo 'sudo: a password is required' >&2; exit 1;;
        -p) prompt=$2; shift 2;;
        *) break;;
    esac
done
[ "$ticket" = refused ] || exit 9
[ -n "$prompt" ] || exit 9
for try in 1 2 3; do
    ask || {{ echo 'sudo: no password was provided' >&2; exit 1; }}
    echo "$word" >>'{attempts}'
    if [ "$word" = {RIGHT} ]; then exec "$@"; fi
    again
done
exit 1
"#,
        attempts = attempts.display()
    );
    (as_nobody(Some(&script)).await, notes)
}

fn attempts(notes: &tempfile::TempDir) -> Vec<String> {
    let text = fs_err::read_to_string(notes.path().join("attempts")).unwrap_or_default();
    text.lines().map(str::to_owned).collect()
}

fn printed(password: &str) -> SecretReference {
    SecretReference::Command(["echo", password].map(str::to_owned).to_vec())
}

async fn deployed(host: &Host, secrets: &Secrets, password: &str) -> Result<Deployed, DeployError> {
    let reference = printed(password);
    host.deploy_with(&[agent()], SudoPassword { secrets, reference: Some(&reference) }).await
}

#[tokio::test]
async fn the_password_is_given_once_a_channel_and_the_frames_after_it_arrive_whole() {
    for sudo in BOTH {
        let (host, notes) = host_with(sudo).await;
        let deployed = deployed(&host, &Secrets::default(), RIGHT).await.unwrap();
        let program = deployed.program().clone();
        runs(deployed).await;
        // Looked for the agent, sent it, started it.
        assert_eq!(attempts(&notes), [RIGHT; 3]);

        let mut pipe = program.start(&host, &["pipe", "127.0.0.1:6443"]).await.unwrap();
        pipe.write_all(b"to and fro").await.unwrap();
        pipe.shutdown().await.unwrap();
        let mut said = String::new();
        pipe.read_to_string(&mut said).await.unwrap();
        assert_eq!(said, "2:pipe:127.0.0.1:6443:::\nto and fro");
        assert_eq!(attempts(&notes), [RIGHT; 4]);
        assert!(!format!("{program:?}").contains(RIGHT));
    }
}

#[tokio::test]
async fn a_wrong_password_is_given_once_and_said_at_once() {
    for sudo in BOTH {
        let (host, notes) = host_with(sudo).await;
        let before = Instant::now();
        let error = deployed(&host, &Secrets::default(), "wrong").await.unwrap_err();
        assert!(before.elapsed() < Duration::from_secs(5), "{:?}", before.elapsed());
        assert!(matches!(&error, DeployError::Sudo { fault: SudoFault::WrongPassword, .. }), "{error}");
        let problem = error.problem("cp1");
        assert_eq!((problem.exit, problem.host.as_deref()), (Exit::Refused, Some("cp1")));
        assert!(problem.message.contains("root@here"), "{}", problem.message);
        assert!(problem.help.unwrap().contains("ssh.sudo.password"));
        assert_eq!(attempts(&notes), ["wrong"]);
    }
}

#[tokio::test]
async fn without_a_password_sudo_is_told_not_to_ask() {
    let (host, notes) = host_with(SUDO).await;
    let nowhere = SudoPassword { secrets: &Secrets::default(), reference: None };
    let error = host.deploy_with(&[agent()], nowhere).await.unwrap_err();
    assert!(matches!(&error, DeployError::Sudo { fault: SudoFault::NoPassword, .. }), "{error}");
    assert_eq!((error.exit(), attempts(&notes).len()), (Exit::Refused, 0));
    assert!(error.help().unwrap().contains("sudo: { password:"), "{error}");
}

#[tokio::test]
async fn a_sudo_that_asks_for_nothing_gets_no_password() {
    let script = "#!/bin/sh\nwhile :; do case $1 in -k|-S|-n) shift;; -p) shift 2;; *) break;; esac; done\nexec \"$@\"\n";
    let host = as_nobody(Some(script)).await;
    let mark = tempfile::tempdir().unwrap();
    let path = mark.path().join("fetched");
    let touch = SecretReference::Command(vec!["touch".to_owned(), path.display().to_string()]);
    let secrets = Secrets::default();
    for host in [host, Host::new().await] {
        let password = SudoPassword { secrets: &secrets, reference: Some(&touch) };
        let deployed = host.deploy_with(&[agent()], password).await.unwrap();
        let mut pipe = deployed.program().start(&host, &["pipe", "x"]).await.unwrap();
        pipe.shutdown().await.unwrap();
        let mut said = String::new();
        pipe.read_to_string(&mut said).await.unwrap();
        assert_eq!(said, "2:pipe:x:::\n");
        runs(deployed).await;
    }
    assert!(!path.exists(), "the password was fetched, and nobody asked for it");
}

#[tokio::test]
async fn no_sudo_and_a_refusing_one_are_told_apart() {
    let error = as_nobody(None).await.deploy_with(&[agent()], nobody(&Secrets::default())).await.unwrap_err();
    assert!(matches!(error, DeployError::Sudo { fault: SudoFault::Absent, .. }), "{error}");

    let table = [
        ("nobody is not in the sudoers file.", "nobody is not in the sudoers file.", "ALL=(ALL) ALL"),
        ("sudo: sorry, you must have a tty to run sudo", "requiretty", "Defaults:root !requiretty"),
        ("sudo: account validation failure, is your account locked?", "locked or has expired", "chage"),
    ];
    for (said, cause, fix) in table {
        let script = format!("#!/bin/sh\necho '{said}' >&2; exit 1\n");
        let host = as_nobody(Some(&script)).await;
        let error = host.deploy_with(&[agent()], nobody(&Secrets::default())).await.unwrap_err();
        assert!(error.to_string().contains(cause), "{error}");
        assert!(error.help().unwrap().contains(fix), "{:?}", error.help());
        assert_eq!(error.exit(), Exit::Refused);
    }
}

fn nobody(secrets: &Secrets) -> SudoPassword<'_> {
    SudoPassword { secrets, reference: None }
}

/// Types the right password.
struct Person(AtomicUsize);

impl Terminal for Person {
    fn ask(&self, question: &str) -> io::Result<Secret> {
        assert!(question.contains("`root`"), "{question}");
        self.0.fetch_add(1, Ordering::SeqCst);
        Ok(Secret::new(RIGHT))
    }
}

#[tokio::test]
async fn a_person_at_a_terminal_is_asked_once_for_all_hosts() {
    let person = Arc::new(Person(AtomicUsize::new(0)));
    let secrets = Secrets::with_terminal(person.clone());
    let (one, _kept) = host_with(SUDO).await;
    let (other, _kept_too) = host_with(SUDO_RS).await;
    let agents = [agent()];
    let deployed = tokio::join!(
        one.deploy_with(&agents, nobody(&secrets)),
        other.deploy_with(&agents, nobody(&secrets))
    );
    runs(deployed.0.unwrap()).await;
    runs(deployed.1.unwrap()).await;
    assert_eq!(person.0.load(Ordering::SeqCst), 1);
}

#[tokio::test]
async fn a_password_that_cannot_be_had_is_told_with_its_source() {
    let (host, notes) = host_with(SUDO).await;
    let absent = SecretReference::File(PathBuf::from("/nowhere/password"));
    let secrets = Secrets::default();
    let password = SudoPassword { secrets: &secrets, reference: Some(&absent) };
    let problem = host.deploy_with(&[agent()], password).await.unwrap_err().problem("w1");
    assert!(problem.causes.concat().contains("/nowhere/password"), "{problem:?}");
    assert_eq!(attempts(&notes), Vec::<String>::new());
}
