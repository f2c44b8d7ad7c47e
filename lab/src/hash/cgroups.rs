//! The cgroups of a host, and the programs that run in them.

use std::collections::BTreeSet;
use std::path::Path;

use super::Fact;
use crate::{Result, cgroup};

/// One fact a cgroup, whatever the hierarchies it is in, and one for each program that runs in it.
pub(super) fn read(name: &str) -> Result<Vec<Fact>> {
    let mut groups = BTreeSet::new();
    let mut programs = BTreeSet::new();
    for (hierarchy, folder) in cgroup::tree(name)? {
        let key = format!("/{}", folder.display());
        groups.insert(key.clone());
        let listed = fs_err::read_to_string(hierarchy.join("cgroup.procs")).unwrap_or_default();
        // A v1 controller that systemd does not use keeps all processes in one group.
        if !hierarchy.starts_with("/sys/fs/cgroup/systemd") && cgroup::is_version_1() {
            continue;
        }
        for pid in listed.lines() {
            if let Ok(program) = fs_err::read_link(Path::new("/proc").join(pid).join("exe")) {
                programs.insert((key.clone(), program.to_string_lossy().into_owned()));
            }
        }
    }
    let groups = groups.into_iter().map(|group| Fact::new("cgroup", group, ""));
    let programs = programs.into_iter().map(|(group, program)| Fact::new("process", group, program));
    Ok(groups.chain(programs).collect())
}
