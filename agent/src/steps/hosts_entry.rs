//! `hosts_entry`: one line of `/etc/hosts`, ours by its trailing comment. Every other line stays byte for byte. Where cloud-init
//! writes that file anew at every boot, from a template, the line is in the template too.

use std::path::Path;

use garboard_protocol::Observation;
use garboard_protocol::change::{Change, Field};
use garboard_protocol::step::{HostsEntry, Outputs};

use super::path::failed;
use super::{Context, Entry, Kind, ProbeContext, StepError};
use crate::system::Look;

const FILE: &str = "/etc/hosts";
/// What cloud-init's `manage_etc_hosts: true` puts before the path of the template, in the file it wrote from it
/// (`templates/hosts.*.tmpl` of cloud-init).
const TEMPLATE: &str = "make changes to the master file in ";

impl Kind for HostsEntry {
    fn probe(&self, context: &ProbeContext<'_>) -> Result<Observation, StepError> {
        let mut changes = Vec::new();
        for file in files(context.look)? {
            let text = read(&file, context.look)?;
            let ours: Vec<&str> = text.lines().filter(|line| is_of(line, self)).collect();
            if ours != [line(self)] {
                let before = (!ours.is_empty()).then(|| ours.join("\n"));
                changes.push(Change::new(file, Field::Value, before, Some(line(self))));
            }
        }
        Ok(Observation::from_changes(changes))
    }

    fn apply(&self, changes: &[Change], context: &Context<'_>) -> Result<Outputs, StepError> {
        for change in changes {
            write(self, &change.subject, context)?;
        }
        Ok(Outputs::new())
    }
}

fn write(entry: &HostsEntry, file: &str, context: &Context<'_>) -> Result<(), StepError> {
    let path = Path::new(file);
    let found = context.system.metadata(path).map_err(failed("read", file))?;
    let mode = found.map_or(0o644, |found| found.mode & 0o7777);
    let text = if found.is_some() {
        context.system.read(path).map_err(failed("read", file))?
    } else {
        context.note_path(file)?;
        Vec::new()
    };
    let wanted = line(entry);
    context.baseline.note(Entry::Line { path: file.to_owned(), line: wanted.clone() })?;
    let others: Vec<&[u8]> =
        text.split_inclusive(|byte| *byte == b'\n').filter(|piece| !is_of(of(piece), entry)).collect();
    // Before the first address, so that it wins over other lines with this name (Debian's `127.0.1.1`) and what a template
    // begins with stays where it is; that also leaves a last line without an end as it is.
    let first = others.iter().position(|piece| has_address(of(piece))).unwrap_or(0);
    let mut lines: Vec<u8> = others[..first].concat();
    lines.extend_from_slice(format!("{wanted}\n").as_bytes());
    lines.extend(others[first..].concat());
    context.system.write(path, &lines, mode).map_err(failed("write", file))
}

/// The file, and the template that it is made from at every boot, if it says that there is one.
fn files(look: &dyn Look) -> Result<Vec<String>, StepError> {
    let text = read(FILE, look)?;
    let named = text.lines().find_map(|line| line.split_once(TEMPLATE)).map(|(_, path)| path.trim());
    let mut files = vec![FILE.to_owned()];
    if let Some(template) = named
        && look.metadata(Path::new(template)).map_err(failed("read", template))?.is_some()
    {
        files.push(template.to_owned());
    }
    Ok(files)
}

fn read(file: &str, look: &dyn Look) -> Result<String, StepError> {
    Ok(look.read_text(Path::new(file)).map_err(failed("read", file))?.unwrap_or_default())
}

/// A piece of the file without its line's end.
fn of(piece: &[u8]) -> &str {
    std::str::from_utf8(piece).unwrap_or_default().trim_end_matches('\n')
}

fn has_address(line: &str) -> bool {
    line.split_whitespace().next().is_some_and(|word| word.parse::<std::net::IpAddr>().is_ok())
}

fn mark(entry: &HostsEntry) -> String {
    format!("# garboard: {}", entry.names.first().map_or("", String::as_str))
}

fn line(entry: &HostsEntry) -> String {
    format!("{} {} {}", entry.address, entry.names.join(" "), mark(entry))
}

/// Whether a line is an earlier or the present form of this entry.
fn is_of(line: &str, entry: &HostsEntry) -> bool {
    line.trim_end().ends_with(&mark(entry)) && !line.trim_start().starts_with('#')
}
