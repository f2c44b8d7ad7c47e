//! Cgroups of pods, in every hierarchy, below the root that this host's init has.

use std::path::Path;

use super::mounts::{self, Mount};
use crate::steps::StepError;
use crate::steps::path::failed;
use crate::system::{Command, CommandError, Kind, Look, System};

const OWN: &str = "/proc/1/cgroup";

/// Where `name` exists, one path a hierarchy.
pub(crate) fn find(name: &str, look: &dyn Look) -> Result<Vec<String>, StepError> {
    let own = look.read_text(Path::new(OWN)).map_err(failed("read", OWN))?.unwrap_or_default();
    let mut found = Vec::new();
    for root in roots(&own, &mounts::read(look)?) {
        let path = format!("{root}/{name}");
        if look.metadata(Path::new(&path)).map_err(failed("read", &path))?.is_some() && !found.contains(&path)
        {
            found.push(path);
        }
    }
    Ok(found)
}

/// Ends the slice unit `name` stands for, and removes what is left of it. Gives how many cgroups were removed.
pub(crate) fn remove(name: &str, system: &dyn System) -> Result<u64, StepError> {
    if find(name, system.look())?.is_empty() {
        return Ok(0);
    }
    if name.strip_suffix(".slice").is_some() {
        match system.run(&Command::new("systemctl", ["stop", "--", name])) {
            Ok(_) | Err(CommandError::Exit { .. }) => {}
            Err(error) => return Err(error.into()),
        }
    }
    let mut folders = Vec::new();
    for path in find(name, system.look())? {
        collect(&path, system.look(), &mut folders)?;
    }
    if !folders.is_empty() {
        let arguments = std::iter::once("--").chain(folders.iter().map(String::as_str));
        match system.run(&Command::new("rmdir", arguments)) {
            // What is left is found by the look for leftovers.
            Ok(_) | Err(CommandError::Exit { .. }) => {}
            Err(error) => return Err(error.into()),
        }
    }
    Ok(folders.len() as u64 + 1)
}

/// Innermost first.
fn collect(path: &str, look: &dyn Look, folders: &mut Vec<String>) -> Result<(), StepError> {
    for name in look.list(Path::new(path)).map_err(failed("read", path))? {
        let child = format!("{path}/{name}");
        let found = look.metadata(Path::new(&child)).map_err(failed("read", &child))?;
        if found.is_some_and(|found| found.kind == Kind::Directory) {
            collect(&child, look, folders)?;
        }
    }
    folders.push(path.to_owned());
    Ok(())
}

/// The folders that are this host's root in each hierarchy. `own` is `/proc/1/cgroup`: in a container without a cgroup
/// namespace it names the container's own place in the machine's tree.
fn roots(own: &str, mounts: &[Mount]) -> Vec<String> {
    let mut roots = Vec::new();
    for line in own.lines() {
        let mut fields = line.splitn(3, ':');
        let (_, Some(controllers), Some(path)) = (fields.next(), fields.next(), fields.next()) else {
            continue;
        };
        let path = path.strip_suffix("/init.scope").unwrap_or(path).trim_end_matches('/');
        for mount in mounts {
            let is_it = match controllers {
                "" => mount.kind == "cgroup2",
                _ => {
                    mount.kind == "cgroup"
                        && controllers
                            .split(',')
                            .all(|name| mount.options.split(',').any(|option| option == name))
                }
            };
            if is_it {
                let seen = path.strip_prefix(mount.root.trim_end_matches('/')).unwrap_or(path);
                roots.push(format!("{}{seen}", mount.point));
            }
        }
    }
    roots
}

#[cfg(test)]
mod tests {
    use super::{Mount, roots};

    fn mount(point: &str, root: &str, kind: &str, options: &str) -> Mount {
        Mount { point: point.into(), root: root.into(), kind: kind.into(), options: options.into() }
    }

    #[test]
    fn a_host_of_its_own_has_its_root_at_the_mount() {
        let mounts = [mount("/sys/fs/cgroup", "/", "cgroup2", "rw,nsdelegate")];
        assert_eq!(roots("0::/init.scope\n", &mounts), ["/sys/fs/cgroup"]);
    }

    #[test]
    fn a_container_never_reaches_above_its_own_place_in_a_hybrid_tree() {
        let mounts = [
            mount("/sys/fs/cgroup/unified", "/", "cgroup2", "rw"),
            mount("/sys/fs/cgroup/memory", "/", "cgroup", "rw,memory"),
            mount("/sys/fs/cgroup/cpu,cpuacct", "/", "cgroup", "rw,cpu,cpuacct"),
        ];
        let own = "4:cpu,cpuacct:/lab/cp1\n3:memory:/lab/cp1\n0::/lab/cp1/init.scope\n";
        assert_eq!(
            roots(own, &mounts),
            [
                "/sys/fs/cgroup/cpu,cpuacct/lab/cp1",
                "/sys/fs/cgroup/memory/lab/cp1",
                "/sys/fs/cgroup/unified/lab/cp1"
            ]
        );
    }
}
