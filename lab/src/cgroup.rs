//! The cgroups of a host: one child of the root in every hierarchy this machine has, version 1, hybrid or 2.

use std::path::{Path, PathBuf};

use crate::{Result, process};

const ROOT: &str = "/sys/fs/cgroup";

/// Makes a cgroup of that name in every hierarchy.
pub(crate) fn make(name: &str) -> Result<()> {
    for hierarchy in hierarchies()? {
        let folder = hierarchy.join(name);
        if is_unified(&hierarchy) {
            delegate_controllers(&hierarchy)?;
        }
        fs_err::create_dir_all(&folder)?;
        // A v1 cpuset starts empty and then takes no process.
        for file in ["cpuset.cpus", "cpuset.mems"] {
            if !is_unified(&hierarchy) && hierarchy.join(file).exists() {
                fs_err::write(folder.join(file), fs_err::read(hierarchy.join(file))?)?;
            }
        }
    }
    Ok(())
}

/// Moves the calling process into the cgroup of that name, in every hierarchy.
pub(crate) fn join(name: &str) -> Result<()> {
    for hierarchy in hierarchies()? {
        fs_err::write(hierarchy.join(name).join("cgroup.procs"), "0")?;
    }
    Ok(())
}

/// Moves the calling process to the very cgroups in which another process is.
pub(crate) fn join_process(pid: i32) -> Result<()> {
    let membership = fs_err::read_to_string(format!("/proc/{pid}/cgroup"))?;
    for hierarchy in hierarchies()? {
        if let Some(path) = path_in(&membership, &hierarchy) {
            fs_err::write(hierarchy.join(path.trim_start_matches('/')).join("cgroup.procs"), "0")?;
        }
    }
    Ok(())
}

/// The names of cgroups below the root that begin with `prefix`.
pub(crate) fn names(prefix: &str) -> Result<Vec<String>> {
    let mut names = Vec::new();
    for hierarchy in hierarchies()? {
        for entry in fs_err::read_dir(&hierarchy)? {
            if let Some(name) = entry?.file_name().to_str()
                && name.starts_with(prefix)
            {
                names.push(name.to_owned());
            }
        }
    }
    names.sort();
    names.dedup();
    Ok(names)
}

/// All processes in the cgroups of that name and below them, in any hierarchy.
pub(crate) fn processes(name: &str) -> Result<Vec<process::Process>> {
    let mut processes = Vec::new();
    for hierarchy in hierarchies()? {
        for folder in folders(&hierarchy.join(name)) {
            let listed = fs_err::read_to_string(folder.join("cgroup.procs")).unwrap_or_default();
            processes.extend(listed.lines().filter_map(|pid| process::Process::find(pid.parse().ok()?)));
        }
    }
    processes.sort_by_key(|process| process.pid);
    processes.dedup();
    Ok(processes)
}

/// All cgroups below those of that name: where each is, and its path below its host's own.
pub(crate) fn tree(name: &str) -> Result<Vec<(PathBuf, PathBuf)>> {
    let mut found = Vec::new();
    for hierarchy in hierarchies()? {
        let root = hierarchy.join(name);
        for folder in folders(&root) {
            let below = folder.strip_prefix(&root).unwrap_or(&folder).to_owned();
            found.push((folder, below));
        }
    }
    Ok(found)
}

/// Removes the cgroups of that name with all below them; they must hold no process any more.
pub(crate) fn remove(name: &str) -> Result<()> {
    for hierarchy in hierarchies()? {
        for folder in folders(&hierarchy.join(name)) {
            match fs_err::remove_dir(&folder) {
                Err(error) if error.kind() != std::io::ErrorKind::NotFound => return Err(error.into()),
                _ => {}
            }
        }
    }
    Ok(())
}

/// Whether this machine's controllers are in version 1 hierarchies.
pub(crate) fn is_version_1() -> bool {
    !Path::new(ROOT).join("cgroup.controllers").exists()
}

/// A cgroup and all below it, the deepest first; nothing when it does not exist.
fn folders(folder: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    if let Ok(entries) = fs_err::read_dir(folder) {
        for entry in entries.flatten() {
            if entry.file_type().is_ok_and(|kind| kind.is_dir()) {
                found.extend(folders(&entry.path()));
            }
        }
        found.push(folder.to_owned());
    }
    found
}

/// The mounted hierarchies: one for each v1 controller (and `unified`), or the root itself on a v2 machine.
fn hierarchies() -> Result<Vec<PathBuf>> {
    if !is_version_1() {
        return Ok(vec![PathBuf::from(ROOT)]);
    }
    let mut found = Vec::new();
    for entry in fs_err::read_dir(ROOT)? {
        let entry = entry?;
        // Links such as `cpu` → `cpu,cpuacct` name a hierarchy a second time.
        if entry.file_type()?.is_dir() && entry.path().join("cgroup.procs").exists() {
            found.push(entry.path());
        }
    }
    Ok(found)
}

fn is_unified(hierarchy: &Path) -> bool {
    hierarchy.join("cgroup.controllers").exists()
}

/// Lets children of a v2 root have its controllers; those the machine does not let go of are left as they are.
fn delegate_controllers(root: &Path) -> Result<()> {
    let available = fs_err::read_to_string(root.join("cgroup.controllers"))?;
    for controller in available.split_ascii_whitespace() {
        if let Err(error) = fs_err::write(root.join("cgroup.subtree_control"), format!("+{controller}")) {
            tracing::debug!(%error, controller, "the controller stays with the root");
        }
    }
    Ok(())
}

/// The path of a process in one hierarchy, from its `/proc/PID/cgroup`.
fn path_in<'a>(membership: &'a str, hierarchy: &Path) -> Option<&'a str> {
    let name = hierarchy.file_name()?.to_str()?;
    membership.lines().find_map(|line| {
        let mut parts = line.splitn(3, ':');
        let (number, controllers, path) = (parts.next()?, parts.next()?, parts.next()?);
        let unified = number == "0" && is_unified_name(name);
        let version_1 =
            controllers.trim_start_matches("name=") == name || controllers.split(',').any(|one| one == name);
        (unified || version_1).then_some(path)
    })
}

fn is_unified_name(name: &str) -> bool {
    // The root of a v2 machine is `/sys/fs/cgroup` itself.
    matches!(name, "unified" | "cgroup")
}

#[cfg(test)]
mod tests {
    use super::*;

    const HYBRID: &str = "9:name=systemd:/a/init.scope\n5:cpu,cpuacct:/b\n0::/c\n";

    #[test]
    fn the_path_of_each_hierarchy_is_found() {
        let path = |name: &str| path_in(HYBRID, &Path::new(ROOT).join(name));
        assert_eq!(path("systemd"), Some("/a/init.scope"));
        assert_eq!(path("cpu,cpuacct"), Some("/b"));
        assert_eq!(path("cpu"), Some("/b"));
        assert_eq!(path("unified"), Some("/c"));
        assert_eq!(path("memory"), None);
        assert_eq!(path_in("0::/c\n", Path::new(ROOT)), Some("/c"));
    }
}
