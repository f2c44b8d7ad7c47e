//! Logins that cannot work: host, cause, fix and exit code, and no second attempt.

use std::thread;
use std::time::Duration;

use super::setup::{Login, Setup};

const DIRECT: Login<'_> = Login { user: "pi", key: "ed25519", ssh: "", jump: false, agent: false };
const SUDO: &str = "sudo: { password: { file: SECRETS/password } }";
const WRONG: &str = "sudo: { password: { file: SECRETS/wrong } }";

/// Name, login, exit code, cause, fix.
type Case = (&'static str, Login<'static>, i32, &'static str, &'static str);

fn table() -> Vec<Case> {
    vec![
        ("no-password", DIRECT, 3, "`sudo` of `pi@", "sudo: { password:"),
        (
            "locked",
            Login { user: "locked", ssh: SUDO, ..DIRECT },
            3,
            "does not take the password",
            "passwd -S locked",
        ),
        (
            "not-allowed",
            Login { user: "plain", ssh: SUDO, ..DIRECT },
            3,
            "not in the sudoers file",
            "sudoers.d/plain",
        ),
        (
            "requiretty",
            Login { user: "term", ssh: SUDO, ..DIRECT },
            3,
            "requiretty",
            "Defaults:term !requiretty",
        ),
        (
            "records",
            Login { user: "taped", ssh: SUDO, ..DIRECT },
            3,
            "records what passes through it (`log_output`)",
            "Defaults:taped !log_input, !log_output",
        ),
        (
            "account-expired",
            Login { user: "gone", ssh: SUDO, ..DIRECT },
            1,
            "does not let `gone` in",
            "chage -l gone",
        ),
        ("password-expired", Login { user: "stale", ssh: SUDO, ..DIRECT }, 3, "has expired", "passwd stale"),
        (
            "key-expired",
            Login { user: "late", key: "late", ..DIRECT },
            1,
            "does not let `late` in",
            "expiry-time",
        ),
        (
            "passphrase",
            Login { key: "encrypted", ssh: "passphrase: { file: SECRETS/wrong }", ..DIRECT },
            1,
            "the passphrase does not open it",
            "ssh.passphrase",
        ),
        (
            "password",
            Login { user: "word", key: "", ssh: "password: { file: SECRETS/wrong }", ..DIRECT },
            1,
            "does not let `word` in with the password",
            "journalctl -u ssh",
        ),
        (
            "openssh-key",
            Login { user: "late", key: "late", ssh: "transport: openssh", ..DIRECT },
            1,
            "does not let `late` in",
            "expiry-time",
        ),
        (
            "openssh-not-allowed",
            Login {
                user: "plain",
                ssh: "transport: openssh, sudo: { password: { file: SECRETS/password } }",
                ..DIRECT
            },
            3,
            "not in the sudoers file",
            "sudoers.d/plain",
        ),
    ]
}

/// All at once: none of them gets as far as the agent.
pub(super) fn run(setup: &Setup<'_>) {
    let mut failed = Vec::new();
    for cases in table().chunks(4) {
        thread::scope(|scope| {
            let running: Vec<_> =
                cases.iter().map(|case| scope.spawn(move || judge(setup, case, "cp1"))).collect();
            failed.extend(running.into_iter().filter_map(|case| case.join().unwrap()));
        });
    }
    assert!(failed.is_empty(), "{}", failed.join("\n"));
}

/// What is wrong with how a case was told.
fn judge(setup: &Setup<'_>, case: &Case, host: &str) -> Option<String> {
    let (name, login, code, why, fix) = case;
    let finished = setup.check(&format!("no-{name}"), host, login);
    let said = format!("{}{}", finished.stderr, finished.stdout);
    let mut missing: Vec<&str> = [host, *why, *fix].into_iter().filter(|word| !said.contains(word)).collect();
    if finished.code != *code {
        missing.push("the exit code");
    }
    (!missing.is_empty())
        .then(|| format!("{name}: `{}` is missing: {}", missing.join("`, `"), finished.story()))
}

/// By sudo's own log on the host, with either transport; and soon after sudo has answered.
pub(super) fn a_wrong_password_is_given_once(setup: &Setup<'_>) {
    for (name, ssh, before) in
        [("wrong", WRONG.to_owned(), 0), ("openssh-wrong", format!("transport: openssh, {WRONG}"), 1)]
    {
        let login = Login { user: "wrong", key: "ed25519", ssh: &ssh, jump: false, agent: false };
        let finished = setup.check(name, "w1", &login).expect(3);
        let said = format!("{}{}", finished.stderr, finished.stdout);
        for word in ["w1", "does not take the password of `wrong@", "not tried again", "ssh.sudo.password"] {
            assert!(said.contains(word), "`{word}` is not in {}", finished.story());
        }
        // pam_unix lets two seconds pass before sudo asks again.
        assert!(finished.time < Duration::from_secs(10), "{}", finished.story());
        let journal = setup.lab.host("w1").exec(&["journalctl", "--no-pager", "--identifier=sudo"]);
        let lines = |text: &str| journal.lines().filter(|line| line.contains(text)).count();
        assert_eq!(lines("pam_unix(sudo:auth): authentication failure"), before + 1, "{journal}");
        assert_eq!(lines("wrong : 1 incorrect password attempt"), before + 1, "{journal}");
        assert_eq!(lines("incorrect password attempts"), 0, "{journal}");
    }
}

/// Last: nothing that needs sudo works on this host any more.
pub(super) fn no_sudo(setup: &Setup<'_>) {
    setup.lab.host("cp1").exec(&["mv", "/usr/bin/sudo", "/usr/bin/sudo.away"]);
    let login = Login { user: "pi", ssh: SUDO, ..DIRECT };
    let case: Case = ("sudo", login, 3, "`sudo` is not installed there", "install sudo there");
    assert_eq!(judge(setup, &case, "cp1"), None);
}
