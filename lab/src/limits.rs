//! Limits of this machine's kernel that all hosts share, and that Kubernetes on several hosts reaches.

use std::path::Path;

use crate::record::{HostRecord, Role};
use crate::{Error, Result, machine_settings, process};

/// What `--raise-limits` sees to, as paths below `/proc/sys`. Room for some dozens of hosts.
const WANTED: [(&str, u64); 2] =
    [("fs/inotify/max_user_instances", 8192), ("fs/inotify/max_user_watches", 524_288)];
/// Inotify instances of a host that carries Kubernetes, counted on one: systemd and what it starts 7 to 10, containerd 2,
/// kubelet 7, kube-proxy 1, and on a control plane the API server 6 and the controller manager 7.
const OF_A_CONTROL_PLANE: u64 = 32;
const OF_A_WORKER: u64 = 19;

/// Raises the limits that are lower than several hosts need; the values before are noted, and put back after the last host.
pub(crate) fn raise(lab: &str) -> Result<()> {
    machine_settings::note(lab, &[])?;
    for (name, wanted) in WANTED {
        let path = Path::new("/proc/sys").join(name);
        if is_lower(&fs_err::read_to_string(&path)?, wanted) {
            fs_err::write(&path, wanted.to_string())?;
        }
    }
    Ok(())
}

/// What to tell somebody who makes these hosts, when the machine's inotify instances will not do for them.
pub(crate) fn warning(hosts: &[HostRecord]) -> Result<Option<String>> {
    let limit = fs_err::read_to_string("/proc/sys/fs/inotify/max_user_instances")?;
    Ok(shortage(&limit, instances(), hosts))
}

/// The error of an `inotify_init` that failed.
pub(crate) fn of_inotify(source: nix::Error) -> Error {
    let action = match source {
        nix::Error::EMFILE => {
            "watch folders: this machine's inotify instances (`fs.inotify.max_user_instances`) are used up; \
             make the lab with `--raise-limits`"
        }
        _ => "watch folders (inotify)",
    };
    Error::System { action: action.into(), source }
}

fn shortage(limit: &str, used: u64, hosts: &[HostRecord]) -> Option<String> {
    let needed: u64 = hosts
        .iter()
        // A virtual machine has its own.
        .filter(|host| host.machine.vm().is_none())
        .map(|host| if host.role == Role::ControlPlane { OF_A_CONTROL_PLANE } else { OF_A_WORKER })
        .sum();
    (needed > 0 && is_lower(limit, used + needed)).then(|| {
        format!(
            "note: {used} of this machine's {} inotify instances are in use, and these hosts need about {needed} once they \
             carry Kubernetes; `--raise-limits` raises the limit until the last lab is gone",
            limit.trim()
        )
    })
}

fn is_lower(value: &str, wanted: u64) -> bool {
    value.trim().parse().is_ok_and(|value: u64| value < wanted)
}

/// How many inotify instances root's processes have, those in containers included.
fn instances() -> u64 {
    let is_instance =
        |link: &Path| fs_err::read_link(link).is_ok_and(|target| target == Path::new("anon_inode:inotify"));
    let of_process = |pid: i32| {
        let Ok(entries) = fs_err::read_dir(format!("/proc/{pid}/fd")) else { return 0 };
        entries.flatten().filter(|entry| is_instance(&entry.path())).count() as u64
    };
    process::all().into_iter().map(of_process).sum()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Release;
    use crate::machine::Machine;

    fn host(role: Role) -> HostRecord {
        HostRecord {
            name: "x".into(),
            role,
            os: Release::default(),
            machine: Machine::Container,
            segment: crate::Segment::Lan,
            address: [10, 66, 0, 11].into(),
        }
    }

    #[test]
    fn a_machine_with_too_few_instances_is_told_of_and_others_not() {
        let hosts = [host(Role::ControlPlane), host(Role::Worker), host(Role::Worker)];
        let warning = shortage("128\n", 60, &hosts).unwrap();
        assert!(warning.contains("60 of this machine's 128") && warning.contains("about 70"), "{warning}");
        assert_eq!(shortage("128\n", 50, &hosts), None);
        assert_eq!(shortage("8192\n", 500, &hosts), None);
    }
}
