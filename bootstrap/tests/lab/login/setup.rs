//! Users, keys and secrets for the logins, and one call of the product with one of them.

use std::fmt::Write as _;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Mutex;

use crate::harness::{Finished, TestLab, product, run};

/// The password of every user, for `sudo` and for sshd.
pub(super) const PASSWORD: &str = "canary-Ahngo4ie-password";
/// What somebody types who errs.
pub(super) const WRONG: &str = "canary-Ue7shaef-mistyped";
/// Of the encrypted key.
pub(super) const PASSPHRASE: &str = "canary-Oox4meiN-passphrase";

/// Makes the users on a host; `$KEYS` is what opens them, `$LATE` a key that was good once.
const USERS: &str = r#"
set -e
for user in pi op term taped plain wrong locked gone stale word prompt late; do
    useradd --create-home --shell /bin/sh $user
    echo "$user:$PASSWORD" | chpasswd
    mkdir -m 700 /home/$user/.ssh
    echo "$KEYS" >/home/$user/.ssh/authorized_keys
    case $user in word|prompt) rm /home/$user/.ssh/authorized_keys;; esac
    chown -R $user: /home/$user/.ssh
done
mkdir -p -m 700 /root/.ssh
echo "$KEYS" >>/root/.ssh/authorized_keys
echo "expiry-time=\"20200101\" $LATE" >/home/late/.ssh/authorized_keys
for user in pi term taped wrong locked word prompt; do echo "$user ALL=(ALL:ALL) ALL"; done >/etc/sudoers.d/people
echo 'op ALL=(ALL) NOPASSWD: ALL' >>/etc/sudoers.d/people
echo 'Defaults:term requiretty' >>/etc/sudoers.d/people
echo 'Defaults:taped log_output' >>/etc/sudoers.d/people
passwd --quiet --lock locked
chage --expiredate 1 gone
chage --lastday 0 stale
cat >/etc/ssh/sshd_config.d/people.conf <<END
PasswordAuthentication yes
Match User prompt
    PasswordAuthentication no
    KbdInteractiveAuthentication yes
END
systemctl reload ssh
"#;

/// One login to try.
#[derive(Clone, Copy)]
pub(super) struct Login<'a> {
    pub(super) user: &'a str,
    /// The name of a key, empty for none.
    pub(super) key: &'a str,
    /// Further keys of `ssh:`, where `KEYS/` and `SECRETS/` are folders of this test.
    pub(super) ssh: &'a str,
    /// Through the other host, as `~/.ssh/config` says.
    pub(super) jump: bool,
    /// With the SSH agent, which holds `id_agent`.
    pub(super) agent: bool,
}

/// A lab whose hosts have all these users.
pub(super) struct Setup<'a> {
    pub(super) lab: &'a TestLab,
    proxy: String,
    /// Ends with the test.
    _agent: Agent,
    /// What every call said, for the search for secrets.
    pub(super) said: Mutex<Vec<String>>,
}

struct Agent(std::process::Child);

impl Drop for Agent {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

impl<'a> Setup<'a> {
    pub(super) fn new(lab: &'a TestLab) -> Self {
        for folder in ["keys", "secrets", "cases", "home/.ssh"] {
            fs_err::create_dir_all(lab.folder().join(folder)).unwrap();
        }
        for (name, text) in [("password", PASSWORD), ("wrong", WRONG), ("passphrase", PASSPHRASE)] {
            let path = lab.folder().join("secrets").join(name);
            fs_err::write(&path, format!("{text}\n")).unwrap();
            fs_err::set_permissions(&path, std::fs::Permissions::from_mode(0o600)).unwrap();
        }
        let mut keys = String::new();
        let mut late = String::new();
        for (name, kind) in [
            ("ed25519", "ed25519"),
            ("rsa", "rsa"),
            ("ecdsa", "ecdsa"),
            ("encrypted", "ed25519"),
            ("agent", "ed25519"),
            ("late", "ed25519"),
        ] {
            let path = lab.folder().join("keys").join(name);
            let made = Command::new("ssh-keygen")
                .args(["-q", "-t", kind, "-N", "", "-C", name, "-f"])
                .arg(&path)
                .status();
            assert!(made.unwrap().success());
            let public = fs_err::read_to_string(path.with_extension("pub")).unwrap();
            if name == "late" { late = public } else { keys += &public }
        }
        encrypt(lab.folder());
        for host in ["cp1", "w1"] {
            let script = format!("KEYS='{keys}'; LATE='{}'; PASSWORD='{PASSWORD}'; {USERS}", late.trim());
            // Through a file: what is tested must not be made by the test.
            lab.host(host).write("/root/users.sh", &script);
            lab.host(host).exec(&["sh", "/root/users.sh"]);
            lab.host(host).exec(&["rm", "/root/users.sh"]);
        }
        let proxy = format!("{} lab connect {} %h %p", product().display(), lab.name());
        let agent = start_agent(lab);
        let setup = Self { lab, proxy, _agent: agent, said: Mutex::default() };
        setup.write_ssh_config();
        setup
    }

    /// Each host is the jump host of the other one.
    fn write_ssh_config(&self) {
        let (mut config, mut known) = (String::new(), String::new());
        for (host, other) in [("cp1", "w1"), ("w1", "cp1")] {
            let (address, key) = (self.address(host), self.lab.folder().join("keys/ed25519"));
            writeln!(
                config,
                "Host {host}.behind\n  HostName {address}\n  ProxyJump {other}.gate\nHost {host}.gate\n  HostName \
                 {address}\n  User plain\n  IdentityFile {}\n  ProxyCommand {}",
                key.display(),
                self.proxy
            )
            .unwrap();
            let public = self.lab.host(host).exec(&["cat", "/etc/ssh/ssh_host_ed25519_key.pub"]);
            write!(known, "{address} {public}").unwrap();
        }
        let folder = self.lab.folder().join("home/.ssh");
        fs_err::write(folder.join("config"), config).unwrap();
        fs_err::write(folder.join("known_hosts"), known).unwrap();
    }

    fn address(&self, host: &str) -> String {
        self.lab.lab().host(host).unwrap().address.to_string()
    }

    /// `garboard check` of one host with this login, as a person sees it. `name` is that of the case.
    pub(super) fn check(&self, name: &str, host: &str, login: &Login<'_>) -> Finished {
        let path = self.inventory(name, host, login);
        let mut command = self.lab.command();
        command.arg("--inventory").arg(path).args(["-vv", "--state"]);
        command.arg(self.state().join(name)).arg("check");
        if login.agent {
            command.env("SSH_AUTH_SOCK", agent_socket(self.lab));
        }
        let finished = run(command, |_, _| {});
        let mut said = self.said.lock().unwrap();
        said.extend([finished.stdout.clone(), finished.stderr.clone()]);
        finished
    }

    /// Where the calls keep what they know.
    pub(super) fn state(&self) -> PathBuf {
        self.lab.folder().join("cases/state")
    }

    fn inventory(&self, name: &str, host: &str, login: &Login<'_>) -> PathBuf {
        let Login { user, key, ssh, jump, .. } = *login;
        let (address, folder) = (self.address(host), self.lab.folder().display().to_string());
        let mut fields = vec![format!("user: {user}")];
        if !key.is_empty() {
            fields.push(format!("identity: {folder}/keys/{key}"));
        }
        if !ssh.is_empty() {
            fields.push(ssh.replace("SECRETS/", &format!("{folder}/secrets/")));
        }
        if !jump {
            fields.push(format!("proxy_command: \"{}\"", self.proxy));
        }
        let at = if jump { format!("{host}.behind") } else { address.clone() };
        // The lab's inventory knows the host's key and what this machine needs.
        let inventory = self.lab.inventory();
        let line = inventory.lines().find(|line| line.trim_start().starts_with(&format!("{host}:"))).unwrap();
        let host_key = line.split('"').nth(1).unwrap();
        let cgroup = if inventory.contains("allow_cgroup_v1") { ", allow_cgroup_v1: true" } else { "" };
        let text = format!(
            "cluster: {{ name: {}, kubernetes: v1.36.3{cgroup} }}\nssh: {{ {} }}\nhosts:\n  {host}: {{ address: {at}, \
             node_ip: {address}, role: control_plane, host_key: \"{host_key}\" }}\n",
            self.lab.name(),
            fields.join(", ")
        );
        let path = self.lab.folder().join("cases").join(format!("{name}-{host}.yaml"));
        fs_err::write(&path, text).unwrap();
        path
    }
}

/// Not on a command line: `ssh-keygen` asks a program, which reads the passphrase from its file.
fn encrypt(folder: &Path) {
    let (key, program) = (folder.join("keys/encrypted"), folder.join("keys/askpass"));
    fs_err::write(&program, format!("#!/bin/sh\ncat {}\n", folder.join("secrets/passphrase").display()))
        .unwrap();
    fs_err::set_permissions(&program, std::fs::Permissions::from_mode(0o700)).unwrap();
    let changed = Command::new("ssh-keygen")
        .args(["-q", "-p", "-P", "", "-f"])
        .arg(&key)
        .env("SSH_ASKPASS", &program)
        .env("SSH_ASKPASS_REQUIRE", "force")
        .stdin(std::process::Stdio::null())
        .stdout(std::process::Stdio::null())
        .status();
    assert!(changed.unwrap().success());
    let opened = Command::new("ssh-keygen").args(["-y", "-P", "", "-f"]).arg(&key).output().unwrap();
    assert!(!opened.status.success(), "the key is not encrypted");
}

fn agent_socket(lab: &TestLab) -> PathBuf {
    lab.folder().join("agent")
}

fn start_agent(lab: &TestLab) -> Agent {
    use std::io::BufRead as _;
    let socket = agent_socket(lab);
    let _ = fs_err::remove_file(&socket);
    let mut agent = Command::new("ssh-agent")
        .args(["-D", "-a"])
        .arg(&socket)
        .stdout(std::process::Stdio::piped())
        .spawn()
        .unwrap();
    // It tells its socket once it listens there.
    let mut line = String::new();
    std::io::BufReader::new(agent.stdout.take().unwrap()).read_line(&mut line).unwrap();
    let key = lab.folder().join("keys/agent");
    let added = Command::new("ssh-add").arg("-q").arg(key).env("SSH_AUTH_SOCK", &socket).status().unwrap();
    assert!(added.success());
    Agent(agent)
}
