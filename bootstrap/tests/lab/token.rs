//! The bootstrap token is in no command line while it is good for something, and in nothing that stays.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::sync::mpsc;
use std::thread::JoinHandle;
use std::time::Duration;

use crate::harness::{TestLab, command_line, processes};

/// How often all processes of the machine are looked at.
const PERIOD: Duration = Duration::from_millis(15);

/// The first `up` on bare hosts, watched.
pub(crate) fn the_bootstrap_token_shows_up_nowhere(lab: &TestLab) {
    let roots: Vec<PathBuf> =
        lab.host_names().iter().map(|host| lab.host(host).path("/run/garboard")).collect();
    let sampler = Sampler::start(roots);
    let up = lab.garboard(&["-vv", "up"]).expect(0);
    let seen = sampler.stop();
    println!("   {} samples, {} command lines, {} tokens", seen.samples, seen.lines.len(), seen.tokens.len());
    lab.assert_ready();
    assert!(seen.samples > 200, "only {} samples", seen.samples);
    // kubeadm ran, and was seen running.
    for verb in ["kubeadm init", "kubeadm join"] {
        assert!(seen.lines.iter().any(|line| line.starts_with(verb)), "`{verb}` was not sampled");
    }
    let mut tokens = seen.tokens;
    tokens.extend(tokens_of_cluster(lab));
    assert!(!tokens.is_empty(), "no bootstrap token was learned, so that nothing was tested");
    for line in &seen.lines {
        assert_free_of(&tokens, "a command line", line);
    }
    assert_free_of(&tokens, "standard output", &up.stdout);
    assert_free_of(&tokens, "standard error", &up.stderr);
    for host in lab.host_names() {
        let on_host = lab.host(&host);
        let journal = on_host.exec(&["journalctl", "--no-pager", "--output=export", "--all"]);
        assert!(journal.len() > 10_000, "{host}: {} bytes of journal", journal.len());
        assert_free_of(&tokens, &format!("the journal of {host}"), &journal);
        for place in ["/var/log", "/run/garboard", "/var/lib/garboard", "/tmp"] {
            assert_tree_free_of(&tokens, &on_host.path(place));
        }
    }
    // Reports, notes, the kubeconfig: all that the laptop keeps.
    assert_tree_free_of(&tokens, &lab.cluster_state());
}

/// A token and its secret part: neither may show up.
type Tokens = BTreeSet<String>;

#[track_caller]
fn assert_free_of(tokens: &Tokens, place: &str, text: &str) {
    for token in tokens {
        let secret = token.split_once('.').map_or(token.as_str(), |(_, secret)| secret);
        assert!(!text.contains(secret), "the bootstrap token is in {place}");
    }
}

#[track_caller]
fn assert_tree_free_of(tokens: &Tokens, folder: &Path) {
    let Ok(entries) = fs_err::read_dir(folder) else { return };
    for entry in entries {
        let entry = entry.unwrap();
        let kind = entry.file_type().unwrap();
        if kind.is_dir() {
            assert_tree_free_of(tokens, &entry.path());
        } else if kind.is_file() {
            let content = fs_err::read(entry.path()).unwrap_or_default();
            assert_free_of(tokens, &entry.path().display().to_string(), &String::from_utf8_lossy(&content));
        }
    }
}

/// Tokens that are still in the cluster after `up`.
fn tokens_of_cluster(lab: &TestLab) -> Tokens {
    let path = "jsonpath={range .items[?(@.type==\"bootstrap.kubernetes.io/token\")]}{.data.token-id} {.data.token-secret}{\"\\n\"}{end}";
    let text = lab.kubectl(&["--namespace=kube-system", "get", "secrets", "--output", path]);
    text.lines()
        .filter_map(|line| {
            let (id, secret) = line.split_once(' ')?;
            Some(format!("{}.{}", decoded(id), decoded(secret)))
        })
        .collect()
}

fn decoded(text: &str) -> String {
    use base64::Engine as _;
    String::from_utf8(base64::engine::general_purpose::STANDARD.decode(text.trim()).unwrap()).unwrap()
}

/// What was seen while `up` ran.
#[derive(Default)]
struct Seen {
    samples: usize,
    lines: BTreeSet<String>,
    tokens: Tokens,
}

/// Looks at all processes of the machine, the hosts' included, and at what lies in the hosts' own folders in memory.
struct Sampler {
    stop: mpsc::Sender<()>,
    thread: JoinHandle<Seen>,
}

impl Sampler {
    fn start(folders: Vec<PathBuf>) -> Self {
        let (stop, stopped) = mpsc::channel();
        let thread = std::thread::spawn(move || {
            let mut seen = Seen::default();
            // Processes tell nobody that they start; the period is short beside the second that a join takes.
            while matches!(stopped.recv_timeout(PERIOD), Err(mpsc::RecvTimeoutError::Timeout)) {
                seen.samples += 1;
                seen.lines.extend(processes().filter_map(|process| command_line(&process)));
                for folder in &folders {
                    learn(folder, &mut seen.tokens);
                }
            }
            seen
        });
        Self { stop, thread }
    }

    fn stop(self) -> Seen {
        let _ = self.stop.send(());
        self.thread.join().unwrap()
    }
}

/// Tokens in files of a folder: kubeadm's configuration holds one for the length of the command.
fn learn(folder: &Path, tokens: &mut Tokens) {
    let Ok(entries) = fs_err::read_dir(folder) else { return };
    for entry in entries.flatten() {
        if entry.file_type().is_ok_and(|kind| kind.is_file()) {
            let text = fs_err::read_to_string(entry.path()).unwrap_or_default();
            tokens.extend(
                text.split(|one: char| !one.is_ascii_alphanumeric() && one != '.')
                    .filter(|word| is_token(word))
                    .map(str::to_owned),
            );
        }
    }
}

/// kubeadm `bootstraptoken/util`: `[a-z0-9]{6}\.[a-z0-9]{16}`.
fn is_token(word: &str) -> bool {
    let lower = |part: &str| part.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit());
    word.split_once('.')
        .is_some_and(|(id, secret)| id.len() == 6 && secret.len() == 16 && lower(id) && lower(secret))
}
