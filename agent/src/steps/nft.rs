//! `nft`: one nftables table of our own, replaced as a whole.
//!
//! What is loaded may lock the laptop out, so it is guarded: it is applied at run time only, a timer of systemd takes it back
//! whatever becomes of this process, and only after a login over a new connection it is written to where the boot loads it from.
//! Whether the kernel has what was loaded is told by a digest of nft's own listing, noted when it was loaded: a rule that was
//! edited by hand makes another one.

use std::io;
use std::path::Path;

use garboard_protocol::change::{Change, Field};
use garboard_protocol::step::{Nft, Outputs};
use garboard_protocol::{Digest, Observation};
use serde_json::Value;

use super::path::failed;
use super::undo::Undo;
use super::{Context, Entry, Kind, ProbeContext, StepError, file};
use crate::reset::nft::list;
use crate::system::{Command, CommandError, Look, System};

/// Where the boot loads tables from (`garboard-firewall.service`).
pub(crate) const FOLDER: &str = "/etc/garboard/nft.d";

impl Kind for Nft {
    fn probe(&self, context: &ProbeContext<'_>) -> Result<Observation, StepError> {
        let look = context.look;
        let mut changes = Vec::new();
        changes.extend(file::changes(&file_of(&self.table), &script(self), 0o600, false, look)?);
        let noted = look.read_text(Path::new(&note_of(&self.table)));
        let noted = noted.map_err(failed("read", &note_of(&self.table)))?;
        let loaded = loaded(self, look)?;
        let is_noted = loaded.is_some() && loaded.as_ref().map(note) == noted;
        if !is_noted {
            let before = loaded.map(|digest| format!("loaded, but not as it was ({digest})"));
            changes.push(Change::new(&self.table, Field::Loaded, before, Some("loaded".to_owned())));
        }
        Ok(Observation::from_changes(changes))
    }

    fn apply(&self, _changes: &[Change], context: &Context<'_>) -> Result<Outputs, StepError> {
        let system = context.system;
        let script = script(self);
        // Said before anything is at stake.
        let check = Command::new("nft", ["--check", "--file", "-"]).input(script.as_bytes());
        system.look().ask(&check).map_err(explained)?;
        // Before the files: restore goes backwards, and takes a file away before its table, so that nobody loads it again.
        claim(&self.table, context)?;
        let undo = arm(&self.table, context)?;
        let load = Command::new("nft", ["--file", "-"]).input(script.as_bytes());
        if let Err(error) = system.run(&load) {
            take_back(&undo, system)?;
            return Err(explained(error));
        }
        (context.progress)("loaded; waits for a login over a new connection");
        if !(context.confirmed)() {
            take_back(&undo, system)?;
            return Err(not_confirmed(&self.table));
        }
        undo.disarm(system)?;
        let Some(digest) = loaded(self, system.look())? else {
            return Err(StepError::Failed {
                message: format!("the table `{}` was loaded, and is gone again", self.table),
                help: Some(
                    "something else on the host removes it: see `systemctl list-units '*nft*' '*firewall*'`"
                        .to_owned(),
                ),
            });
        };
        let (note_path, path) = (note_of(&self.table), file_of(&self.table));
        for (path, content) in [(&note_path, note(&digest)), (&path, script)] {
            let changes = file::changes(path, &content, 0o600, false, system.look())?;
            if !changes.is_empty() {
                file::write(path, &content, 0o600, &changes, context)?;
            }
        }
        Ok(Outputs::new())
    }
}

/// Notes that the table is ours from now on. One of this name that others made is not ours to replace.
fn claim(table: &str, context: &Context<'_>) -> Result<(), StepError> {
    let entry = Entry::NftTable { table: table.to_owned() };
    if context.baseline.has(&entry.subject()) {
        return Ok(());
    }
    if is_there(table, context.system.look())? {
        return Err(StepError::NeedsPerson {
            message: format!("there is an nftables table `{table}` already, and Garboard has not made it"),
            help: format!("rename or remove it (`nft delete table {table}`), then run again"),
        });
    }
    context.baseline.note(entry)
}

fn not_confirmed(table: &str) -> StepError {
    StepError::Failed {
        message: format!(
            "with the table `{table}` loaded, nobody logged in over a new connection in time: it was taken back, and the host filters as before"
        ),
        help: Some(
            "the rules let nobody in from where you are: name your network in `edge.firewall.lan`, then run again".to_owned(),
        ),
    }
}

/// What takes the change back, armed.
fn arm(table: &str, context: &Context<'_>) -> Result<Undo, StepError> {
    let system = context.system;
    let undo = Undo::of(&stem(table), "nft");
    let before = system.read_text(Path::new(&file_of(table))).map_err(failed("read", &file_of(table)))?;
    let earlier = before.unwrap_or_else(|| format!("table {table}\ndelete table {table}\n"));
    undo.write(&earlier, 0o600, system)?;
    let description = format!("Takes the table {table} back, which nobody has confirmed");
    undo.arm(&description, &["nft", "--file", undo.path()], None, system)?;
    Ok(undo)
}

/// Takes the change back here and now. Where it fails, the timer tries once more.
fn take_back(undo: &Undo, system: &dyn System) -> Result<(), StepError> {
    system.run(&Command::new("nft", ["--file", undo.path()]))?;
    undo.disarm(system)
}

/// What is loaded, as a digest of nft's listing; `None` when there is no such table.
fn loaded(nft: &Nft, look: &dyn Look) -> Result<Option<Digest>, StepError> {
    // Asked only where it is there: the listing of a table that is not fails like one that cannot be had.
    if !is_there(&nft.table, look)? {
        return Ok(None);
    }
    let arguments = ["--json", "--stateless", "list", "table"].into_iter().chain(nft.table.split(' '));
    let listing = look.ask(&Command::new("nft", arguments).whole())?.stdout;
    let canonical = canonical(&listing, nft.keep_sets).map_err(|error| StepError::Failed {
        message: format!("nft's listing of the table `{}` cannot be read: {error}", nft.table),
        help: None,
    })?;
    Ok(Some(Digest::of(canonical.as_bytes())))
}

/// A listing without what differs between two loads of one text: handles, the program's version, and with `keep_sets` what others
/// put into the sets.
fn canonical(listing: &str, keep_sets: bool) -> Result<String, serde_json::Error> {
    let listing: Value = serde_json::from_str(listing)?;
    let objects = listing.get("nftables").and_then(Value::as_array).cloned().unwrap_or_default();
    let mut kept = Vec::with_capacity(objects.len());
    for mut object in objects {
        let Some((kind, inner)) = object.as_object_mut().and_then(|map| map.iter_mut().next()) else {
            continue;
        };
        let (is_program, is_set) = (kind == "metainfo", kind == "set");
        if is_program {
            continue;
        }
        if let Some(fields) = inner.as_object_mut() {
            fields.remove("handle");
            if is_set && keep_sets {
                fields.remove("elem");
            }
        }
        kept.push(object);
    }
    serde_json::to_string(&kept)
}

/// Makes the table what the text says, in one transaction, whatever it was before.
fn script(nft: &Nft) -> String {
    let table = &nft.table;
    let before = if nft.keep_sets { "flush" } else { "delete" };
    format!("table {table}\n{before} table {table}\n{}\n", nft.rules.trim_end())
}

fn note(digest: &Digest) -> String {
    format!("{digest}\n")
}

/// `inet garboard_edge` → `inet-garboard_edge`.
fn stem(table: &str) -> String {
    table.replace(' ', "-")
}

/// Where its rules lie, and what was loaded.
pub(super) fn paths(table: &str) -> [String; 2] {
    [file_of(table), note_of(table)]
}

fn file_of(table: &str) -> String {
    format!("{FOLDER}/{}.nft", stem(table))
}

/// The digest of the listing, beside the rules.
fn note_of(table: &str) -> String {
    format!("{FOLDER}/{}.loaded", stem(table))
}

/// Removes the table, if it is there.
pub(crate) fn remove(table: &str, system: &dyn System) -> Result<(), StepError> {
    if is_there(table, system.look())? {
        let arguments = ["delete", "table"].into_iter().chain(table.split(' '));
        system.run(&Command::new("nft", arguments))?;
    }
    Ok(())
}

/// Whether the table is there.
pub(crate) fn is_there(table: &str, look: &dyn Look) -> Result<bool, StepError> {
    Ok(list(look)?.unwrap_or_default().iter().any(|found| found == table))
}

fn explained(error: CommandError) -> StepError {
    match error {
        CommandError::Start { source, .. } if source.kind() == io::ErrorKind::NotFound => StepError::Failed {
            message: "there is no `nft` on the host".to_owned(),
            help: Some("install the package `nftables`, then run again".to_owned()),
        },
        other => other.into(),
    }
}

#[cfg(test)]
mod tests {
    use garboard_protocol::step::Nft;

    use super::{canonical, script};

    const LISTING: &str = r#"{"nftables": [{"metainfo": {"version": "1.0.6"}},
        {"table": {"family": "inet", "name": "t", "handle": 7}},
        {"set": {"family": "inet", "name": "banned4", "table": "t", "handle": 2, "elem": ["192.0.2.1"]}},
        {"rule": {"family": "inet", "table": "t", "chain": "c", "handle": 9, "expr": [{"drop": null}]}}]}"#;

    #[test]
    fn handles_and_versions_make_no_difference_and_a_rule_does() {
        let same = LISTING.replace("\"handle\": 9", "\"handle\": 12").replace("1.0.6", "1.1.3");
        assert_eq!(canonical(LISTING, false).unwrap(), canonical(&same, false).unwrap());
        let edited = LISTING.replace("\"drop\"", "\"accept\"");
        assert_ne!(canonical(LISTING, false).unwrap(), canonical(&edited, false).unwrap());
    }

    #[test]
    fn what_others_put_into_a_set_counts_only_where_the_sets_are_ours() {
        let banned = LISTING.replace("192.0.2.1", "192.0.2.2");
        assert_eq!(canonical(LISTING, true).unwrap(), canonical(&banned, true).unwrap());
        assert_ne!(canonical(LISTING, false).unwrap(), canonical(&banned, false).unwrap());
    }

    #[test]
    fn a_table_is_replaced_in_one_transaction_and_its_sets_survive_where_they_are_others() {
        let table = "inet garboard_t".to_owned();
        let rules = "table inet garboard_t {\n}\n".to_owned();
        let mut nft = Nft { table, rules, keep_sets: false };
        assert_eq!(
            script(&nft),
            "table inet garboard_t\ndelete table inet garboard_t\ntable inet garboard_t {\n}\n"
        );
        nft.keep_sets = true;
        assert!(script(&nft).contains("\nflush table inet garboard_t\n"));
    }
}
