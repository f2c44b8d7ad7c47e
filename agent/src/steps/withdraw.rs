//! `withdraw`: what steps made that a host is not to have any more goes back to what it was before, by the baseline.
//!
//! The same restoring as reset does, for a part of the baseline: newest first, folders and what runs again last, each entry struck once its
//! value is back. A crash in between leaves entries, and the next run goes on with those.

use std::collections::BTreeSet;
use std::path::Path;

use garboard_protocol::Observation;
use garboard_protocol::change::{Change, Field};
use garboard_protocol::step::{Outputs, Thing, Withdraw};

use super::path::failed;
use super::{Baseline, Context, Entry, Kind, ProbeContext, StepError, kernel_module, nft, sysctl, unit};
use crate::reset::restore::{is_late, restore};
use crate::system::{self, Command, Look};

impl Kind for Withdraw {
    fn probe(&self, context: &ProbeContext<'_>) -> Result<Observation, StepError> {
        let entries = context.baseline.entries();
        let mut changes = Vec::new();
        for entry in entries.iter().filter(|entry| is_meant(entry, &self.things)) {
            if !is_of_others_by_now(entry, context.look)? {
                let change =
                    Change::new(entry.subject(), Field::Kind, Some("made by a step".to_owned()), None);
                changes.push(change);
            }
        }
        for path in empty_folders(self, context.baseline, context.look)? {
            changes.push(Change::new(path, Field::Kind, Some("directory".to_owned()), None));
        }
        Ok(Observation::from_changes(changes))
    }

    fn apply(&self, _changes: &[Change], context: &Context<'_>) -> Result<Outputs, StepError> {
        let system = context.system;
        let meant: Vec<Entry> =
            context.baseline.entries().into_iter().filter(|entry| is_meant(entry, &self.things)).collect();
        let touches_units = meant.iter().any(|entry| matches!(entry, Entry::Unit { .. }));
        for late in [false, true] {
            for entry in meant.iter().rev() {
                let subject = entry.subject();
                if !context.baseline.has(&subject) || !late && is_late(entry, system.look()) {
                    continue;
                }
                if late && is_of_others_by_now(entry, system.look())? {
                    continue;
                }
                restore(entry, context.baseline, system)?;
                strike(&subject, context)?;
            }
        }
        // One that holds nothing but another one is empty only then.
        while let Some(path) = empty_folders(self, context.baseline, system.look())?.pop() {
            let entry = Entry::Path { path, before: None };
            restore(&entry, context.baseline, system)?;
            strike(&entry.subject(), context)?;
        }
        if touches_units {
            system.run(&Command::new("systemctl", ["daemon-reload"]))?;
        }
        Ok(Outputs::new())
    }
}

/// Whether an entry of the baseline is one of the things.
fn is_meant(entry: &Entry, things: &[Thing]) -> bool {
    things.iter().any(|thing| match (thing, entry) {
        (Thing::Path(path) | Thing::Sshd(path), Entry::Path { path: noted, .. }) => path == noted,
        (Thing::FilesIn(folder), Entry::Path { path: noted, .. }) => {
            Path::new(noted).parent() == Some(Path::new(folder))
        }
        (Thing::Sysctl(key), Entry::Sysctl { key: noted, .. }) => key == noted,
        (Thing::Sysctl(key), Entry::Path { path, .. }) => *path == sysctl::file_of(key),
        (Thing::KernelModule(name), Entry::Path { path, .. }) => *path == kernel_module::file_of(name),
        (Thing::KernelModule(name), Entry::KernelModule { name: noted })
        | (Thing::Unit(name), Entry::Unit { name: noted, .. }) => name == noted,
        (Thing::Unit(name), Entry::Path { path, .. }) => *path == unit::path_of(name),
        (Thing::NftTable(table), Entry::NftTable { table: noted }) => table == noted,
        (Thing::NftTable(table), Entry::Path { path, .. }) => nft::paths(table).contains(path),
        (Thing::Sshd(_), Entry::Sshd {}) => true,
        _ => false,
    })
}

/// Folders above the things that came with them, and hold nothing.
fn empty_folders(
    withdraw: &Withdraw,
    baseline: &dyn Baseline,
    look: &dyn Look,
) -> Result<Vec<String>, StepError> {
    let above: BTreeSet<String> = withdraw.things.iter().flat_map(folders_above).collect();
    let entries = baseline.entries();
    let mut empty = Vec::new();
    for path in above.into_iter().filter(|path| !withdraw.kept.contains(path)) {
        let entry = Entry::Path { path: path.clone(), before: None };
        let is_there = look.metadata(Path::new(&path)).map_err(failed("read", &path))?.is_some();
        if is_there && entries.contains(&entry) && !is_of_others_by_now(&entry, look)? {
            empty.push(path);
        }
    }
    Ok(empty)
}

/// The folders above a thing.
fn folders_above(thing: &Thing) -> Vec<String> {
    let paths = match thing {
        Thing::Path(path) | Thing::Sshd(path) => vec![path.clone()],
        Thing::FilesIn(folder) => vec![format!("{folder}/any")],
        Thing::NftTable(table) => nft::paths(table).to_vec(),
        Thing::Sysctl(key) => vec![sysctl::file_of(key)],
        Thing::KernelModule(name) => vec![kernel_module::file_of(name)],
        Thing::Unit(name) => vec![unit::path_of(name)],
    };
    let above = paths.iter().flat_map(|path| Path::new(path).ancestors().skip(1));
    above.map(|folder| folder.to_string_lossy().into_owned()).collect()
}

/// A folder that we made, and in which others have put something: it stays, for reset to tell of.
fn is_of_others_by_now(entry: &Entry, look: &dyn Look) -> Result<bool, StepError> {
    let Entry::Path { path, before: None } = entry else { return Ok(false) };
    let found = look.metadata(Path::new(path)).map_err(failed("read", path))?;
    if found.is_none_or(|found| found.kind != system::Kind::Directory) {
        return Ok(false);
    }
    Ok(!look.list(Path::new(path)).map_err(failed("read", path))?.is_empty())
}

fn strike(subject: &str, context: &Context<'_>) -> Result<(), StepError> {
    context.baseline.strike(subject).map_err(failed("write", "/var/lib/garboard/baseline/entries"))
}
