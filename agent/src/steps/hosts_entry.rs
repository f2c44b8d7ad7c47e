//! `hosts_entry`: one line of `/etc/hosts`, ours by its trailing comment. Every other line stays byte for byte.

use std::path::Path;

use garboard_protocol::Observation;
use garboard_protocol::change::{Change, Field};
use garboard_protocol::step::{HostsEntry, Outputs};

use super::path::failed;
use super::{Context, Entry, Kind, ProbeContext, StepError};

const FILE: &str = "/etc/hosts";

impl Kind for HostsEntry {
    fn probe(&self, context: &ProbeContext<'_>) -> Result<Observation, StepError> {
        let text = context.look.read_text(Path::new(FILE)).map_err(failed("read", FILE))?.unwrap_or_default();
        let ours: Vec<&str> = text.lines().filter(|line| is_of(line, self)).collect();
        if ours == [line(self)] {
            return Ok(Observation::converged());
        }
        let before = (!ours.is_empty()).then(|| ours.join("\n"));
        Ok(Observation::from_changes(vec![Change::new(FILE, Field::Value, before, Some(line(self)))]))
    }

    fn apply(&self, _changes: &[Change], context: &Context<'_>) -> Result<Outputs, StepError> {
        let path = Path::new(FILE);
        let found = context.system.metadata(path).map_err(failed("read", FILE))?;
        let mode = found.map_or(0o644, |found| found.mode & 0o7777);
        let text = if found.is_some() {
            context.system.read(path).map_err(failed("read", FILE))?
        } else {
            context.note_path(FILE)?;
            Vec::new()
        };
        let wanted = line(self);
        context.baseline.note(Entry::Line { path: FILE.to_owned(), line: wanted.clone() })?;
        // First, so that it wins over other lines with this name (Debian's `127.0.1.1`); that also leaves a last line
        // without an end as it is.
        let mut lines = format!("{wanted}\n").into_bytes();
        for piece in text.split_inclusive(|byte| *byte == b'\n') {
            if !is_of(String::from_utf8_lossy(piece).trim_end_matches('\n'), self) {
                lines.extend_from_slice(piece);
            }
        }
        context.system.write(path, &lines, mode).map_err(failed("write", FILE))?;
        Ok(Outputs::new())
    }
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
