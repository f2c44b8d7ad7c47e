//! What `reset` says and asks before it takes anything away. On hosts: `tests/lab/reset.rs`.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

use std::io::Write as _;
use std::net::TcpListener;
use std::process::{Command, Output, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use tempfile::TempDir;

/// An inventory of two hosts that are called, and hang up.
struct Site {
    folder: TempDir,
    calls: Arc<AtomicUsize>,
}

impl Site {
    fn new() -> Self {
        let (folder, calls) = (tempfile::tempdir().unwrap(), Arc::new(AtomicUsize::new(0)));
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let counted = Arc::clone(&calls);
        std::thread::spawn(move || {
            for _ in listener.incoming().map_while(Result::ok) {
                counted.fetch_add(1, Ordering::SeqCst);
            }
        });
        let inventory = "cluster: { name: shelf, kubernetes: v1.36.3 }\nhosts:\n  \
                         cp1: { address: cp1.test, role: control_plane }\n  w1: { address: w1.test, role: worker }\n";
        fs_err::write(folder.path().join("garboard.yaml"), inventory).unwrap();
        fs_err::create_dir(folder.path().join(".ssh")).unwrap();
        let ssh = format!("Host *.test\n  HostName 127.0.0.1\n  Port {port}\n");
        fs_err::write(folder.path().join(".ssh/config"), ssh).unwrap();
        let key = folder.path().join(".ssh/id_ed25519").display().to_string();
        let made = Command::new("ssh-keygen").args(["-q", "-t", "ed25519", "-N", "", "-f", &key]).status();
        assert!(made.unwrap().success());
        Self { folder, calls }
    }

    /// `reset` by this program, with the words that somebody types.
    fn reset(&self, program: &str, arguments: &[&str], typed: &str) -> Output {
        let mut child = Command::new(program)
            .args(arguments)
            .current_dir(self.folder.path())
            .env("HOME", self.folder.path())
            .env("XDG_STATE_HOME", self.folder.path().join("state"))
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        // Whoever refuses has not read it.
        let _ = child.stdin.take().unwrap().write_all(typed.as_bytes());
        child.wait_with_output().unwrap()
    }

    /// The same at a terminal.
    fn asked(&self, typed: &str) -> (Option<i32>, String) {
        let command = format!("{} reset", product());
        let output =
            self.reset("script", &["--quiet", "--return", "--command", &command, "/dev/null"], typed);
        (output.status.code(), String::from_utf8_lossy(&output.stdout).into_owned())
    }

    fn calls(&self) -> usize {
        self.calls.load(Ordering::SeqCst)
    }
}

fn product() -> String {
    assert_cmd::cargo::cargo_bin!("garboard").display().to_string()
}

#[test]
fn without_a_terminal_it_says_what_it_would_hit_and_wants_a_yes() {
    let site = Site::new();
    let output = site.reset(&product(), &["reset"], "shelf\n");
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.code(), Some(2), "{said}");
    for word in ["`shelf`", "cp1, w1", "--yes"] {
        assert!(said.contains(word), "`{word}` is not in {said}");
    }
    assert_eq!(site.calls(), 0, "a host was called");
}

#[test]
fn a_name_that_is_not_the_clusters_changes_nothing() {
    let site = Site::new();
    for typed in ["shelves\n", "yes\n", "\n"] {
        let (code, said) = site.asked(typed);
        assert_eq!(code, Some(1), "{said}");
        assert!(said.contains("takes cluster `shelf` off cp1, w1"), "{said}");
        assert!(said.contains("nothing was changed"), "{said}");
    }
    assert_eq!(site.calls(), 0, "a host was called");
}

#[test]
fn the_clusters_name_has_it_go_on() {
    let site = Site::new();
    let (_, said) = site.asked("shelf\n");
    assert!(!said.contains("nothing was changed"), "{said}");
    assert!(site.calls() > 0, "no host was called: {said}");
}
