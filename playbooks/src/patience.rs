//! How much longer than usual is waited for a control plane on a slow disk.

use garboard_protocol::facts::SyncLatency;

/// etcd's own measure of a disk that is fast enough: 99 of 100 syncs within 10 ms (its FAQ, `wal_fsync_duration_seconds`).
const FAST: u64 = 10_000;
/// From here on it loses its leader again and again.
const SLOW: u64 = 100_000;

/// A factor for every deadline: 1 on a disk that was fast, or not measured; 2 on a slow one; 4 on one that is too slow for etcd.
pub fn patience(latency: Option<&SyncLatency>) -> u32 {
    let p99 = latency.map_or(0, |latency| latency.p99_microseconds);
    if p99 <= FAST {
        1
    } else if p99 <= SLOW {
        2
    } else {
        4
    }
}

#[cfg(test)]
mod tests {
    use garboard_protocol::facts::SyncLatency;

    use super::patience;

    #[test]
    fn deadlines_grow_with_the_latency_of_the_disk() {
        let of = |p99_microseconds| {
            patience(Some(&SyncLatency {
                path: "/".into(),
                writes: 9,
                median_microseconds: 1,
                p99_microseconds,
            }))
        };
        assert_eq!(patience(None), 1);
        let found = [0, 10_000, 10_001, 100_000, 100_001, u64::MAX].map(of);
        assert_eq!(found, [1, 1, 2, 2, 4, 4]);
    }
}
