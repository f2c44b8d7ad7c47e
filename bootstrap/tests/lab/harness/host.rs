//! A host of a lab, seen and touched from outside, not through SSH.

use std::path::{Path, PathBuf};

use super::TestLab;

/// A host.
pub(crate) struct Host<'a> {
    lab: &'a TestLab,
    name: String,
}

impl<'a> Host<'a> {
    pub(super) fn new(lab: &'a TestLab, name: &str) -> Self {
        Self { lab, name: name.to_owned() }
    }

    /// Standard output of a program that must end well.
    #[track_caller]
    pub(crate) fn exec(&self, argv: &[&str]) -> String {
        let output = self.lab.lab().exec(&self.name, argv).unwrap();
        let stderr = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(
            output.status.success(),
            "`{}` on {}: {}: {stderr}",
            argv.join(" "),
            self.name,
            output.status
        );
        String::from_utf8_lossy(&output.stdout).into_owned()
    }

    /// The number of its first process on this machine.
    pub(crate) fn leader(&self) -> u32 {
        let boot = self.lab.lab_folder().join("hosts").join(&self.name).join("boot.json");
        let boot: serde_json::Value = serde_json::from_slice(&fs_err::read(boot).unwrap()).unwrap();
        boot["leader"]["pid"].as_u64().and_then(|pid| u32::try_from(pid).ok()).expect("the host is on")
    }

    /// A path of the host, as this machine sees it.
    pub(crate) fn path(&self, path: &str) -> PathBuf {
        Path::new("/proc").join(self.leader().to_string()).join("root").join(path.trim_start_matches('/'))
    }

    /// Writes a file, and the folders above it.
    pub(crate) fn write(&self, path: &str, content: &str) {
        let path = self.path(path);
        fs_err::create_dir_all(path.parent().unwrap()).unwrap();
        fs_err::write(path, content).unwrap();
    }

    /// Runs a service with a user of its own: the first one leaves an empty folder of systemd's in `/run`, until the next boot.
    pub(crate) fn use_a_dynamic_user(&self) {
        let run = ["systemd-run", "--quiet", "--wait", "--collect", "--property=DynamicUser=yes", "true"];
        self.exec(&run);
    }

    /// Command lines of all processes of the host, those in pods included; arguments separated by blanks.
    pub(crate) fn command_lines(&self) -> Vec<String> {
        processes()
            .filter(|process| self.owns(process))
            .filter_map(|process| command_line(&process))
            .collect()
    }

    /// Whether a process of this machine is one of the host's.
    pub(crate) fn owns(&self, process: &Path) -> bool {
        // Every process of a host is in a cgroup below the host's own, which carries its name.
        let group = format!(":/garboard-{}.{}/", self.lab.name(), self.name);
        let groups = fs_err::read_to_string(process.join("cgroup")).unwrap_or_default();
        groups.lines().any(|line| format!("{line}/").contains(&group))
    }

    /// Whether one of its processes has a command line that looks so.
    pub(crate) fn runs(&self, matches: impl Fn(&str) -> bool) -> bool {
        self.command_lines().iter().any(|line| matches(line))
    }
}

/// The folders of all processes of this machine, the hosts' included.
pub(crate) fn processes() -> impl Iterator<Item = PathBuf> {
    let entries = fs_err::read_dir("/proc").unwrap();
    entries.filter_map(|entry| entry.ok().map(|entry| entry.path())).filter(|path| {
        path.file_name().is_some_and(|name| name.as_encoded_bytes().iter().all(u8::is_ascii_digit))
    })
}

/// A process's command line; none when it has ended.
pub(crate) fn command_line(process: &Path) -> Option<String> {
    let line = fs_err::read(process.join("cmdline")).ok()?;
    Some(String::from_utf8_lossy(&line).replace('\0', " ").trim().to_owned())
}
