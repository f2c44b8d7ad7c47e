//! Space where it will be needed.

use std::path::{Component, Path, PathBuf};

use garboard_protocol::facts::Disk;

use crate::system::{Kind, Look};

/// Links followed before a loop is assumed, as the kernel does.
const LINKS: u32 = 40;

/// Space of the file systems that `paths` are or would be on.
pub(super) fn disks(look: &dyn Look, paths: &[String]) -> Vec<Disk> {
    paths.iter().filter_map(|path| disk(look, path)).collect()
}

fn disk(look: &dyn Look, path: &str) -> Option<Disk> {
    let (place, device) = existing(look, Path::new(path))?;
    let space = look.space(&place).ok()?;
    Some(Disk { path: path.to_owned(), free_bytes: space.free, total_bytes: space.total, device })
}

/// The nearest thing at or above `path` that exists, links followed, and its device.
pub(super) fn existing(look: &dyn Look, path: &Path) -> Option<(PathBuf, u64)> {
    let mut place = path.to_owned();
    for _ in 0..LINKS {
        match look.metadata(&place).ok().flatten() {
            Some(metadata) if metadata.kind == Kind::Symlink => {
                place = without_dots(&place.parent()?.join(look.read_link(&place).ok()?));
            }
            Some(metadata) => return Some((place, metadata.device)),
            None => place = place.parent().map(Path::to_path_buf)?,
        }
    }
    None
}

/// The path a link's target means: its `..` taken at their word, so that what is above it can be looked at when it is not
/// there itself.
fn without_dots(path: &Path) -> PathBuf {
    path.components().fold(PathBuf::new(), |mut plain, component| {
        match component {
            Component::ParentDir => {
                plain.pop();
            }
            Component::CurDir => {}
            other => plain.push(other),
        }
        plain
    })
}
