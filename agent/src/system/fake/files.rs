//! What is at a path of a host in memory.

use std::io;
use std::path::Path;

use garboard_protocol::Digest;

use super::State;
use crate::system::{Kind, Metadata};

#[derive(Debug, Clone)]
pub(super) struct Node {
    pub kind: Kind,
    /// Of a file; of a link, its target.
    pub content: Vec<u8>,
    pub mode: u32,
    pub user: u32,
    pub group: u32,
    pub device: u64,
    pub inode: u64,
    pub changed: i128,
}

impl Node {
    pub(super) fn file(content: &[u8], mode: u32) -> Self {
        Self { kind: Kind::File, content: content.to_owned(), ..Self::directory(mode) }
    }

    pub(super) fn directory(mode: u32) -> Self {
        Self {
            kind: Kind::Directory,
            content: Vec::new(),
            mode,
            user: 0,
            group: 0,
            device: 1,
            inode: 0,
            changed: 0,
        }
    }

    pub(super) fn link(target: &Path) -> Self {
        let content = target.to_string_lossy().into_owned().into_bytes();
        Self { kind: Kind::Symlink, content, ..Self::directory(0o777) }
    }

    pub(super) fn metadata(&self) -> Metadata {
        Metadata {
            kind: self.kind,
            mode: self.mode,
            user: self.user,
            group: self.group,
            size: self.content.len() as u64,
            inode: self.inode,
            device: self.device,
            changed: self.changed,
        }
    }

    pub(super) fn summary(&self) -> String {
        let (kind, digest) = (self.kind, Digest::of(&self.content));
        format!("{kind:?} {:o} {}:{} {digest}", self.mode, self.user, self.group)
    }
}

impl State {
    /// Puts a node at a path, with a new inode and time of change.
    pub(super) fn place(&mut self, path: &Path, node: Node) {
        self.ticks += 1;
        self.inodes += 1;
        let node = Node { inode: self.inodes, changed: super::BEGIN + self.ticks, ..node };
        self.nodes.insert(path.to_owned(), node);
    }

    pub(super) fn get(&self, path: &Path) -> io::Result<&Node> {
        self.nodes.get(path).ok_or_else(|| io::ErrorKind::NotFound.into())
    }

    pub(super) fn absent(&self, path: &Path) -> io::Result<()> {
        if self.nodes.contains_key(path) { Err(io::ErrorKind::AlreadyExists.into()) } else { Ok(()) }
    }

    /// The folder above must be there.
    pub(super) fn parent_of(&self, path: &Path) -> io::Result<()> {
        match path.parent().map(|parent| self.get(parent)) {
            Some(Ok(parent)) if parent.kind != Kind::Directory => Err(io::ErrorKind::NotADirectory.into()),
            Some(Err(error)) => Err(error),
            _ => Ok(()),
        }
    }
}
