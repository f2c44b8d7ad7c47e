//! Giving a host back: what was changed returns to its earlier value, what the software made is gone, everything else is
//! left as it is.
//!
//! The order: stop what would make things anew (the kubelet), pods by CRI, what is left of them, containerd; then the
//! baseline, newest first, each entry struck once its value is back; then what `owns` lists; then folders that are empty
//! only now. A part that fails is reported and does not hold up the others. The notes on the host go last, and only when
//! nothing failed: a second reset goes on where a first one was cut off.

mod cgroups;
mod iptables;
pub(crate) mod links;
pub(crate) mod mounts;
pub(crate) mod namespaces;
mod nft;
mod owned;
mod pattern;
pub(crate) mod pods;
mod processes;
mod restore;
pub mod snapshot;
pub(crate) mod tree;
mod verify;

use std::io;
use std::path::Path;
use std::thread;
use std::time::{Duration, Instant};

use garboard_protocol::event::Body;
use garboard_protocol::reset::{Keepsake, Leftover, ResetOptions, ResetReport};
use garboard_protocol::step::Outputs;
use garboard_protocol::{Owned, StepId};

use crate::engine::Engine;
use crate::steps::path::failed;
use crate::steps::{Entry, StepError};
use crate::store::{Baseline, Layout, Snapshot};
use crate::system::{Command, CommandError, System};
use snapshot::Before;
use verify::Kept;

pub use verify::verify;

const RUNTIME: &str = "containerd.service";

/// Gives the host back. Says what it does, and hands over what [`verify`] needs later.
pub fn reset(
    engine: &Engine,
    options: &ResetOptions,
    say: &mut dyn FnMut(Body),
) -> Result<ResetReport, StepError> {
    let host = engine.host();
    let (system, layout) = (&*host.system, &host.layout);
    let taken = Snapshot::load(system.look(), layout).map_err(unreadable("snapshot"))?;
    let mut kept = Kept {
        version: 1,
        entries: engine.baseline().entries(),
        before: taken.map(|taken| taken.0),
        owned: engine.owned(),
    };
    for thing in &options.owned {
        if !kept.owned.contains(thing) {
            kept.owned.push(thing.clone());
        }
    }
    if kept.before.is_none() && !kept.entries.is_empty() {
        // The snapshot was lost: earlier values of what others change are unknown.
        let unknown = Before { late: true, ..Before::default() };
        kept.before =
            Some(serde_json::to_value(unknown).map_err(io::Error::from).map_err(unreadable("snapshot"))?);
    }
    // Nothing was ever changed here: whatever is on the host belongs to others.
    let Some(before) = kept.before.clone() else {
        let report = verify::compare(&kept, system.look())?;
        forget(layout, options.keep_blobs, system)?;
        return Ok(report);
    };
    let before = Before::of(before, system.look()).map_err(unreadable("snapshot"))?;
    merge_cut_off(&mut kept, layout, system)?;
    let mut work = Work {
        system,
        baseline: engine.baseline(),
        before,
        report: ResetReport::default(),
        has_failed: false,
        say,
    };
    work.stop(&kept);
    work.give_back(false);
    work.remove(&kept.owned, options.delete_data);
    work.give_back(true);
    work.reload(&kept.entries);
    let Work { mut report, has_failed, say, .. } = work;
    let mut seen = verify::compare(&kept, system.look())?.leftovers;
    // A failure says more than what it left.
    seen.retain(|found| !report.leftovers.iter().any(|known| known.subject == found.subject));
    seen.retain(|found| !report.kept.iter().any(|known| known.subject == found.subject));
    report.leftovers.extend(seen);
    let value = serde_json::to_value(&kept).map_err(io::Error::from).map_err(unreadable("baseline"))?;
    say(Body::Keepsake(Keepsake(value)));
    if !has_failed {
        forget(layout, options.keep_blobs, system)?;
    }
    Ok(report)
}

struct Work<'a> {
    system: &'a dyn System,
    baseline: &'a Baseline,
    before: Before,
    report: ResetReport,
    has_failed: bool,
    say: &'a mut dyn FnMut(Body),
}

impl Work<'_> {
    /// Stops everything that runs because of us.
    fn stop(&mut self, kept: &Kept) {
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
        self.part("units", "stopping the kubelet", |work| {
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
    fn give_back(&mut self, late: bool) {
        let (name, doing) = if late {
            ("folders", "removing empty folders")
        } else {
            ("baseline", "restoring earlier values")
        };
        self.part(name, doing, |work| {
            for entry in work.baseline.entries().iter().rev() {
                if !late && restore::is_late(entry, work.system.look()) {
                    continue;
                }
                let subject = entry.subject();
                match restore::restore(entry, work.baseline, work.system) {
                    Ok(()) => work.report.restored += 1,
                    // Files of others in a folder that we made: the folder is theirs now.
                    Err(StepError::Failed { message, .. }) => work.note("directory", &subject, &message),
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

    /// Removes what the software made by itself.
    fn remove(&mut self, owned: &[Owned], delete_data: bool) {
        self.part("owned", "removing what Kubernetes made", |work| {
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

    fn reload(&mut self, entries: &[Entry]) {
        self.part("systemd", "reloading systemd", |work| {
            work.run(&["daemon-reload"]);
            if !work.before.late && !work.before.is_online {
                work.run(&["stop", "--", snapshot::ONLINE]);
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
        let stop = Command::new("systemctl", ["stop", "--", unit]).timeout(Duration::from_secs(120));
        match self.system.run(&stop) {
            // A unit whose file is gone already.
            Ok(_) => {}
            Err(CommandError::Exit { stderr, .. }) if stderr.contains("not loaded") => {}
            Err(error) => self.failed("unit", unit, &error.into()),
        }
    }

    fn run(&mut self, arguments: &[&str]) {
        let command = Command::new("systemctl", arguments.iter().copied()).timeout(Duration::from_secs(60));
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
        let causes = crate::engine::sources(error).map(|cause| format!(": {cause}")).collect::<String>();
        self.fail(kind, subject, &format!("{error}{causes}"));
    }

    fn fail(&mut self, kind: &str, subject: &str, detail: &str) {
        self.has_failed = true;
        self.report.leftovers.push(leftover(kind, subject, detail));
    }

    fn note(&mut self, kind: &str, subject: &str, detail: &str) {
        self.report.kept.push(leftover(kind, subject, detail));
    }
}

/// An owned thing as its playbook writes it.
fn subject(owned: &Owned) -> String {
    serde_json::to_string(owned).unwrap_or_default()
}

fn leftover(kind: &str, subject: &str, detail: &str) -> Leftover {
    Leftover { kind: kind.to_owned(), subject: subject.to_owned(), detail: detail.to_owned() }
}

/// A reset that was cut off had struck entries that belong into the keepsake all the same: the whole list is written down
/// before the first of them is struck.
fn merge_cut_off(kept: &mut Kept, layout: &Layout, system: &dyn System) -> Result<(), StepError> {
    let path = layout.state.join("keepsake.json");
    let text = path.to_string_lossy().into_owned();
    let earlier = system.read_text(&path).map_err(failed("read", &text))?;
    if let Some(earlier) = earlier.and_then(|text| serde_json::from_str::<Kept>(&text).ok()) {
        let known: Vec<String> = earlier.entries.iter().map(Entry::subject).collect();
        let new =
            kept.entries.drain(..).filter(|entry| !known.contains(&entry.subject())).collect::<Vec<_>>();
        kept.entries = earlier.entries.into_iter().chain(new).collect();
    }
    let content = serde_json::to_vec(kept).map_err(io::Error::from).map_err(failed("write", &text))?;
    system.write(&path, &content, 0o600).map_err(failed("write", &text))
}

/// Removes our own folders; with `keep_blobs` all but the blobs.
fn forget(layout: &Layout, keep_blobs: bool, system: &dyn System) -> Result<(), StepError> {
    let state = layout.state.to_string_lossy().into_owned();
    if system.metadata(&layout.state).map_err(failed("read", &state))?.is_some() {
        // What was given back is on the disk before the notes about it go.
        system.run(&Command::new("sync", ["--file-system", &state]).timeout(Duration::from_mins(5)))?;
        let blobs = layout.blobs();
        let has_blobs = system.metadata(&blobs).map_err(failed("read", &state))?.is_some();
        if keep_blobs && has_blobs {
            let mark = layout.kept_blobs();
            system.write(&mark, b"", 0o600).map_err(failed("write", &mark.to_string_lossy()))?;
            for name in system.list(&layout.state).map_err(failed("read", &state))? {
                let path = layout.state.join(name);
                if path != blobs {
                    tree::remove(&path.to_string_lossy(), system)?;
                }
            }
        } else {
            tree::remove(&state, system)?;
        }
    }
    tree::remove(&layout.run.to_string_lossy(), system)?;
    Ok(())
}

/// Notes of ours that cannot be read.
fn unreadable(what: &'static str) -> impl FnOnce(io::Error) -> StepError {
    move |error| StepError::NeedsPerson {
        message: format!("the {what} on this host cannot be read: {error}"),
        help: "`/var/lib/garboard` was damaged; look at it, and give the host back by hand".to_owned(),
    }
}
