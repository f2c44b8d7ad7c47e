//! Metrics as a text file for Prometheus' node exporter (`--collector.textfile.directory`).

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::Path;

use jiff::Timestamp;

use crate::address::Family;
use crate::machine::Phase;
use crate::quorum::Outside;
use crate::state::{self, Stored};

/// Updates since the service started, by name and outcome (`good`, `transient`, `fatal`).
pub type Counters = BTreeMap<(String, &'static str), u64>;

/// Replaces the file, which everybody may read.
///
/// # Errors
/// The disk.
pub fn write(path: &Path, stored: &Stored, updates: &Counters, now: Timestamp) -> std::io::Result<()> {
    state::replace(path, text(stored, updates, now).as_bytes(), 0o644)
}

/// The text exposition format, version 0.0.4. Names are labels; they hold nothing that would have to be escaped.
fn text(stored: &Stored, updates: &Counters, now: Timestamp) -> String {
    let mut text = String::new();
    let mut metric = |name: &str, kind: &str, help: &str, rows: Vec<(String, String)>| {
        let _ = writeln!(text, "# HELP garboard_ddns_{name} {help}\n# TYPE garboard_ddns_{name} {kind}");
        for (labels, value) in rows {
            let _ = writeln!(text, "garboard_ddns_{name}{labels} {value}");
        }
    };
    let each = |value: &dyn Fn(&Phase) -> Option<String>| {
        let rows = stored.names.iter().filter_map(|(name, entry)| {
            let labels = format!("{{name=\"{name}\",provider=\"{}\"}}", entry.provider);
            value(&entry.state.phase).map(|value| (labels, value))
        });
        rows.collect::<Vec<_>>()
    };
    let flag = |yes: bool| Some(u8::from(yes).to_string());
    metric(
        "in_sync",
        "gauge",
        "Whether the record holds the address.",
        each(&|phase| flag(matches!(phase, Phase::InSync { .. }))),
    );
    metric(
        "held_fatal",
        "gauge",
        "Whether nothing is sent before a person acts.",
        each(&|phase| flag(matches!(phase, Phase::HeldFatal { .. }))),
    );
    metric(
        "held_until_timestamp_seconds",
        "gauge",
        "Nothing is sent before this time.",
        each(&|phase| match phase {
            Phase::HeldTransient { until, .. } => Some(until.as_second().to_string()),
            _ => None,
        }),
    );
    let success = stored.names.iter().filter_map(|(name, entry)| {
        let labels = format!("{{name=\"{name}\",provider=\"{}\"}}", entry.provider);
        entry.state.last_success.map(|time| (labels, time.as_second().to_string()))
    });
    metric(
        "last_success_timestamp_seconds",
        "gauge",
        "When the provider last confirmed an update.",
        success.collect(),
    );
    let published = stored.names.iter().flat_map(|(name, entry)| {
        entry.state.published.iter().map(move |address| {
            let family = Family::of(address).record();
            (format!("{{name=\"{name}\",record=\"{family}\",address=\"{address}\"}}"), "1".to_owned())
        })
    });
    metric("published", "gauge", "The address a record holds.", published.collect());
    let rows = updates.iter().map(|((name, outcome), count)| {
        (format!("{{name=\"{name}\",outcome=\"{outcome}\"}}"), count.to_string())
    });
    metric("updates_total", "counter", "Updates sent since the service started.", rows.collect());
    if let Some(outside) = stored.outside {
        let direct = u8::from(outside == Outside::Direct).to_string();
        metric(
            "reachable",
            "gauge",
            "Whether the router has the address that others see.",
            vec![(String::new(), direct)],
        );
    }
    metric(
        "looked_timestamp_seconds",
        "gauge",
        "When this file was written.",
        vec![(String::new(), now.as_second().to_string())],
    );
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::machine::NameState;
    use crate::state::Entry;

    #[test]
    fn a_held_name_shows_until_when() {
        let mut state = NameState::new("a".to_owned());
        let until = Timestamp::from_second(2000).unwrap();
        state.phase = Phase::HeldTransient { until, reason: "911".to_owned(), since: Timestamp::UNIX_EPOCH };
        let mut stored = Stored::default();
        stored.names.insert("home.example.org".to_owned(), Entry { provider: "no_ip".to_owned(), state });
        let updates = Counters::from([(("home.example.org".to_owned(), "transient"), 3)]);
        let said = text(&stored, &updates, Timestamp::from_second(1000).unwrap());
        let lines = [
            "garboard_ddns_in_sync{name=\"home.example.org\",provider=\"no_ip\"} 0",
            "garboard_ddns_held_fatal{name=\"home.example.org\",provider=\"no_ip\"} 0",
            "garboard_ddns_held_until_timestamp_seconds{name=\"home.example.org\",provider=\"no_ip\"} 2000",
            "garboard_ddns_updates_total{name=\"home.example.org\",outcome=\"transient\"} 3",
            "garboard_ddns_looked_timestamp_seconds 1000",
        ];
        for line in lines {
            assert!(said.lines().any(|one| one == line), "{line}\n{said}");
        }
    }
}
