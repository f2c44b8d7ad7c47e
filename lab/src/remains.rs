//! What is left of a lab, found by its name alone: after a crash as well as in an orderly end.

use std::collections::BTreeSet;
use std::io::ErrorKind;
use std::os::unix::fs::MetadataExt as _;
use std::path::Path;
use std::time::{Duration, Instant};

use nix::mount::{MntFlags, umount2};

use crate::process::{self, Process};
use crate::{Error, Places, Result, cgroup, home, namespace, network};

/// A killed process is gone within this time, or something is wrong with the machine.
const DEADLINE: Duration = Duration::from_secs(20);

/// Ends all processes in the cgroups of that name and removes the cgroups.
pub(crate) fn end_processes(name: &str) -> Result<()> {
    let deadline = Instant::now() + DEADLINE;
    loop {
        let processes = cgroup::processes(name)?;
        if processes.is_empty() {
            break;
        }
        kill_and_wait(&processes, deadline)?;
    }
    loop {
        match cgroup::remove(name) {
            // A virtual machine's memory and its many threads go a moment later than the process that is seen.
            Err(Error::Io(error)) if error.kind() == ErrorKind::ResourceBusy && Instant::now() < deadline => {
                process::look_again_after(Duration::from_millis(10));
            }
            other => return other,
        }
    }
}

/// Ends processes and waits for their end.
pub(crate) fn kill_and_wait(processes: &[Process], deadline: Instant) -> Result<()> {
    for process in processes {
        process.kill();
    }
    for process in processes {
        if !process.wait(deadline) {
            return Err(Error::Refused {
                message: format!(
                    "process {} does not end although it was killed; it may hang in the kernel",
                    process.pid
                ),
            });
        }
    }
    Ok(())
}

/// Removes all of a lab: processes, mounts, namespaces, links, cgroups, folders. Nothing left is fine.
pub(crate) fn remove(places: &Places, lab: &str) -> Result<()> {
    let deadline = Instant::now() + DEADLINE;
    // Supervisors first: they would restart what is killed after them.
    kill_and_wait(&helpers(lab), deadline)?;
    let prefix = namespace::of_host(lab, "");
    for name in cgroup::names(&prefix)? {
        end_processes(&name)?;
    }
    let own = namespace::of_lab(lab);
    let names = network::names(|name| name == own || name.starts_with(&prefix))?;
    kill_and_wait(&inside(&names)?, deadline)?;
    for name in &names {
        network::remove(name)?;
    }
    match fs_err::remove_dir_all(home::run_files(lab)) {
        Err(error) if error.kind() != ErrorKind::NotFound => return Err(error.into()),
        _ => {}
    }
    unmount_below(&places.lab(lab))?;
    remove_propagation(&prefix)?;
    match fs_err::remove_dir_all(places.lab(lab)) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => Err(error.into()),
        _ => Ok(()),
    }
}

/// Whether anything that carries the lab's name exists outside its folder.
pub(crate) fn exist(lab: &str) -> Result<bool> {
    let prefix = namespace::of_host(lab, "");
    let own = namespace::of_lab(lab);
    Ok(!helpers(lab).is_empty()
        || !cgroup::names(&prefix)?.is_empty()
        || !network::names(|name| name == own || name.starts_with(&prefix))?.is_empty())
}

/// Labs of which something exists outside any folder, by the names of namespaces and cgroups.
pub(crate) fn lab_names() -> Result<BTreeSet<String>> {
    let prefix = namespace::of_lab("");
    let mut names = network::names(|name| name.starts_with(&prefix))?;
    names.extend(cgroup::names(&prefix)?);
    let lab = |name: &String| Some(name.strip_prefix(&prefix)?.split('.').next()?.to_owned());
    Ok(names.iter().filter_map(lab).collect())
}

/// The lab's own long-lived processes, by their command line: `… lab supervise LAB HOST`, `… lab serve LAB`.
fn helpers(lab: &str) -> Vec<Process> {
    let is_helper = |pid: &i32| {
        let arguments = fs_err::read(format!("/proc/{pid}/cmdline")).unwrap_or_default();
        let arguments: Vec<&[u8]> = arguments.split(|byte| *byte == 0).collect();
        let Some([b"lab", kind, name, ..]) = arguments.get(1..) else { return false };
        let kinds: [&[u8]; 4] = [b"supervise", b"boot", b"serve", b"observe"];
        kinds.contains(kind) && *name == lab.as_bytes()
    };
    process::all().into_iter().filter(is_helper).filter_map(Process::find).collect()
}

/// Processes inside network namespaces, without this one and its ancestors (`lab run … -- … lab down` is odd, not forbidden).
fn inside(namespaces: &[String]) -> Result<Vec<Process>> {
    let mut wanted = BTreeSet::new();
    for name in namespaces {
        let metadata = fs_err::metadata(namespace::path(name))?;
        wanted.insert((metadata.dev(), metadata.ino()));
    }
    let own = ancestors();
    let is_inside = |pid: &i32| {
        fs_err::metadata(format!("/proc/{pid}/ns/net"))
            .is_ok_and(|found| wanted.contains(&(found.dev(), found.ino())))
    };
    Ok(process::all()
        .into_iter()
        .filter(|pid| !own.contains(pid))
        .filter(is_inside)
        .filter_map(Process::find)
        .collect())
}

fn ancestors() -> BTreeSet<i32> {
    let mut found = BTreeSet::new();
    let mut pid = std::process::id().cast_signed();
    while pid > 0 && found.insert(pid) {
        let stat = fs_err::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
        let parent =
            stat.rsplit_once(')').and_then(|(_, rest)| rest.split_ascii_whitespace().nth(1)?.parse().ok());
        pid = parent.unwrap_or(0);
    }
    found
}

fn unmount_below(folder: &Path) -> Result<()> {
    let mounts = fs_err::read_to_string("/proc/self/mountinfo")?;
    let points = mounts.lines().filter_map(|line| line.split(' ').nth(4)).map(unescape);
    let mut below: Vec<String> = points.filter(|point| Path::new(point).starts_with(folder)).collect();
    below.reverse();
    for point in below {
        umount2(point.as_str(), MntFlags::MNT_DETACH).map_err(Error::system(format!("unmount `{point}`")))?;
    }
    Ok(())
}

/// The kernel writes blanks and backslashes in mount points as octal numbers.
fn unescape(point: &str) -> String {
    [("\\040", " "), ("\\011", "\t"), ("\\012", "\n"), ("\\134", "\\")]
        .into_iter()
        .fold(point.to_owned(), |text, (code, character)| text.replace(code, character))
}

/// systemd-nspawn keeps a folder per container there and does not always take it away.
fn remove_propagation(prefix: &str) -> Result<()> {
    let Ok(entries) = fs_err::read_dir("/run/systemd/nspawn/propagate") else { return Ok(()) };
    for entry in entries {
        let entry = entry?;
        if entry.file_name().to_string_lossy().starts_with(prefix) {
            fs_err::remove_dir_all(entry.path())?;
        }
    }
    Ok(())
}
