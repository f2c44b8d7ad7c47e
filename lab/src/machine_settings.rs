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
pub(crate) const OTHERS: [&str; 9] = [
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
    Machine::this().note(lab, hosts, &remains::lab_names()?)
}

/// Says that a lab's hosts are gone; after the last host of any lab puts the machine's settings back.
pub(crate) fn restore(lab: &str) -> Result<()> {
    Machine::this().restore(lab, &remains::lab_names()?)
}

/// Where the settings and the note are.
struct Machine<'a> {
    settings: &'a Path,
    folder: &'a Path,
}

impl Machine<'static> {
    fn this() -> Self {
        Self { settings: Path::new("/proc/sys"), folder: run_folder() }
    }
}

impl Machine<'_> {
    fn note(&self, lab: &str, hosts: &[String], present: &BTreeSet<String>) -> Result<()> {
        let _lock = Lock::wait(&self.folder.join("lock"))?;
        let mut note = read(self.folder)?;
        note.forget_gone(present);
        // A note that outlived its hosts (a crash) still tells the values before the first of them.
        if note.settings.is_empty() {
            note.settings = settings(self.settings)?;
        }
        note.hosts.extend(hosts.iter().map(|host| namespace::of_host(lab, host)));
        write_json(&self.folder.join("machine.json"), &note)
    }

    fn restore(&self, lab: &str, present: &BTreeSet<String>) -> Result<()> {
        let _lock = Lock::wait(&self.folder.join("lock"))?;
        let mut note = read(self.folder)?;
        let prefix = namespace::of_host(lab, "");
        note.hosts.retain(|host| !host.starts_with(&prefix));
        note.forget_gone(present);
        if !note.hosts.is_empty() {
            return write_json(&self.folder.join("machine.json"), &note);
        }
        let now = settings(self.settings)?;
        for (name, value) in &note.settings {
            if now.get(name).is_some_and(|present| present != value) {
                fs_err::write(self.settings.join(name), value)?;
            }
        }
        match fs_err::remove_file(self.folder.join("machine.json")) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => Err(error.into()),
            _ => Ok(()),
        }
    }
}

impl Note {
    /// Hosts of labs that somebody removed by hand do not hold the note for ever.
    fn forget_gone(&mut self, present: &BTreeSet<String>) {
        let prefix = namespace::of_lab("");
        self.hosts.retain(|host| {
            let lab = host.strip_prefix(&prefix).and_then(|name| name.split('.').next());
            lab.is_some_and(|lab| present.contains(lab))
        });
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
fn settings(root: &Path) -> Result<BTreeMap<String, String>> {
    let mut found = BTreeMap::new();
    for folder in FOLDERS {
        collect(root, &PathBuf::from(folder), &mut found)?;
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

#[cfg(test)]
mod tests {
    use super::*;

    /// A machine of files, with one setting of each folder and one that moves by itself.
    fn machine(folder: &Path) -> PathBuf {
        let settings = folder.join("sys");
        for (name, value) in [
            ("kernel/panic", "1\n"),
            ("vm/overcommit_memory", "0\n"),
            ("fs/file-max", "9\n"),
            ("kernel/ns_last_pid", "5\n"),
        ] {
            fs_err::create_dir_all(settings.join(name).parent().unwrap()).unwrap();
            fs_err::write(settings.join(name), value).unwrap();
        }
        settings
    }

    fn names(names: &[&str]) -> BTreeSet<String> {
        names.iter().map(|name| (*name).to_owned()).collect()
    }

    #[test]
    fn settings_come_back_after_the_last_host_of_any_lab_and_not_before() {
        let folder = tempfile::tempdir().unwrap();
        let settings = machine(folder.path());
        let machine = Machine { settings: &settings, folder: folder.path() };
        let value = |name: &str| fs_err::read_to_string(settings.join(name)).unwrap();

        machine.note("a", &["cp1".into()], &names(&["a"])).unwrap();
        fs_err::write(settings.join("kernel/panic"), "17\n").unwrap();
        machine.note("b", &["cp1".into()], &names(&["a", "b"])).unwrap();
        fs_err::write(settings.join("vm/overcommit_memory"), "1\n").unwrap();
        fs_err::write(settings.join("kernel/ns_last_pid"), "6\n").unwrap();
        machine.restore("a", &names(&["b"])).unwrap();
        assert_eq!((value("kernel/panic").as_str(), value("vm/overcommit_memory").as_str()), ("17\n", "1\n"));
        machine.restore("b", &names(&[])).unwrap();
        assert_eq!((value("kernel/panic").as_str(), value("vm/overcommit_memory").as_str()), ("1\n", "0\n"));
        assert_eq!(value("kernel/ns_last_pid"), "6\n");
        // A later change is somebody else's.
        fs_err::write(settings.join("kernel/panic"), "20\n").unwrap();
        machine.restore("b", &names(&[])).unwrap();
        assert_eq!(value("kernel/panic"), "20\n");
    }

    #[test]
    fn a_lab_that_crashed_keeps_neither_the_values_nor_the_others_from_coming_back() {
        let folder = tempfile::tempdir().unwrap();
        let settings = machine(folder.path());
        let machine = Machine { settings: &settings, folder: folder.path() };
        machine.note("crashed", &["cp1".into()], &names(&["crashed"])).unwrap();
        fs_err::write(settings.join("kernel/panic"), "17\n").unwrap();
        machine.note("b", &["cp1".into()], &names(&["b"])).unwrap();
        machine.restore("b", &names(&[])).unwrap();
        assert_eq!(fs_err::read_to_string(settings.join("kernel/panic")).unwrap(), "1\n");
    }
}
