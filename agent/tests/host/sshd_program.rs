//! sshd, `mount --bind` and `umount`, as far as settings in a file of our own need them.

use std::collections::BTreeMap;

use garboard_agent::system::Output;
use garboard_agent::system::fake::Fake;

const MOUNTS: &str = "/proc/self/mountinfo";
const FOLDER: &str = "/etc/ssh/sshd_config.d/";

/// The one that runs.
#[derive(Default)]
pub(crate) struct Sshd {
    /// What it read last: all files of its folder, in their order.
    pub(crate) settings: String,
    /// Its main file does not mention the folder.
    pub(crate) ignores_the_folder: bool,
    /// What lies below what is mounted, by path.
    below: BTreeMap<String, String>,
}

impl Sshd {
    /// Reads its files.
    pub(crate) fn reads(&mut self, fake: &Fake) {
        self.settings = configured(fake, self.ignores_the_folder);
    }

    /// Mounts are gone, and it starts.
    pub(crate) fn boots(&mut self, fake: &Fake) {
        for (path, content) in std::mem::take(&mut self.below) {
            fake.put(&path, content.as_bytes(), 0o644);
        }
        fake.put(MOUNTS, b"", 0o644);
        self.reads(fake);
    }
}

fn configured(fake: &Fake, ignores_the_folder: bool) -> String {
    let paths = fake.tree().into_keys().map(|path| path.to_string_lossy().into_owned());
    let of_folder = paths.filter(|path| path.starts_with(FOLDER) && !ignores_the_folder);
    of_folder.filter_map(|path| fake.content(&path)).collect::<Vec<_>>().concat()
}

pub(crate) fn run(fake: &Fake, sshd: &mut Sshd, program: &str, words: &[&str]) -> Output {
    let printed = |stdout: String| Output { code: 0, stdout, stderr: String::new() };
    match (program, words) {
        ("mount", ["--bind", from, to]) => {
            sshd.below.insert((*to).to_owned(), fake.content(to).expect("something to mount over"));
            fake.put(to, fake.content(from).unwrap().as_bytes(), 0o644);
            fake.put(MOUNTS, format!("36 25 0:31 / {to} rw - ext4 /dev/sda1 rw\n").as_bytes(), 0o644);
            printed(String::new())
        }
        ("umount", [path]) => {
            let below = sshd.below.remove(*path).expect("it is mounted");
            fake.put(path, below.as_bytes(), 0o644);
            fake.put(MOUNTS, b"", 0o644);
            printed(String::new())
        }
        ("/usr/sbin/sshd", ["-t"]) => {
            let is_bad = configured(fake, sshd.ignores_the_folder).contains("Bad");
            let stderr = if is_bad { "line 1: Bad configuration option" } else { "" };
            Output { code: i32::from(is_bad) * 255, stdout: String::new(), stderr: stderr.to_owned() }
        }
        // The first of several settings of one thing counts.
        ("/usr/sbin/sshd", ["-T", ..]) => {
            let all = configured(fake, sshd.ignores_the_folder) + "MaxAuthTries 6\n";
            let mut effective = BTreeMap::new();
            for line in all.lines().take_while(|line| !line.starts_with("Match")) {
                if let Some((keyword, value)) = line.split_once(' ') {
                    effective.entry(keyword.to_ascii_lowercase()).or_insert(value);
                }
            }
            let lines: Vec<String> =
                effective.iter().map(|(keyword, value)| format!("{keyword} {value}")).collect();
            printed(lines.join("\n"))
        }
        _ => panic!("{program} {words:?}"),
    }
}
