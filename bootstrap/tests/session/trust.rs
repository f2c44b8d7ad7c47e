//! `garboard trust` and the question about unknown host keys: the real program, on a real terminal, against a real sshd.

use std::io::{Read as _, Write as _};
use std::path::PathBuf;
use std::process::{Command, Output, Stdio};

use serde_json::Value;

use crate::sshd::Sshd;

/// An inventory of one host, and a home with nothing in it.
struct Site {
    folder: tempfile::TempDir,
    sshd: Sshd,
}

impl Site {
    /// The host lets in, and then ends every command at once.
    fn new(of_host: &str) -> Self {
        Self::of(Sshd::start(&["ed25519", "ecdsa", "rsa"]), of_host)
    }

    fn of(sshd: Sshd, of_host: &str) -> Self {
        sshd.configure("ForceCommand echo go away >&2; exit 1");
        let site = Self { folder: tempfile::tempdir().unwrap(), sshd };
        site.write(of_host);
        site
    }

    fn write(&self, of_host: &str) {
        let target = self.sshd.target();
        // No inventory takes an address of loopback, so a proxy command leads there.
        let port = self.sshd.port();
        fs_err::write(
            self.path("proxy.sh"),
            format!("exec 3<>/dev/tcp/127.0.0.1/{port}\ncat <&3 &\nexec cat >&3\n"),
        )
        .unwrap();
        let inventory = format!(
            "cluster: {{ name: here, kubernetes: v1.36.3 }}\nssh: {{ user: {}, port: {port}, identity: {}, proxy_command: bash {} \
             }}\nhosts:\n  cp1:\n    address: 192.0.2.1\n    role: control_plane\n{of_host}",
            target.user.unwrap(),
            self.sshd.path("id_ed25519").display(),
            self.path("proxy.sh").display(),
        );
        fs_err::write(self.path("garboard.yaml"), inventory).unwrap();
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// What our own file says of the host once this key is pinned, and nothing else.
    fn pinned(&self, kind: &str) -> String {
        let key = fs_err::read_to_string(self.sshd.path(&format!("host_{kind}.pub"))).unwrap();
        format!("[192.0.2.1]:{} {}\n", self.sshd.port(), key.trim())
    }

    fn recorded(&self) -> String {
        fs_err::read_to_string(self.path("state/garboard/here/known_hosts")).unwrap_or_default()
    }

    fn users_known_hosts(&self, text: &str) {
        fs_err::create_dir_all(self.path(".ssh")).unwrap();
        fs_err::write(self.path(".ssh/known_hosts"), text).unwrap();
    }

    fn at_home(&self, mut command: Command) -> Command {
        command
            .current_dir(self.folder.path())
            .env_remove("SSH_AUTH_SOCK")
            .env("LC_ALL", "C")
            .env("TERM", "xterm")
            .env("HOME", self.folder.path())
            .env("XDG_STATE_HOME", self.path("state"))
            .env("XDG_CACHE_HOME", self.path("cache"));
        command
    }

    fn garboard(&self, arguments: &[&str]) -> Output {
        let mut command = self.at_home(Command::new(env!("CARGO_BIN_EXE_garboard")));
        command.args(arguments).stdin(Stdio::null()).output().unwrap()
    }

    /// On a terminal of its own: what it shows, and its exit code. Each answer is typed when its question stands there.
    fn on_terminal(&self, arguments: &str, answers: &[(&str, &str)]) -> (String, i32) {
        let mut script = Command::new("script");
        script.args(["--quiet", "--return", "--flush", "--command"]);
        script.arg(format!("exec {} {arguments}", env!("CARGO_BIN_EXE_garboard"))).arg("/dev/null");
        let mut child = self.at_home(script).stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
        let (mut keyboard, mut screen) = (child.stdin.take().unwrap(), child.stdout.take().unwrap());
        let (mut shown, mut read_so_far) = (String::new(), 0);
        let mut buffer = [0; 4096];
        let mut answers = answers.iter();
        let mut next = answers.next();
        while let Ok(count @ 1..) = screen.read(&mut buffer) {
            shown += &String::from_utf8_lossy(&buffer[..count]);
            if let Some((question, answer)) = next
                && let Some(at) = shown[read_so_far..].find(question)
            {
                read_so_far += at + question.len();
                writeln!(keyboard, "{answer}").unwrap();
                next = answers.next();
            }
        }
        assert!(next.is_none(), "nobody asked {next:?}: {shown}");
        (shown.replace('\r', ""), child.wait().unwrap().code().unwrap())
    }
}

#[track_caller]
fn ended(output: &Output, code: i32, words: &[&str]) {
    let said = String::from_utf8_lossy(&output.stdout) + String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(code), "{said}");
    for word in words {
        assert!(said.contains(word), "{word}: {said}");
    }
}

#[test]
fn on_a_terminal_an_unknown_host_key_is_a_question_and_yes_is_no_answer_to_it() {
    let site = Site::new("");
    let question = "Is it the same?";
    let fingerprint = site.sshd.fingerprint("ed25519");
    // `--yes` answers other questions.
    let (shown, code) = site.on_terminal("check --yes", &[(question, "no")]);
    assert_eq!((code, site.recorded().as_str()), (3, ""), "{shown}");
    assert!(shown.contains(&format!("256 {fingerprint} (ED25519)")), "{shown}");
    assert!(shown.contains("`garboard trust cp1`"), "{shown}");

    let (shown, code) = site.on_terminal("check", &[(question, "yes")]);
    assert!(code == 1 && shown.contains("go away"), "{code} {shown}");
    assert_eq!(site.recorded(), site.pinned("ed25519"));
    let (shown, code) = site.on_terminal("check", &[]);
    assert!(code == 1 && shown.contains("go away") && !shown.contains(question), "{code} {shown}");
    assert!(!site.path(".ssh").exists());
}

#[test]
fn the_users_own_ssh_asks_the_same_question() {
    let site = Site::new("    ssh: { transport: openssh }\n");
    let (shown, code) = site.on_terminal("check", &[("Is it the same?", "yes")]);
    assert!(code == 1 && shown.contains("go away"), "{code} {shown}");
    assert_eq!(site.recorded(), site.pinned("ed25519"));
    ended(&site.garboard(&["check"]), 1, &["go away"]);
}

#[test]
fn without_a_terminal_an_unknown_key_is_refused_and_trust_wants_the_fingerprint() {
    let site = Site::new("");
    let [ed25519, rsa] = ["ed25519", "rsa"].map(|kind| site.sshd.fingerprint(kind));
    ended(
        &site.garboard(&["check", "--yes"]),
        3,
        &["`garboard trust cp1`", &format!("host_key: \"{ed25519}\"")],
    );
    // Neither is `--yes` enough for `trust`: it would pin whoever answers.
    for arguments in [&["trust", "cp1"][..], &["trust", "cp1", "--yes"]] {
        ended(
            &site.garboard(arguments),
            5,
            &[&ed25519, &rsa, "no key of this host is pinned yet", "--fingerprint"],
        );
    }
    let wrong = format!("SHA256:{}", "A".repeat(43));
    ended(
        &site.garboard(&["trust", "cp1", "--fingerprint", &wrong]),
        3,
        &["offers no key", "nothing was pinned"],
    );
    assert_eq!(site.recorded(), "");
    ended(&site.garboard(&["trust", "cp1", "--fingerprint", "SHA256:abc"]), 2, &["43 characters"]);
    ended(&site.garboard(&["trust", "cp2"]), 2, &["no host `cp2`", "its hosts are cp1"]);

    // Any of its keys may be the one that was compared.
    ended(&site.garboard(&["trust", "cp1", "--fingerprint", &rsa]), 0, &[&format!("pinned {rsa} for cp1")]);
    assert_eq!(site.recorded(), site.pinned("rsa"));
    ended(&site.garboard(&["check"]), 1, &["go away"]);
    ended(&site.garboard(&["trust", "cp1"]), 0, &["the host shows what is pinned"]);
}

#[test]
fn a_changed_key_is_refused_until_it_is_trusted_though_the_users_own_file_has_the_old_one() {
    for transport in ["russh", "openssh"] {
        let site = Site::new(&format!("    ssh: {{ transport: {transport} }}\n"));
        let before = Sshd::start(&["ed25519"]);
        let old = fs_err::read_to_string(before.path("host_ed25519.pub")).unwrap();
        let users = format!("# mine\n[192.0.2.1]:{} {old}", site.sshd.port());
        site.users_known_hosts(&users);
        let (old, new) = (before.fingerprint("ed25519"), site.sshd.fingerprint("ed25519"));

        let (shown, code) = site.on_terminal("check", &[]);
        assert!(
            code == 3 && shown.contains("has changed") && shown.contains("`garboard trust cp1`"),
            "{shown}"
        );
        let output = site.garboard(&["--output", "json", "trust", "cp1"]);
        let lines = String::from_utf8(output.stdout).unwrap();
        let document: Value = serde_json::from_str(lines.lines().next().unwrap()).unwrap();
        assert_eq!((&document["verdict"], &document["pinned"]), (&"changed".into(), &Value::Null));
        assert_eq!(
            (&document["pins"][0]["fingerprint"], &document["pins"][0]["line"]),
            (&old.clone().into(), &2.into())
        );
        assert_eq!(document["offers"][0]["fingerprint"], new.clone());
        let failed: Value = serde_json::from_str(lines.lines().nth(1).unwrap()).unwrap();
        assert_eq!((&failed["problem"]["exit"], output.status.code()), (&"needs_person".into(), Some(5)));

        let (shown, code) = site.on_terminal("trust cp1", &[("its key?", &new)]);
        assert_eq!(code, 0, "{shown}");
        for part in [old.as_str(), &new, "has CHANGED", "known_hosts:2 has another key", "ssh-keygen -f"] {
            assert!(shown.contains(part), "{part}: {shown}");
        }
        ended(&site.garboard(&["check"]), 1, &["go away"]);
        assert_eq!(fs_err::read_to_string(site.path(".ssh/known_hosts")).unwrap(), users);
        assert_eq!(site.recorded().lines().count(), 1);
    }
}

#[test]
fn a_pin_in_the_inventory_is_the_users_to_change_and_a_revoked_key_is_never_pinned() {
    let old = format!("SHA256:{}", "A".repeat(43));
    let pinned = format!("    host_key: \"{old}\"\n");
    let site = Site::new(&pinned);
    let text = fs_err::read_to_string(site.path("garboard.yaml")).unwrap();
    let new = site.sshd.fingerprint("ed25519");
    ended(&site.garboard(&["check"]), 3, &[&old, &new, "put into the inventory"]);
    for arguments in [&["trust", "cp1"][..], &["trust", "cp1", "--fingerprint", &new]] {
        let line = format!("in garboard.yaml:7 put `host_key: \"{new}\"` in place of `{old}`");
        ended(&site.garboard(arguments), 5, &["garboard.yaml:7", &line]);
    }
    assert_eq!(
        (fs_err::read_to_string(site.path("garboard.yaml")).unwrap(), site.recorded()),
        (text, String::new())
    );
    site.write(&pinned.replace(&old, &new));
    ended(&site.garboard(&["trust", "cp1"]), 0, &["the host shows what is pinned"]);

    site.write("");
    site.users_known_hosts(&format!(
        "@revoked * {}",
        fs_err::read_to_string(site.sshd.path("host_ed25519.pub")).unwrap()
    ));
    ended(&site.garboard(&["trust", "cp1", "--fingerprint", &new]), 3, &["REVOKED", "in wrong hands"]);
    assert_eq!(site.recorded(), "");
}
