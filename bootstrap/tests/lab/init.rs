//! `garboard init` that looks at real hosts: keys, facts, and nothing left behind; what it writes is good for `check`.

use std::path::PathBuf;
use std::process::{Command, Stdio};

use crate::harness::{Finished, Phases, Shape, States, TestLab, assert_same, json_of, product, run};

#[test]
fn init_looks_at_hosts_and_writes_what_check_accepts() {
    let mut phases = Phases::of("init_looks_at_hosts_and_writes_what_check_accepts");
    let lab = phases.must("two bare hosts", || TestLab::up("t-init", Shape::workers(1).without_mirror()));
    let site = Site::new(&lab);
    let bare = phases.must("the state of bare hosts", || lab.states());
    phases.check("an unknown host key is shown and not believed", || site.unknown_keys());
    phases.check("a key that contradicts what is known is refused", || site.contradicted_key());
    phases.check("known and given keys are pinned and facts written down", || site.known_keys(&bare));
    phases.check("a person agrees to one key and not to the other", || site.agreed_key());
    phases.check("a host that is off is left out and named", || site.switched_off());
    phases.check("the hosts are as they were", || assert_same(&bare, &lab.states()));
    phases.must("lab down", || drop(lab));
    phases.finish();
}

/// A home whose `~/.ssh/config` leads to the lab.
struct Site<'a> {
    lab: &'a TestLab,
}

impl<'a> Site<'a> {
    fn new(lab: &'a TestLab) -> Self {
        let folder = lab.folder().join("home/.ssh");
        fs_err::create_dir_all(&folder).unwrap();
        let config = format!(
            "Host *\n  User root\n  IdentityFile {}\n  ProxyCommand {} lab connect {} %h %p\n",
            lab.lab_folder().join("identity").display(),
            product().display(),
            lab.name()
        );
        fs_err::write(folder.join("config"), config).unwrap();
        Self { lab }
    }

    fn address(&self, host: &str) -> String {
        self.lab.lab().host(host).unwrap().address.to_string()
    }

    /// The fingerprint of its Ed25519 key, as the lab's own inventory has it.
    fn fingerprint(&self, host: &str) -> String {
        let inventory = self.lab.inventory();
        let line = inventory.lines().find(|line| line.trim_start().starts_with(&format!("{host}:"))).unwrap();
        line.split('"').nth(1).unwrap().to_owned()
    }

    fn path(&self, name: &str) -> PathBuf {
        self.lab.folder().join(format!("{name}.yaml"))
    }

    /// Two hosts, the second without a name.
    fn flags(&self, name: &str) -> Vec<String> {
        let mut flags: Vec<String> =
            ["init", "--name", self.lab.name(), "--look", "--inventory"].map(str::to_owned).into();
        flags.push(self.path(name).display().to_string());
        flags.extend(["--host".to_owned(), format!("cp1={}", self.address("cp1"))]);
        flags.extend(["--host".to_owned(), self.address("w1")]);
        flags.extend(["--control-plane".to_owned(), "cp1".to_owned()]);
        flags
    }

    fn init(&self, name: &str, more: &[&str]) -> Finished {
        let mut command = self.lab.command();
        command.args(self.flags(name)).args(more);
        run(command, |_, _| {})
    }

    fn written(&self, name: &str) -> String {
        let text = fs_err::read_to_string(self.path(name)).unwrap();
        garboard_inventory::parse(name, &text).unwrap_or_else(|faults| panic!("{faults}\n{text}"));
        text
    }

    fn unknown_keys(&self) {
        let finished = self.init("unknown", &[]).expect(3);
        let text = self.written("unknown");
        for host in ["cp1", "w1"] {
            let key = self.fingerprint(host);
            assert!(finished.stderr.contains(&key), "{}", finished.story());
            assert!(text.contains(&format!("\n    # host_key: \"{key}\"\n")), "{text}");
        }
        assert!(!text.contains("Debian"), "somebody logged in: {text}");
    }

    fn contradicted_key(&self) {
        let (right, other) = (self.fingerprint("cp1"), self.fingerprint("w1"));
        let finished = self.init("contradicted", &["--host-key", &format!("cp1={other}")]).expect(3);
        for word in ["cp1", &right, &other, "has changed"] {
            assert!(finished.stderr.contains(word), "{}", finished.story());
        }
        assert!(!self.written("contradicted").contains("Debian"), "somebody logged in");
    }

    fn known_keys(&self, bare: &States) {
        // Not the best of its keys is the known one.
        let key = self.lab.host("cp1").exec(&["cat", "/etc/ssh/ssh_host_ecdsa_key.pub"]);
        let known = self.lab.folder().join("home/.ssh/known_hosts");
        fs_err::write(&known, format!("{} {key}", self.address("cp1"))).unwrap();
        let given = format!("{}={}", self.address("w1"), self.fingerprint("w1"));
        let finished = self.init("known", &["--host-key", &given]).expect(0);
        assert!(finished.stderr.contains("next: `garboard check --inventory "), "{}", finished.story());
        fs_err::remove_file(&known).unwrap();
        let text = self.written("known");
        let printed = self.lab.host("cp1").exec(&["ssh-keygen", "-lf", "/etc/ssh/ssh_host_ecdsa_key.pub"]);
        let recorded = printed.split(' ').nth(1).unwrap();
        for key in [recorded, &self.fingerprint("w1")] {
            assert!(text.contains(&format!("\n    host_key: \"{key}\"\n")), "`{key}` is not in {text}");
        }
        // The host without a name has the one it calls itself by.
        assert!(text.contains(&format!("\n  w1:\n    address: {}\n", self.address("w1"))), "{text}");
        assert_eq!(text.matches("  # Debian GNU/Linux 12 (bookworm), amd64, ").count(), 2, "{text}");
        let needs = |text: &str| text.contains("\n  allow_cgroup_v1: true\n");
        assert_eq!(needs(&text), needs(&self.lab.inventory()), "{text}");
        assert_same(bare, &self.lab.states());
        assert_eq!(self.rows(self.path("known")), self.rows(self.lab.lab().inventory()));
    }

    /// What `check` says of this inventory's hosts, without what is measured; it has nothing against them.
    fn rows(&self, inventory: PathBuf) -> Vec<(String, String, String)> {
        let mut command = self.lab.command();
        command.args(["--output", "json", "check", "--inventory"]).arg(inventory);
        let document = json_of(&run(command, |_, _| {}).expect(0));
        let text = |row: &serde_json::Value, key: &str| row[key].as_str().unwrap().to_owned();
        let rows = document["rows"].as_array().unwrap();
        rows.iter().map(|row| (text(row, "host"), text(row, "check"), text(row, "verdict"))).collect()
    }

    fn agreed_key(&self) {
        let mut flags = self.flags("agreed");
        flags.extend(["--user", "root", "--identity"].map(str::to_owned));
        flags.push(self.lab.lab_folder().join("identity").display().to_string());
        let answers = self.lab.folder().join("answers");
        // The keys, then the name of the host that has none.
        fs_err::write(&answers, "yes\nno\nshed\n").unwrap();
        let mut script = Command::new("script");
        script.args(["--quiet", "--return", "--command"]);
        script.arg(format!("exec {} {}", product().display(), flags.join(" "))).arg("/dev/null");
        let environment = self.lab.command();
        script.env_clear().envs(std::env::vars_os());
        for (name, value) in environment.get_envs() {
            match value {
                Some(value) => script.env(name, value),
                None => script.env_remove(name),
            };
        }
        let output = script
            .env("TERM", "dumb")
            .stdin(Stdio::from(fs_err::File::open(answers).unwrap().into_file()))
            .output()
            .unwrap();
        let shown = String::from_utf8_lossy(&output.stdout);
        assert_eq!(output.status.code(), Some(3), "{shown}");
        let text = self.written("agreed");
        let (agreed, other) = (self.fingerprint("cp1"), self.fingerprint("w1"));
        for line in
            [format!("{agreed} ssh-ed25519"), format!("{other} ssh-ed25519"), "Is this cp1? [no]".to_owned()]
        {
            assert!(shown.contains(&line), "`{line}` is not in {shown}");
        }
        assert!(text.contains(&format!("\n    host_key: \"{agreed}\"\n")), "{text}");
        assert!(text.contains(&format!("\n    # host_key: \"{other}\"\n")), "{text}");
        assert!(text.contains("\n  shed:\n") && text.matches("  # Debian GNU/Linux").count() == 1, "{text}");
    }

    fn switched_off(&self) {
        let key = |host: &str| format!("{}={}", self.address(host), self.fingerprint(host));
        self.lab.host("w1").exec(&["systemctl", "stop", "ssh.socket", "ssh.service"]);
        let finished = self.init("off", &["--host-key", &key("cp1"), "--host-key", &key("w1")]);
        self.lab.host("w1").exec(&["systemctl", "start", "ssh.service"]);
        let finished = finished.expect(1);
        assert!(
            finished.stderr.contains(&format!("error: {}: ", self.address("w1"))),
            "{}",
            finished.story()
        );
        let text = self.written("off");
        assert!(
            text.contains("  # It could not be looked at: ") && text.contains("  # Debian GNU/Linux"),
            "{text}"
        );
    }
}
