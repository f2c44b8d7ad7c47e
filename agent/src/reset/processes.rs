//! Processes that outlive containerd: shims (its unit has `KillMode=process`, so that an upgrade keeps pods running) and
//! what is left of containers.

use std::path::Path;
use std::time::{Duration, Instant};

use crate::steps::StepError;
use crate::steps::path::failed;
use crate::system::{Command, CommandError, Look, System};

/// Longest that killed processes may take to end (one in a hung file system call does not end).
const END: Duration = Duration::from_secs(5);
/// How often is looked whether they have: the kernel tells only a parent.
const INTERVAL: Duration = Duration::from_millis(10);

/// Kills what is left in the cgroups of `containerd.service` and of pods, and waits until it is gone. Only called when
/// containerd has been stopped. Gives the ids of those that did not end.
pub(crate) fn kill(system: &dyn System) -> Result<Vec<String>, StepError> {
    let found = left(system.look())?;
    if found.is_empty() {
        return Ok(found);
    }
    let arguments = ["-KILL", "--"].into_iter().chain(found.iter().map(String::as_str));
    match system.run(&Command::new("kill", arguments)) {
        // One that ended meanwhile makes `kill` fail.
        Ok(_) | Err(CommandError::Exit { .. }) => {}
        Err(error) => return Err(error.into()),
    }
    let begun = Instant::now();
    loop {
        let found = left(system.look())?;
        if found.is_empty() || begun.elapsed() > END {
            return Ok(found);
        }
        std::thread::park_timeout(INTERVAL);
    }
}

fn left(look: &dyn Look) -> Result<Vec<String>, StepError> {
    let mut found = Vec::new();
    for name in look.list(Path::new("/proc")).map_err(failed("read", "/proc"))? {
        if !name.bytes().all(|byte| byte.is_ascii_digit()) {
            continue;
        }
        // A process that ended while we looked has no files any more.
        let read = |file: &str| look.read_text(&Path::new("/proc").join(&name).join(file)).ok().flatten();
        if read("cgroup").is_some_and(|cgroups| is_of_pods(&cgroups))
            && !read("stat").is_some_and(|stat| is_zombie(&stat))
        {
            found.push(name);
        }
    }
    Ok(found)
}

/// `/proc/PID/cgroup`: `HIERARCHY:CONTROLLERS:PATH` a line.
fn is_of_pods(cgroups: &str) -> bool {
    cgroups.lines().filter_map(|line| line.splitn(3, ':').nth(2)).any(|path| {
        path.split('/')
            .any(|part| part == "containerd.service" || part == "kubepods" || part == "kubepods.slice")
    })
}

fn is_zombie(stat: &str) -> bool {
    stat.rsplit_once(") ").is_some_and(|(_, rest)| rest.starts_with('Z'))
}

#[cfg(test)]
mod tests {
    use super::{is_of_pods, is_zombie};

    #[test]
    fn pods_and_shims_are_told_by_their_cgroups() {
        assert!(is_of_pods("0::/system.slice/containerd.service\n"));
        assert!(is_of_pods(
            "4:memory:/lab/cp1/kubepods.slice/kubepods-besteffort.slice/cri-containerd-1.scope\n"
        ));
        assert!(!is_of_pods(
            "0::/system.slice/containerd.service-like.service\n1:name=systemd:/user.slice\n"
        ));
        assert!(!is_of_pods("0::/system.slice/docker.service\n"));
    }

    #[test]
    fn a_zombie_counts_as_ended() {
        assert!(is_zombie("12 (pause) with) Z 1 1"));
        assert!(!is_zombie("12 (Z ) S 1 1"));
    }
}
