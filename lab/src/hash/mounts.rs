//! The mounts of a host.

use super::Fact;
use crate::Result;

/// One mount.
pub(super) struct Mount {
    /// Where it is mounted, as the host sees it.
    pub(super) point: String,
    pub(super) kind: String,
    source: String,
    root: String,
    options: String,
}

impl Mount {
    /// Whether it shows a whole file system, and not a part that is bound to a second place.
    pub(super) fn is_whole(&self) -> bool {
        self.root == "/"
    }
}

/// The mounts that a process sees, in the order in which they were made.
pub(super) fn read(pid: i32) -> Result<Vec<Mount>> {
    Ok(listed(&fs_err::read_to_string(format!("/proc/{pid}/mountinfo"))?))
}

/// The mounts of a `mountinfo`.
pub(super) fn listed(mountinfo: &str) -> Vec<Mount> {
    mountinfo.lines().filter_map(parse).collect()
}

/// One fact a mount.
pub(super) fn facts(mounts: &[Mount]) -> Vec<Fact> {
    let fact = |mount: &Mount| {
        let value = format!("{} {} {} {}", mount.kind, mount.source, mount.root, mount.options);
        Fact::new("mount", &mount.point, value)
    };
    mounts.iter().map(fact).collect()
}

/// A line of `mountinfo`: numbers and propagation (which count up with each mount of the machine) are left out.
fn parse(line: &str) -> Option<Mount> {
    let (before, after) = line.split_once(" - ")?;
    let mut before = before.split(' ').skip(3);
    let (root, point, options) = (before.next()?, before.next()?, before.next()?);
    let mut after = after.split(' ');
    let (kind, source) = (after.next()?, after.next()?);
    Some(Mount {
        point: point.into(),
        kind: kind.into(),
        source: source.into(),
        root: root.into(),
        options: options.into(),
    })
}
