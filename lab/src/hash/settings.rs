//! The kernel settings that a host has to itself: those of its network namespace.

use std::os::unix::fs::MetadataExt as _;
use std::path::Path;

use super::Fact;
use crate::Result;

const ROOT: &str = "/proc/sys";

/// One fact a setting below `net`. The calling thread is inside the host's network namespace, which decides what `/proc/sys/net` shows.
pub(super) fn read() -> Result<Vec<Fact>> {
    let mut facts = Vec::new();
    collect(&Path::new(ROOT).join("net"), &mut facts)?;
    Ok(facts)
}

fn collect(folder: &Path, facts: &mut Vec<Fact>) -> Result<()> {
    for entry in fs_err::read_dir(folder)? {
        let entry = entry?;
        if entry.file_type()?.is_dir() {
            collect(&entry.path(), facts)?;
            continue;
        }
        // What nobody can write is a reading, such as the number of connections now, and no setting.
        if entry.metadata()?.mode() & 0o222 == 0 {
            continue;
        }
        let name = entry
            .path()
            .strip_prefix(ROOT)
            .map(|name| name.to_string_lossy().into_owned())
            .unwrap_or_default();
        // Some can only be written, and some are not set; that they exist is the fact then.
        let value = fs_err::read_to_string(entry.path()).unwrap_or_default();
        facts.push(Fact::new("sysctl", name, value.trim_end().replace(['\t', '\n'], " ")));
    }
    Ok(())
}
