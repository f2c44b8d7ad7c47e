//! Settings of the machine's kernel that hosts share with it: noted before the first host of any lab, put back after the last.
//!
//! kubelet sets `vm.overcommit_memory`, `kernel.panic` and others; in a container these are the machine's own.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use crate::lock::Lock;
use crate::places::run_folder;
use crate::record::write_json;
use crate::{Error, Result, namespace, remains};

/// Folders of `/proc/sys` without a namespace of their own. `net` has one per host.
const FOLDERS: [&str; 3] = ["fs", "kernel", "vm"];
/// Settings that the kernel moves by itself, that are counters, or that belong to the calling process's own namespaces.
const OTHERS: [&str; 9] = [
    "kernel/ns_last_pid",
    "kernel/hostname",
    "kernel/domainname",
    "kernel/random",
    "kernel/perf_event_max_sample_rate",
    "kernel/sched_domain",
    "fs/binfmt_misc",
    "vm/stat_refresh",
    "vm/drop_caches",
];

/// What is noted on this machine while labs run.
#[derive(Debug, Default, Serialize, Deserialize)]
struct Note {
    /// Setting, as a path below `/proc/sys`, to its value before the first host.
    settings: BTreeMap<String, String>,
    /// Hosts that may have changed them: the names of their containers.
    hosts: BTreeSet<String>,
}

/// Says that hosts are about to run; before the first one notes the machine's settings.
pub(crate) fn note(lab: &str, hosts: &[String]) -> Result<()> {
    let folder = run_folder();
    let _lock = Lock::wait(&folder.join("lock"))?;
    let mut note = read(folder)?;
    note.forget_gone()?;
    // A note that outlived its hosts (a crash) still tells the values before the first of them.
    if note.settings.is_empty() {
        note.settings = settings()?;
    }
    note.hosts.extend(hosts.iter().map(|host| namespace::of_host(lab, host)));
    write_json(&folder.join("machine.json"), &note)
}

/// Says that a lab's hosts are gone; after the last host of any lab puts the machine's settings back.
pub(crate) fn restore(lab: &str) -> Result<()> {
    let folder = run_folder();
    if !folder.exists() {
        return Ok(());
    }
    let lock = Lock::wait(&folder.join("lock"))?;
    let mut note = read(folder)?;
    let prefix = namespace::of_host(lab, "");
    note.hosts.retain(|host| !host.starts_with(&prefix));
    note.forget_gone()?;
    if !note.hosts.is_empty() {
        return write_json(&folder.join("machine.json"), &note);
    }
    let now = settings()?;
    for (name, value) in &note.settings {
        if now.get(name).is_some_and(|present| present != value) {
            fs_err::write(Path::new("/proc/sys").join(name), value)?;
        }
    }
    match fs_err::remove_file(folder.join("machine.json")) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => return Err(error.into()),
        _ => {}
    }
    drop(lock);
    Ok(())
}

impl Note {
    /// Hosts of labs that somebody removed by hand do not hold the note for ever.
    fn forget_gone(&mut self) -> Result<()> {
        let present = remains::lab_names()?;
        let prefix = namespace::of_lab("");
        self.hosts.retain(|host| {
            let lab = host.strip_prefix(&prefix).and_then(|name| name.split('.').next());
            lab.is_some_and(|lab| present.contains(lab))
        });
        Ok(())
    }
}

fn read(folder: &Path) -> Result<Note> {
    let path = folder.join("machine.json");
    match fs_err::read(&path) {
        Ok(bytes) => serde_json::from_slice(&bytes).map_err(|source| Error::Damaged { path, source }),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(Note::default()),
        Err(error) => Err(error.into()),
    }
}

/// All settings that can be read and written.
fn settings() -> Result<BTreeMap<String, String>> {
    let mut found = BTreeMap::new();
    for folder in FOLDERS {
        collect(Path::new("/proc/sys"), &PathBuf::from(folder), &mut found)?;
    }
    Ok(found)
}

fn collect(root: &Path, relative: &Path, found: &mut BTreeMap<String, String>) -> Result<()> {
    use std::os::unix::fs::PermissionsExt as _;
    if OTHERS.iter().any(|other| relative == Path::new(other)) {
        return Ok(());
    }
    for entry in fs_err::read_dir(root.join(relative))? {
        let entry = entry?;
        let name = relative.join(entry.file_name());
        if OTHERS.iter().any(|other| name == Path::new(other)) {
            continue;
        }
        let metadata = entry.metadata()?;
        if metadata.is_dir() {
            collect(root, &name, found)?;
        } else if metadata.permissions().mode() & 0o600 == 0o600 {
            // Some cannot be read in some states of the machine; then no host can have been meant to change them.
            if let Ok(value) = fs_err::read_to_string(root.join(&name)) {
                found.insert(name.to_string_lossy().into_owned(), value);
            }
        }
    }
    Ok(())
}
