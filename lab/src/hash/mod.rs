//! The state hash: one digest over all on a host that Garboard or Kubernetes could change.
//!
//! It is made of lines, `SECTION KEY VALUE`, each one fact; two lists can be compared line by line. Nothing is written on the
//! host: a container is looked at from outside, a virtual machine by the programs that its system has for that.

mod cgroups;
mod firewall;
mod image;
mod links;
mod logins;
mod mask;
mod mounts;
mod settings;
mod tree;
mod units;
mod vm;

use std::collections::BTreeSet;
use std::process::Output;

use sha2::{Digest as _, Sha256};

use crate::base::hex;
use crate::{Error, Lab, Result, namespace, program};

pub(crate) use image::{ImageFile, image_files};
pub use mask::{MASKS, Mask, VM_MASKS};
pub(crate) use tree::{Tree, digest, own_trees};

/// What was found on a host.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct State {
    /// The facts, sorted, without what the masks hide.
    pub lines: BTreeSet<String>,
}

impl State {
    /// The digest over all lines, in hexadecimal.
    pub fn hash(&self) -> String {
        let mut digest = Sha256::new();
        for line in &self.lines {
            digest.update(line);
            digest.update("\n");
        }
        hex(&digest.finalize())
    }

    fn of(facts: Vec<Fact>, masks: &[Mask]) -> Self {
        let shown = facts.into_iter().filter_map(|fact| mask::apply(fact, masks));
        Self { lines: shown.map(Fact::into_line).collect() }
    }

    /// What differs from an earlier state: lines gone (`-`) and lines new (`+`), sorted by what they are about.
    pub fn differences(&self, earlier: &Self) -> Vec<String> {
        let gone = earlier.lines.difference(&self.lines).map(|line| (line, '-'));
        let new = self.lines.difference(&earlier.lines).map(|line| (line, '+'));
        let mut all: Vec<_> = gone.chain(new).collect();
        all.sort();
        all.into_iter().map(|(line, sign)| format!("{sign} {line}")).collect()
    }
}

/// Runs a program where the host is looked at from.
type Run<'a> = dyn Fn(&[&str]) -> Result<Output> + 'a;

/// What a program says that must end well.
fn says(run: &Run, argv: &[&str]) -> Result<String> {
    let output = run(argv)?;
    if output.status.success() {
        return Ok(String::from_utf8_lossy(&output.stdout).into_owned());
    }
    Err(Error::Program {
        command: argv.join(" "),
        status: output.status,
        stderr: program::tail(&String::from_utf8_lossy(&output.stderr), 3),
    })
}

/// One fact, before masks.
pub(crate) struct Fact {
    section: &'static str,
    key: String,
    value: String,
}

impl Fact {
    fn new(section: &'static str, key: impl Into<String>, value: impl Into<String>) -> Self {
        Self { section, key: key.into(), value: value.into() }
    }

    fn into_line(self) -> String {
        let line = format!("{} {} {}", self.section, self.key, self.value);
        // A line is one fact, whatever a file is called.
        if line.contains(char::is_control) { line.escape_default().to_string() } else { line }
    }
}

impl Lab {
    /// The state of a host that is on.
    ///
    /// # Errors
    /// When it is off, or changes so that it cannot be read.
    pub fn state(&self, host: &str) -> Result<State> {
        if self.host(host)?.machine.vm().is_some() {
            let masks: Vec<Mask> = MASKS.iter().chain(&VM_MASKS).copied().collect();
            return Ok(State::of(vm::read(self, host)?, &masks));
        }
        let leader = self.leader(host)?;
        let name = namespace::of_host(self.name(), host);
        logins::wait_gone(&name)?;
        let mounts = mounts::read(leader.pid)?;
        let mut facts = tree::read(self, host, leader.pid, &mounts)?;
        facts.extend(mounts::facts(&mounts));
        facts.extend(units::read(self, host)?);
        facts.extend(cgroups::read(&name)?);
        facts.extend(namespace::inside(&name, || {
            let mut facts = settings::read()?;
            let run = |argv: &[&str]| program::output(argv, "");
            facts.extend(links::read(&run)?);
            facts.extend(firewall::read(&run)?);
            Ok(facts)
        })?);
        Ok(State::of(facts, &MASKS))
    }
}
