//! An inventory of one host, which says something and hangs up.

use std::path::PathBuf;
use std::process::Command;

use tempfile::TempDir;

pub(crate) struct Site {
    folder: TempDir,
}

impl Site {
    /// Its host says these words, as a gateway on the way to it would.
    pub(crate) fn new(words: &str) -> Self {
        let site = Self { folder: tempfile::tempdir().unwrap() };
        fs_err::write(site.path("words"), words).unwrap();
        let script = format!("cat {} >&2\nexit 1\n", site.path("words").display());
        fs_err::write(site.path("host.sh"), script).unwrap();
        let mut key = Command::new("ssh-keygen");
        key.args(["-q", "-t", "ed25519", "-N", "", "-f"]).arg(site.path("identity"));
        assert!(key.status().unwrap().success());
        let inventory = format!(
            "cluster: {{ name: here, kubernetes: v1.36.3 }}\n\
             ssh: {{ user: root, identity: {}, proxy_command: sh {} }}\n\
             hosts:\n  cp1: {{ address: 192.0.2.1, role: control_plane }}\n",
            site.path("identity").display(),
            site.path("host.sh").display(),
        );
        fs_err::write(site.path("garboard.yaml"), inventory).unwrap();
        site
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// The product in this folder, with nothing of the user's around it.
    pub(crate) fn garboard(&self) -> Command {
        self.at_home(Command::new(assert_cmd::cargo::cargo_bin!("garboard")))
    }

    /// The same on a terminal of its own (`script(1)`), whose output is standard output.
    pub(crate) fn garboard_on_terminal(&self, arguments: &str) -> Command {
        let program = assert_cmd::cargo::cargo_bin!("garboard");
        let mut script = Command::new("script");
        script.args(["--quiet", "--return", "--command"]);
        script.arg(format!("exec {} {arguments}", program.display())).arg("/dev/null");
        self.at_home(script)
    }

    fn at_home(&self, mut command: Command) -> Command {
        command
            .current_dir(self.folder.path())
            .env_remove("NO_COLOR")
            .env("LC_ALL", "C")
            .env("TERM", "xterm")
            .env("HOME", self.folder.path())
            .env("XDG_STATE_HOME", self.path("state"))
            .env("XDG_CACHE_HOME", self.path("cache"));
        command
    }
}
