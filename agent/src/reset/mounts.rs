//! Mounts, as `/proc/self/mountinfo` lists them (proc(5)).

use std::path::Path;

use crate::steps::StepError;
use crate::steps::path::{failed, unescape};
use crate::system::{Look, System};

const MOUNTS: &str = "/proc/self/mountinfo";

/// One mount.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Mount {
    /// Where.
    pub(crate) point: String,
    /// What of the file system is seen there.
    pub(crate) root: String,
    /// `ext4`, `cgroup2`…
    pub(crate) kind: String,
    /// Options of the file system itself; for cgroup v1 they name the controllers.
    pub(crate) options: String,
}

/// All mounts, in the order in which they were made.
pub(crate) fn read(look: &dyn Look) -> Result<Vec<Mount>, StepError> {
    let text = look.read_text(Path::new(MOUNTS)).map_err(failed("read", MOUNTS))?.unwrap_or_default();
    Ok(parse(&text))
}

fn parse(text: &str) -> Vec<Mount> {
    text.lines()
        .filter_map(|line| {
            let (left, right) = line.split_once(" - ")?;
            let mut left = left.split(' ').skip(3);
            let mut right = right.split(' ');
            Some(Mount {
                root: unescape(left.next()?),
                point: unescape(left.next()?),
                kind: right.next()?.to_owned(),
                options: right.nth(1).unwrap_or_default().to_owned(),
            })
        })
        .collect()
}

/// Whether `path` is strictly below `folder`.
pub(crate) fn is_below(path: &str, folder: &str) -> bool {
    path.strip_prefix(folder.trim_end_matches('/'))
        .is_some_and(|rest| rest.starts_with('/') && rest.len() > 1)
}

/// Unmounts all strictly below `folder`, the latest first, except `keep`. Gives how many.
pub(crate) fn unmount_below(
    folder: &str,
    mounts: &[Mount],
    keep: &[String],
    system: &dyn System,
) -> Result<u64, StepError> {
    unmount(mounts, keep, system, |point| is_below(point, folder))
}

/// Unmounts what is mounted at `path` itself, except `keep`. Gives how many.
pub(crate) fn unmount_at(
    path: &str,
    mounts: &[Mount],
    keep: &[String],
    system: &dyn System,
) -> Result<u64, StepError> {
    unmount(mounts, keep, system, |point| point == path)
}

fn unmount(
    mounts: &[Mount],
    keep: &[String],
    system: &dyn System,
    is_meant: impl Fn(&str) -> bool,
) -> Result<u64, StepError> {
    let mut count = 0;
    for mount in mounts.iter().rev().filter(|mount| is_meant(&mount.point) && !keep.contains(&mount.point)) {
        match system.unmount(Path::new(&mount.point)) {
            // ENOENT, EINVAL: it went with something above it that was unmounted before.
            Err(error) if matches!(error.raw_os_error(), Some(2 | 22)) => {}
            other => other.map_err(failed("unmount", &mount.point))?,
        }
        count += 1;
    }
    Ok(count)
}

#[cfg(test)]
mod tests {
    use super::{is_below, parse};

    #[test]
    fn mount_points_are_read_with_their_blanks() {
        let text = "36 35 98:0 /mnt1 /mnt\\040two rw,noatime master:1 - ext3 /dev/root rw,errors=continue\n\
                    40 35 0:30 / /sys/fs/cgroup/memory rw shared:9 - cgroup cgroup rw,memory\n";
        let mounts = parse(text);
        assert_eq!(
            (mounts[0].point.as_str(), mounts[0].root.as_str(), mounts[0].kind.as_str()),
            ("/mnt two", "/mnt1", "ext3")
        );
        assert_eq!(mounts[1].options, "rw,memory");
    }

    #[test]
    fn a_folder_is_not_below_itself_or_its_namesake() {
        assert!(is_below("/var/lib/kubelet/pods", "/var/lib/kubelet"));
        assert!(!is_below("/var/lib/kubelet", "/var/lib/kubelet"));
        assert!(!is_below("/var/lib/kubelet2/pods", "/var/lib/kubelet"));
    }
}
