//! How long the disk of etcd takes to keep what is written to it.

use garboard_protocol::request::FactsQuery;

use super::{Row, Subject};

/// The row about the disk that etcd writes to.
pub(crate) const DISK_LATENCY: &str = "etcd disk";
/// Where etcd keeps its log.
const ETCD: &str = "/var/lib/etcd";
/// etcd's own measure of a disk that is fast enough (its FAQ, `wal_fsync_duration_seconds`), in microseconds.
const FAST: u64 = 10_000;
/// As long as etcd waits between two signs of life of a leader: on such a disk it loses its leader again and again.
const USABLE: u64 = 100_000;

/// What the agent is asked for to measure it.
pub(crate) fn latency_query() -> FactsQuery {
    FactsQuery { sync_latency_path: Some(ETCD.to_owned()), ..FactsQuery::default() }
}

pub(super) fn rows(subject: &Subject<'_>, rows: &mut Vec<Row>) {
    let Some(latency) = &subject.facts.sync_latency else { return };
    let text = format!(
        "99 of 100 writes are kept within {} (half within {}, {} writes at {})",
        milliseconds(latency.p99_microseconds),
        milliseconds(latency.median_microseconds),
        latency.writes,
        latency.path
    );
    let help = "put /var/lib/etcd on an SSD, on a Raspberry Pi one behind USB or NVMe";
    let p99 = latency.p99_microseconds;
    rows.push(match p99 {
        _ if p99 <= FAST => subject.fine(DISK_LATENCY, text),
        _ if p99 <= USABLE => subject.warning(
            DISK_LATENCY,
            format!("{text}; etcd wants 10 ms, everything will take its time"),
            help,
        ),
        // Containers are for trying things out; the machine below them may have much else to do.
        _ if subject.facts.shared_kernel || subject.inventory.cluster.allow_slow_disk => subject.warning(
            DISK_LATENCY,
            format!("{text}; etcd loses its leader above 100 ms, and the API fails with it"),
            help,
        ),
        _ => subject.blocking(
            DISK_LATENCY,
            format!("{text}; etcd loses its leader above 100 ms, and the API fails with it"),
            format!("{help}; to try it all the same: `cluster.allow_slow_disk: true`"),
        ),
    });
}

fn milliseconds(microseconds: u64) -> String {
    format!("{}.{} ms", microseconds / 1_000, microseconds % 1_000 / 100)
}
