//! What hosts should get and the lock has not for their architecture.

use std::collections::BTreeSet;
use std::fmt;

/// A file or an image of the lock, or a program that the command carries.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Pinned {
    /// A program or an archive.
    File,
    /// An image.
    Image,
    /// A program of ours.
    Carried,
}

/// One file or image that is not there for an architecture, and who needs it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Lacking {
    /// Which of both.
    pub what: Pinned,
    /// Its name in the lock.
    pub name: String,
    /// As facts tell it (`arm64`).
    pub architecture: String,
    /// The hosts of this architecture that should get it.
    pub hosts: BTreeSet<String>,
    /// The playbooks that give it to them.
    pub playbooks: BTreeSet<String>,
}

impl fmt::Display for Pinned {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self {
            Self::File => "file",
            Self::Image => "image",
            Self::Carried => "program",
        })
    }
}

impl fmt::Display for Lacking {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let hosts: Vec<&str> = self.hosts.iter().map(String::as_str).collect();
        let Self { what, name, architecture, .. } = self;
        let verb = if hosts.len() == 1 { "needs" } else { "need" };
        let hosts = hosts.join(", ");
        if *what == Pinned::Carried {
            return write!(
                formatter,
                "this command carries no `{name}` for {architecture}, which {hosts} {verb}"
            );
        }
        write!(formatter, "the lock has no {what} `{name}` for {architecture}, which {hosts} {verb}")
    }
}

/// All of it, each file or image once.
#[derive(Debug, Default)]
pub(crate) struct AllLacking(Vec<Lacking>);

impl AllLacking {
    /// Notes that `host` should get it by `playbook`.
    pub(crate) fn push(
        &mut self,
        (what, name): (Pinned, String),
        architecture: &str,
        host: &str,
        playbook: &str,
    ) {
        let same =
            |one: &&mut Lacking| one.what == what && one.name == name && one.architecture == architecture;
        let one = match self.0.iter_mut().find(same) {
            Some(one) => one,
            None => self.0.push_mut(Lacking {
                what,
                name,
                architecture: architecture.to_owned(),
                hosts: BTreeSet::new(),
                playbooks: BTreeSet::new(),
            }),
        };
        one.hosts.insert(host.to_owned());
        one.playbooks.insert(playbook.to_owned());
    }

    /// Nothing where nothing lacks.
    pub(crate) fn into_all(self) -> Vec<Lacking> {
        self.0
    }
}
