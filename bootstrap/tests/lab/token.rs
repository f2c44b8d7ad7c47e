//! The bootstrap token is in no command line while it is good for something, and in nothing that stays.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use crate::harness::{Sampler, Samples, TestLab, files_below};

/// Put by the test itself into every place that is searched, so that a search that finds nothing has looked there.
const CANARY: &str = "canary-eij7Shoo-planted";

/// Where hosts keep things that somebody may read later.
const ON_HOSTS: [&str; 4] = ["/var/log", "/run/garboard", "/var/lib/garboard", "/tmp"];

/// The first `up` on bare hosts, watched.
pub(crate) fn the_bootstrap_token_shows_up_nowhere(lab: &TestLab) {
    let roots: Vec<PathBuf> =
        lab.host_names().iter().map(|host| lab.host(host).path("/run/garboard")).collect();
    let sampler = Sampler::start(move |tokens| roots.iter().for_each(|root| learn(root, tokens)));
    for host in lab.host_names() {
        let variable = format!("PLANTED={CANARY}");
        lab.host(&host).exec(&["env", &variable, "sh", "-c", "sleep 0.5", CANARY]);
        lab.host(&host).exec(&["systemd-cat", "echo", CANARY]);
    }
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
    for (place, text) in [("standard output", &up.stdout), ("standard error", &up.stderr)] {
        assert!(!text.is_empty(), "nothing came on {place}");
        assert_free_of(&tokens, place, text);
    }
    let planted = plant(lab);
    let mut without_canary = BTreeSet::new();
    search(lab, &seen, |place, texts| {
        let mut found = false;
        texts(&mut |name, text| {
            assert_free_of(&tokens, &format!("{place}: {name}"), text);
            found |= text.contains(CANARY);
        });
        if !found {
            without_canary.insert(place.to_owned());
        }
    });
    planted.remove();
    assert!(without_canary.is_empty(), "what was planted there was not found: {without_canary:?}");
}

/// What was put into the places that are searched.
#[derive(Default)]
struct Planted {
    files: Vec<PathBuf>,
    folders: Vec<PathBuf>,
}

impl Planted {
    fn add(&mut self, path: PathBuf) {
        let folder = path.parent().unwrap();
        // An agent that has left took its folder along.
        if !folder.exists() {
            fs_err::create_dir(folder).unwrap();
            self.folders.push(folder.to_owned());
        }
        fs_err::write(&path, CANARY).unwrap();
        self.files.push(path);
    }

    fn remove(self) {
        self.files.iter().for_each(|file| fs_err::remove_file(file).unwrap());
        self.folders.iter().for_each(|folder| fs_err::remove_dir(folder).unwrap());
    }
}

/// Files in all places that are searched for files.
fn plant(lab: &TestLab) -> Planted {
    let mut planted = Planted::default();
    planted.add(lab.cluster_state().join("planted"));
    planted.add(lab.cluster_state().join("reports/planted"));
    for host in lab.host_names() {
        for place in ON_HOSTS {
            planted.add(lab.host(&host).path(place).join("planted"));
        }
    }
    planted
}

/// Hands each text of a place to somebody, with its name.
type Texts<'a> = &'a dyn Fn(&mut dyn FnMut(&str, &str));

/// All places, one after the other.
fn search(lab: &TestLab, seen: &Samples, mut look: impl FnMut(&str, Texts<'_>)) {
    look("command lines", &|text| seen.lines.iter().for_each(|line| text("a process", line)));
    look("environments", &|text| seen.environments.iter().for_each(|one| text("a process", one)));
    for host in lab.host_names() {
        let on_host = lab.host(&host);
        look(&format!("the journal of {host}"), &|text| {
            text("all", &on_host.exec(&["journalctl", "--no-pager", "--output=export", "--all"]));
        });
        for place in ON_HOSTS {
            look(&format!("{place} of {host}"), &|text| files_of(&on_host.path(place), text));
        }
    }
    // Reports, notes, the kubeconfig: all that the laptop keeps.
    look("the laptop's state", &|text| files_of(&lab.cluster_state(), text));
    look("the laptop's reports", &|text| files_of(&lab.cluster_state().join("reports"), text));
}

fn files_of(folder: &Path, text: &mut dyn FnMut(&str, &str)) {
    files_below(folder, &mut |path, content| text(&path.display().to_string(), content));
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
