//! The parts of a reset, in their order. A part that fails is reported and does not hold up the others.

use std::cell::RefCell;
use std::path::Path;
use std::thread;
use std::time::{Duration, Instant};

use garboard_protocol::event::Body;
use garboard_protocol::reset::{Leftover, ResetReport};
use garboard_protocol::step::Outputs;
use garboard_protocol::{Owned, StepId};

use super::kept::Kept;
use super::owned::subject;
use super::snapshot::Before;
use super::{modules, nft, owned, pods, processes, restore};
use crate::boot::{has_word, running_line};
use crate::packages::{self, Came, Patience};
use crate::steps::path::failed;
use crate::steps::{Entry, StepError};
use crate::store::Baseline;
use crate::system::{Command, CommandError, System};

const RUNTIME: &str = "containerd.service";
/// How long others are waited for who install packages, in seconds.
const PATIENCE: u64 = 600;

/// A reset at work.
pub(super) struct Work<'a> {
    pub(super) system: &'a dyn System,
    pub(super) baseline: &'a Baseline,
    pub(super) before: Before,
    pub(super) report: ResetReport,
    pub(super) has_failed: bool,
    pub(super) say: &'a mut dyn FnMut(Body),
}

impl Work<'_> {
    /// Stops everything that runs because of us.
    pub(super) fn stop(&mut self, kept: &Kept) {
        let units: Vec<String> = kept
            .entries
            .iter()
            .rev()
            .filter_map(|entry| match entry {
                Entry::Unit { name, active: false, .. } => Some(name.clone()),
                _ => None,
            })
            .collect();
        let mounts: Vec<Owned> =
            kept.owned.iter().filter(|owned| matches!(owned, Owned::Mounts(_))).cloned().collect();
        self.part("units", "stopping units", |work| {
            for unit in units.iter().filter(|unit| *unit != RUNTIME) {
                work.stop_unit(unit);
            }
        });
        // A containerd that is not ours runs containers of others.
        if !units.iter().any(|unit| unit == RUNTIME) {
            return;
        }
        self.part("pods", "removing pods", |work| {
            if let Some(left) = pods::remove(work.system) {
                work.report.restored += 1;
                if left > 0 {
                    work.note(
                        "pod",
                        &left.to_string(),
                        "could not be removed by CRI; their processes are killed",
                    );
                }
            }
        });
        self.part("containerd", "stopping containerd", |work| {
            work.stop_unit(RUNTIME);
            match processes::kill(work.system) {
                Ok(left) => {
                    for process in left {
                        work.fail("process", &process, "was killed but does not end; only a reboot ends it");
                    }
                }
                Err(error) => work.failed("process", "containers", &error),
            }
            for owned in &mounts {
                work.remove_one(owned, &[]);
            }
        });
    }

    /// Restores the baseline, newest first, and strikes each entry.
    pub(super) fn give_back(&mut self, all: &[Entry], late: bool) {
        let (name, doing) = if late {
            ("folders", "removing empty folders")
        } else {
            ("baseline", "restoring earlier values")
        };
        self.part(name, doing, |work| {
            for entry in work.baseline.entries().iter().rev() {
                if matches!(entry, Entry::Package { .. })
                    || !late && restore::is_late(entry, work.system.look())
                {
                    continue;
                }
                let subject = entry.subject();
                let restored = match restore::went_with_package(entry, all, work.system.look()) {
                    Ok(true) => Ok(()),
                    Ok(false) => restore::restore(entry, work.baseline, work.system),
                    Err(error) => Err(error),
                };
                match restored {
                    Ok(()) => {
                        work.report.restored += 1;
                        work.tell_of_boot(entry);
                    }
                    // Files of others in a folder that we made: the folder is theirs now.
                    Err(StepError::Failed { message, .. }) => work.note("directory", &subject, &message),
                    // Tried again in the late part, when what stood in the way may be gone.
                    Err(_) if !late => continue,
                    Err(error) => {
                        work.failed("baseline", &subject, &error);
                        continue;
                    }
                }
                if let Err(source) = work.baseline.strike(&subject) {
                    let error = failed("write", "/var/lib/garboard/baseline/entries")(source);
                    work.failed("baseline", &subject, &error);
                }
            }
        });
    }

    /// A kernel parameter is out of its file, but the running kernel has it until the host boots again: that is not ours to do.
    fn tell_of_boot(&mut self, entry: &Entry) {
        if let Entry::KernelParameter { path, parameter } = entry
            && has_word(&running_line(self.system.look()), parameter)
        {
            let detail = format!("is out of `{path}`; the running kernel has it until the next boot");
            self.note("kernel parameter", parameter, &detail);
        }
    }

    /// Removes the packages that came with us, when our own files are out of their folders.
    pub(super) fn remove_packages(&mut self) {
        let entries = self.baseline.entries();
        let came: Vec<Came<'_>> = entries
            .iter()
            .filter_map(|entry| match entry {
                Entry::Package { name, had_configuration } => {
                    Some(Came { name, had_configuration: *had_configuration })
                }
                _ => None,
            })
            .collect();
        if came.is_empty() {
            return;
        }
        self.part("packages", "removing packages", |work| {
            let tell = RefCell::new(&mut *work.say);
            let waiting = |text: &str| {
                let id = StepId("reset/packages".to_owned());
                (tell.borrow_mut())(Body::Progress { id, text: text.to_owned(), waits: true });
            };
            let removed = packages::remove(&came, &Patience::new(PATIENCE, &waiting), work.system);
            let needed = match removed {
                Ok(needed) => needed,
                Err(error) => {
                    let names: Vec<_> = came.iter().map(|one| one.name).collect();
                    return work.failed("package", &names.join(" "), &error);
                }
            };
            for (name, by) in &needed {
                work.note(
                    "package",
                    name,
                    &format!("was not installed before, but `{by}` has come to need it"),
                );
            }
            for entry in &entries {
                let Entry::Package { name, .. } = entry else { continue };
                work.report.restored += u64::from(!needed.contains_key(name));
                if let Err(source) = work.baseline.strike(&entry.subject()) {
                    let error = failed("write", "/var/lib/garboard/baseline/entries")(source);
                    work.failed("baseline", &entry.subject(), &error);
                }
            }
        });
    }

    /// Removes what the software made by itself.
    pub(super) fn remove(&mut self, owned: &[Owned], delete_data: bool) {
        self.part("owned", "removing what software made", |work| {
            match owned::remove_chains(owned, &work.before, work.system) {
                Ok(count) => work.report.restored += count,
                Err(error) => work.failed("iptables chain", "iptables", &error),
            }
            let tables = match nft::list(work.system.look()) {
                Ok(Some(tables)) => tables,
                Ok(None) => {
                    if owned.iter().any(|owned| matches!(owned, Owned::NftTable(_))) {
                        work.note(
                            "nft table",
                            "nft",
                            "is not installed here, so that tables cannot be seen; a reboot removes them",
                        );
                    }
                    Vec::new()
                }
                Err(error) => {
                    work.failed("nft table", "nft", &error);
                    Vec::new()
                }
            };
            let mut folders = Vec::new();
            for thing in owned {
                match thing {
                    Owned::Data(path) if !delete_data => {
                        if matches!(work.system.metadata(Path::new(path)), Ok(Some(_))) {
                            work.note("data", path, "kept; `--delete-data` removes it");
                        }
                    }
                    Owned::Sysctl(key) if work.before.late => {
                        work.note(
                            "sysctl",
                            key,
                            "its earlier value is unknown: the host was a member before garboard came",
                        );
                    }
                    Owned::Path(path) if work.before.truncated.contains(path) => {
                        work.note("path", path, "held too much before to tell what of it is new");
                    }
                    // When nothing is mounted or in use there any more.
                    Owned::Path(_) | Owned::Data(_) => folders.push(thing),
                    thing => work.remove_one(thing, &tables),
                }
            }
            work.remove_folders(&folders);
        });
    }

    /// Unloads what the kernel loaded for the software, when nothing of it is left that needs it.
    pub(super) fn unload_modules(&mut self, owned: &[Owned]) {
        let prefixes: Vec<&str> = owned
            .iter()
            .filter_map(|owned| match owned {
                Owned::KernelModules(prefix) => Some(prefix.as_str()),
                _ => None,
            })
            .collect();
        let Some(keep) = self.before.modules().cloned().filter(|_| !prefixes.is_empty()) else { return };
        self.part("modules", "unloading kernel modules", |work| {
            let unloaded = match modules::remove(&prefixes, &keep, work.system) {
                Ok(unloaded) => unloaded,
                Err(error) => return work.failed("kernel module", "modules", &error),
            };
            work.report.restored += unloaded.count;
            if !unloaded.in_use.is_empty() {
                let names = unloaded.in_use.join(" ");
                work.note("kernel modules", &names, "were not loaded before, but others use them by now");
            }
            for (name, why) in &unloaded.refused {
                work.note("kernel module", name, &format!("could not be unloaded, a reboot does it: {why}"));
            }
        });
    }

    /// Removes folders side by side: the runtime's images and snapshots take longer than all the rest.
    fn remove_folders(&mut self, folders: &[&Owned]) {
        let (before, system) = (&self.before, self.system);
        let results: Vec<_> = thread::scope(|scope| {
            let remove = |owned: &Owned| owned::remove(owned, before, &[], system);
            let workers: Vec<_> =
                folders.iter().map(|owned| (*owned, scope.spawn(move || remove(owned)))).collect();
            workers.into_iter().map(|(owned, worker)| (owned, worker.join())).collect()
        });
        for (owned, result) in results {
            match result {
                Ok(result) => self.removed(owned, result),
                Err(_) => self.fail("owned", &subject(owned), "the thread that removed it died"),
            }
        }
    }

    /// Lets systemd see what is there now.
    pub(super) fn reload(&mut self, entries: &[Entry]) {
        self.part("systemd", "reloading systemd", |work| {
            work.run(&["daemon-reload"]);
            if !work.before.late {
                match work.before.online.came_since(work.system.look()) {
                    Ok(came) => came.iter().for_each(|unit| work.run(&["stop", "--", unit])),
                    Err(error) => work.failed("systemd", "list-units", &error),
                }
            }
            for entry in entries {
                if let Entry::Unit { name, enabled, .. } = entry
                    && enabled.is_empty()
                {
                    // Fails where systemd has forgotten the unit already.
                    let _ = work.system.run(&Command::new("systemctl", ["reset-failed", "--", name]));
                }
            }
        });
    }

    fn stop_unit(&mut self, unit: &str) {
        let stop = Command::new("systemctl", ["stop", "--", unit]).timeout(Duration::from_mins(2));
        match self.system.run(&stop) {
            // A unit whose file is gone already.
            Ok(_) => {}
            Err(CommandError::Exit { stderr, .. }) if stderr.contains("not loaded") => {}
            Err(error) => self.failed("unit", unit, &error.into()),
        }
    }

    fn run(&mut self, arguments: &[&str]) {
        let command = Command::new("systemctl", arguments.iter().copied()).timeout(Duration::from_mins(1));
        if let Err(error) = self.system.run(&command) {
            self.failed("systemd", &arguments.join(" "), &error.into());
        }
    }

    fn remove_one(&mut self, owned: &Owned, tables: &[String]) {
        let result = owned::remove(owned, &self.before, tables, self.system);
        self.removed(owned, result);
    }

    fn removed(&mut self, owned: &Owned, result: Result<u64, StepError>) {
        match result {
            Ok(count) => self.report.restored += count,
            Err(error) => self.failed("owned", &subject(owned), &error),
        }
    }

    fn part(&mut self, name: &str, doing: &str, work: impl FnOnce(&mut Self)) {
        let id = StepId(format!("reset/{name}"));
        let begun = Instant::now();
        (self.say)(Body::Started { id: id.clone(), doing: doing.to_owned() });
        work(self);
        let milliseconds = u64::try_from(begun.elapsed().as_millis()).unwrap_or(u64::MAX);
        (self.say)(Body::Finished { id, changes: Vec::new(), outputs: Outputs::new(), milliseconds });
    }

    fn failed(&mut self, kind: &str, subject: &str, error: &StepError) {
        let texts: Vec<_> = std::iter::once(error.to_string())
            .chain(crate::engine::sources(error).map(ToString::to_string))
            .collect();
        self.fail(kind, subject, &texts.join(": "));
    }

    fn fail(&mut self, kind: &str, subject: &str, detail: &str) {
        self.has_failed = true;
        self.report.leftovers.push(leftover(kind, subject, detail));
    }

    fn note(&mut self, kind: &str, subject: &str, detail: &str) {
        self.report.kept.push(leftover(kind, subject, detail));
    }
}

fn leftover(kind: &str, subject: &str, detail: &str) -> Leftover {
    Leftover { kind: kind.to_owned(), subject: subject.to_owned(), detail: detail.to_owned() }
}
