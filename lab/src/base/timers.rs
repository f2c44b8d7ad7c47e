//! Timers that a release has enabled: what its hosts do by themselves once a day, at midnight or where a clock jumps over it.

use std::path::Path;

use super::ROOT;
use crate::{Result, hash};

/// Where `systemctl enable` says which timers run.
const ENABLED: &str = "etc/systemd/system/timers.target.wants";

/// The names of the timers enabled in the base in that folder, sorted.
pub(crate) fn timers(base: &Path) -> Result<Vec<String>> {
    let mut names = Vec::new();
    let root = base.join(ROOT);
    if root.exists() {
        for entry in fs_err::read_dir(root.join(ENABLED))? {
            names.push(entry?.file_name().to_string_lossy().into_owned());
        }
    } else {
        let folder = format!("/{ENABLED}/");
        let files = hash::image_files(base)?.into_keys();
        names.extend(files.filter_map(|path| Some(path.strip_prefix(&folder)?.to_owned())));
    }
    names.sort();
    Ok(names)
}
