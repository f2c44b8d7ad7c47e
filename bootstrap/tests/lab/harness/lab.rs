//! A lab of a test: made at the beginning, gone at the end, also when the test fails.

use std::path::{Path, PathBuf};
use std::process::Command;

use garboard_lab::{HomeSummary, Lab, Places};
use serde_json::Value;

use super::Host;
use super::environment::{Company, Turn, folder_of, make_cache, mirror_folder, product, shared_cache, turn};
use super::invocation::{self, Finished, Running, json_of};
use super::terminal::OnTerminal;

/// Whose blobs the product finds in its cache.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Blobs {
    /// Those of all tests: content that was fetched once.
    Shared,
    /// Its own: a copy that may be damaged.
    Own,
}

/// Hosts to make.
#[derive(Clone, Copy)]
pub(crate) struct Shape {
    pub(crate) workers: usize,
    pub(crate) blobs: Blobs,
    /// Whether artifacts can be had: without them nothing can be installed.
    mirror: bool,
    /// Whether there is a home around them: a router, an internet, and `edge1` in a DMZ.
    home: bool,
    /// What the hosts are, as options of `lab up`.
    made_of: &'static [&'static str],
    /// How many times as long as containers they take.
    patience: u32,
    company: Company,
}

/// The hosts of most tests: containers of Debian 12.
const CONTAINERS: &[&str] = &["--os", "bookworm"];

impl Shape {
    /// One control plane and so many workers.
    pub(crate) fn workers(workers: usize) -> Self {
        Self {
            workers,
            blobs: Blobs::Shared,
            mirror: true,
            home: false,
            made_of: CONTAINERS,
            patience: 1,
            company: Company::Others,
        }
    }

    /// Without artifacts, for what ends before anything is installed.
    pub(crate) fn without_mirror(self) -> Self {
        Self { mirror: false, ..self }
    }

    /// In a home, with an edge host more.
    pub(crate) fn in_a_home(self) -> Self {
        Self { home: true, ..self }
    }

    /// Of virtual machines, with this machine's own kind of processor.
    pub(crate) fn of_virtual_machines(self) -> Self {
        Self { made_of: &["--kind", "vm"], ..self.emulated(4) }
    }

    /// For hosts that are emulated, whoever adds them, and take so many times as long as containers.
    pub(crate) fn emulated(self, patience: u32) -> Self {
        Self { patience, company: Company::Nobody, ..self }
    }

    /// With a cache that nobody else uses.
    pub(crate) fn with_own_blobs(self) -> Self {
        Self { blobs: Blobs::Own, ..self }
    }
}

/// A lab, and the product as its user would call it.
pub(crate) struct TestLab {
    name: &'static str,
    folder: PathBuf,
    cache: PathBuf,
    upstream: Option<String>,
    patience: u32,
    lab: Lab,
    /// Let go of after the hosts are gone: fields are dropped last.
    _turn: Turn,
}

impl TestLab {
    /// Makes it. What an earlier, killed test of this name left goes first.
    pub(crate) fn up(name: &'static str, shape: Shape) -> Self {
        let turn = turn(name, shape.company);
        let folder = folder_of(name);
        let cache = match shape.blobs {
            Blobs::Shared => shared_cache(),
            Blobs::Own => folder.join("cache"),
        };
        let leftovers = Leftovers { name, folder: folder.clone(), cache: cache.clone() };
        leftovers.remove();
        fs_err::create_dir_all(folder.join("home")).unwrap();
        if shape.blobs == Blobs::Own {
            copy_blobs(&cache);
        }
        // Dropped, and with it all hosts, if what follows fails.
        let made = Some(leftovers);
        let places = Places {
            state: folder.join("state/garboard"),
            cache: cache.join("garboard"),
            program: product(),
        };
        let mirror = shape.mirror.then(mirror_folder);
        let summary = lab_up(&folder, &cache, name, &shape, mirror.as_deref());
        let lab = Lab::open(&places, name).unwrap();
        let upstream = summary["upstream"].as_str().map(str::to_owned);
        assert_eq!(upstream.is_some(), shape.mirror, "the lab serves the mirror it was given");
        std::mem::forget(made);
        Self { name, folder, cache, upstream, patience: shape.patience, lab, _turn: turn }
    }

    /// Adds workers until there are so many.
    pub(crate) fn grow(&mut self, workers: usize) {
        self.grow_by(workers, CONTAINERS);
    }

    /// The same, with workers that these options of `lab up` describe.
    pub(crate) fn grow_by(&mut self, workers: usize, made_of: &'static [&'static str]) {
        let mirror = self.upstream.is_some().then(mirror_folder);
        let shape = Shape { made_of, patience: self.patience, ..Shape::workers(workers) };
        lab_up(&self.folder, &self.cache, self.name, &shape, mirror.as_deref());
        self.lab = Lab::open(&self.lab_places(), self.name).unwrap();
    }

    /// The lab itself.
    pub(crate) fn lab(&self) -> &Lab {
        &self.lab
    }

    /// What is around its hosts.
    #[track_caller]
    pub(crate) fn home(&self) -> HomeSummary {
        self.lab.summary().unwrap().home.expect("the lab has a home")
    }

    /// One of its hosts.
    pub(crate) fn host(&self, name: &str) -> Host<'_> {
        Host::new(self, name)
    }

    /// Names of its hosts, control planes first.
    pub(crate) fn host_names(&self) -> Vec<String> {
        self.lab.hosts().iter().map(|host| host.name.clone()).collect()
    }

    /// Where its mirror is served, if it has one.
    pub(crate) fn upstream(&self) -> Option<&str> {
        self.upstream.as_deref()
    }

    /// How many times as long as a container's these hosts' work takes.
    pub(super) fn patience(&self) -> u32 {
        self.patience
    }

    /// Its name, and the cluster's.
    pub(crate) fn name(&self) -> &'static str {
        self.name
    }

    /// The folder of this test: `state`, `home`, and `cache` where it has its own.
    pub(crate) fn folder(&self) -> &Path {
        &self.folder
    }

    /// The product's blobs, by SHA-256.
    pub(crate) fn blobs(&self) -> PathBuf {
        self.cache.join("garboard/blobs/sha256")
    }

    /// Where the product keeps what it knows of the cluster.
    pub(crate) fn cluster_state(&self) -> PathBuf {
        self.folder.join("state/garboard").join(self.name)
    }

    /// The lab's own folder.
    pub(crate) fn lab_folder(&self) -> PathBuf {
        self.folder.join("state/garboard/labs").join(self.name)
    }

    /// The inventory's text.
    pub(crate) fn inventory(&self) -> String {
        fs_err::read_to_string(self.lab.inventory()).unwrap()
    }

    /// Changes the inventory's text for as long as the result lives.
    #[track_caller]
    pub(crate) fn edited(&self, from: &str, to: &str) -> EditedInventory {
        let before = self.inventory();
        assert!(before.contains(from), "`{from}` is not in the inventory:\n{before}");
        fs_err::write(self.lab.inventory(), before.replace(from, to)).unwrap();
        EditedInventory { path: self.lab.inventory(), before }
    }

    /// A call of the product about this lab's inventory.
    pub(crate) fn garboard(&self, arguments: &[&str]) -> Finished {
        self.follow(arguments, |_, _| {})
    }

    /// The same, with an eye on every event.
    pub(crate) fn follow(&self, arguments: &[&str], follow: impl FnMut(&Value, Running)) -> Finished {
        self.call(self.command(), arguments, follow)
    }

    /// The same inventory on a laptop that knows nothing of what this one did, used by somebody else.
    pub(crate) fn of_another_laptop(&self, arguments: &[&str]) -> Finished {
        let mut command = self.command();
        command.env("XDG_STATE_HOME", self.folder.join("other")).env("USER", "other");
        self.call(command, arguments, |_, _| {})
    }

    /// The same at a terminal, for somebody who presses keys.
    pub(crate) fn on_terminal(&self, arguments: &[&str]) -> OnTerminal {
        OnTerminal::start(&self.complete(self.command(), arguments))
    }

    fn call(&self, command: Command, arguments: &[&str], follow: impl FnMut(&Value, Running)) -> Finished {
        invocation::run_patiently(self.patience, self.complete(command, arguments), follow)
    }

    fn complete(&self, mut command: Command, arguments: &[&str]) -> Command {
        command.arg("--inventory").arg(self.lab.inventory()).args(["--output", "json", "--yes"]);
        if let Some(upstream) = &self.upstream {
            command.args(["--upstream", upstream]);
        }
        command.args(arguments);
        command
    }

    /// `garboard up` that must end well.
    #[track_caller]
    pub(crate) fn converge(&self) -> Finished {
        self.garboard(&["up"]).expect(0)
    }

    /// `garboard up` that must find nothing to do.
    #[track_caller]
    pub(crate) fn converged(&self) -> Finished {
        let up = self.garboard(&["up"]).expect(0);
        assert_eq!(up.changes(), 0, "{}", up.story());
        up
    }

    /// `garboard reset` that must end well.
    #[track_caller]
    pub(crate) fn reset(&self, arguments: &[&str]) -> Finished {
        self.garboard(&[&["reset"], arguments].concat()).expect(0)
    }

    /// `garboard lab …` about this lab: `words` stand before its name, `more` after it.
    pub(crate) fn lab_command(&self, words: &[&str], more: &[&str]) -> Finished {
        let mut command = self.command();
        command.arg("lab").args(words).arg(self.name).args(more);
        invocation::run_patiently(self.patience, command, |_, _| {})
    }

    /// The bare command, in this test's environment.
    pub(crate) fn command(&self) -> Command {
        command(&self.folder, &self.cache)
    }

    fn lab_places(&self) -> Places {
        Places {
            state: self.folder.join("state/garboard"),
            cache: self.cache.join("garboard"),
            program: product(),
        }
    }
}

impl Drop for TestLab {
    fn drop(&mut self) {
        Leftovers { name: self.name, folder: self.folder.clone(), cache: self.cache.clone() }.remove();
    }
}

/// The inventory as it was returns when this goes.
pub(crate) struct EditedInventory {
    path: PathBuf,
    before: String,
}

impl Drop for EditedInventory {
    fn drop(&mut self) {
        let _ = fs_err::write(&self.path, &self.before);
    }
}

/// What a lab of that name may have left, by whatever end.
struct Leftovers {
    name: &'static str,
    folder: PathBuf,
    cache: PathBuf,
}

impl Leftovers {
    fn remove(&self) {
        let mut down = command(&self.folder, &self.cache);
        let ended = invocation::run(
            {
                down.args(["lab", "down", self.name]);
                down
            },
            |_, _| {},
        );
        // In a panic the first failure is the one to be seen.
        assert!(ended.code == 0 || std::thread::panicking(), "{}", ended.story());
        if ended.code == 0 && self.folder.exists() {
            fs_err::remove_dir_all(&self.folder).unwrap();
        }
    }
}

impl Drop for Leftovers {
    fn drop(&mut self) {
        if std::thread::panicking() {
            self.remove();
        }
    }
}

fn lab_up(folder: &Path, cache: &Path, name: &str, shape: &Shape, mirror: Option<&Path>) -> Value {
    let mut command = command(folder, cache);
    command.args(["--output", "json", "lab", "up", name, "--control-planes", "1"]);
    command.args(["--workers", &shape.workers.to_string()]).args(shape.made_of);
    if shape.home {
        command.arg("--edge");
    }
    if let Some(mirror) = mirror {
        command.arg("--mirror").arg(mirror);
    }
    json_of(&invocation::run_patiently(shape.patience, command, |_, _| {}).expect(0))
}

/// Nothing of the user's own environment decides what happens.
fn command(folder: &Path, cache: &Path) -> Command {
    let mut command = Command::new(product());
    command
        .env("HOME", folder.join("home"))
        .env("XDG_STATE_HOME", folder.join("state"))
        .env("XDG_CACHE_HOME", cache)
        .env("USER", "somebody")
        .env_remove("KUBECONFIG")
        .env_remove("GARBOARD_UPSTREAM")
        .env_remove("SSH_AUTH_SOCK");
    command
}

/// Hard links where nothing is changed in place: a test that damages a blob replaces the file.
fn copy_blobs(cache: &Path) {
    make_cache(cache);
    let (from, to) = (shared_cache().join("garboard/blobs/sha256"), cache.join("garboard/blobs/sha256"));
    fs_err::create_dir_all(&to).unwrap();
    if !from.exists() {
        return;
    }
    for entry in fs_err::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        if entry.file_type().unwrap().is_file() {
            fs_err::hard_link(entry.path(), to.join(entry.file_name())).unwrap();
        }
    }
}
