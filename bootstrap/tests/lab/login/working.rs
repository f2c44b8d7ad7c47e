//! Logins that work: each becomes root and shows the host's facts.

use super::setup::{Login, Setup};

const SUDO: &str = "sudo: { password: { file: SECRETS/password } }";
const OPENSSH: &str = "transport: openssh";

const DIRECT: Login<'_> = Login { user: "root", key: "ed25519", ssh: "", jump: false, agent: false };

/// Kind of user × kind of sudo × kind of key × transport × way.
fn table() -> Vec<(&'static str, Login<'static>)> {
    vec![
        ("root", DIRECT),
        ("sudo-password", Login { user: "pi", ssh: SUDO, ..DIRECT }),
        ("sudo-nopasswd", Login { user: "op", ..DIRECT }),
        ("rsa", Login { user: "op", key: "rsa", ..DIRECT }),
        ("ecdsa", Login { user: "pi", key: "ecdsa", ssh: SUDO, ..DIRECT }),
        (
            "encrypted",
            Login {
                user: "pi",
                key: "encrypted",
                ssh: "sudo: { password: { file: SECRETS/password } }, passphrase: { file: SECRETS/passphrase }",
                ..DIRECT
            },
        ),
        ("agent", Login { user: "pi", key: "", ssh: SUDO, agent: true, ..DIRECT }),
        (
            "password",
            Login {
                user: "word",
                key: "",
                ssh: "password: { file: SECRETS/password }, sudo: { password: { file: SECRETS/password } }",
                ..DIRECT
            },
        ),
        (
            "interactive",
            Login {
                user: "prompt",
                key: "",
                ssh: "password: { file: SECRETS/password }, sudo: { password: { file: SECRETS/password } }",
                ..DIRECT
            },
        ),
        ("jump-root", Login { jump: true, ..DIRECT }),
        ("jump-sudo", Login { user: "pi", ssh: SUDO, jump: true, ..DIRECT }),
        ("openssh-root", Login { ssh: OPENSSH, ..DIRECT }),
        (
            "openssh-sudo",
            Login {
                user: "pi",
                ssh: "transport: openssh, sudo: { password: { file: SECRETS/password } }",
                ..DIRECT
            },
        ),
        ("openssh-nopasswd", Login { user: "op", key: "rsa", ssh: OPENSSH, ..DIRECT }),
    ]
}

/// Every second case for each host. What failed is told, so that the others are still seen.
pub(super) fn run(setup: &Setup<'_>, host: &str) -> Vec<String> {
    let mine = usize::from(host == "w1");
    let cases = table().into_iter().enumerate().filter(|(number, _)| number % 2 == mine);
    let mut failed = Vec::new();
    for (_, (name, login)) in cases {
        let finished = setup.check(name, host, &login);
        // A row of what the agent saw there as root.
        let facts = finished.stdout.lines().any(|line| line.starts_with(host) && line.contains("  ok  "));
        if finished.code != 0 || !facts {
            failed.push(format!("{name} on {host}: {}", finished.story()));
        }
        println!("   {name} on {host}: {:.1} s", finished.time.as_secs_f64());
    }
    failed
}
