//! The bootstrap token is in no command line while it is good for something, and in nothing that stays.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use crate::harness::{Sampler, TestLab, files_below};

/// The first `up` on bare hosts, watched.
pub(crate) fn the_bootstrap_token_shows_up_nowhere(lab: &TestLab) {
    let roots: Vec<PathBuf> =
        lab.host_names().iter().map(|host| lab.host(host).path("/run/garboard")).collect();
    let sampler = Sampler::start(move |tokens| roots.iter().for_each(|root| learn(root, tokens)));
    let up = lab.garboard(&["-vv", "up"]).expect(0);
    let (seen, mut tokens): (_, Tokens) = sampler.stop();
    println!("   {} samples, {} command lines, {} tokens", seen.count, seen.lines.len(), tokens.len());
    lab.assert_ready();
    assert!(seen.count > 200, "only {} samples", seen.count);
    // kubeadm ran, and was seen running.
    for verb in ["kubeadm init", "kubeadm join"] {
        assert!(seen.lines.iter().any(|line| line.starts_with(verb)), "`{verb}` was not sampled");
    }
    tokens.extend(tokens_of_cluster(lab));
    assert!(!tokens.is_empty(), "no bootstrap token was learned, so that nothing was tested");
    for line in &seen.lines {
        assert_free_of(&tokens, "a command line", line);
    }
    for environment in &seen.environments {
        assert_free_of(&tokens, "an environment", environment);
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
    files_below(folder, &mut |path, content| assert_free_of(tokens, &path.display().to_string(), content));
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
