//! How long the disk of etcd takes to keep what is written to it. The one look that writes, and only where it is asked for.

use std::path::Path;
use std::time::Duration;

use garboard_protocol::facts::SyncLatency;

use super::disks::existing;
use crate::system::System;

/// Long enough for a slow card to show its pauses, short enough to be waited for.
const LONGEST: Duration = Duration::from_millis(2_500);

/// Measures at `path`, or at the nearest folder above it that is there. `None` where no file can be written.
pub fn sync_latency(system: &dyn System, path: &str) -> Option<SyncLatency> {
    let (folder, _) = existing(system.look(), Path::new(path))?;
    let mut latencies = system.sync_latencies(&folder, LONGEST).ok()?;
    latencies.sort();
    Some(SyncLatency {
        path: folder.to_string_lossy().into_owned(),
        writes: u32::try_from(latencies.len()).unwrap_or(u32::MAX),
        median_microseconds: microseconds(percentile(&latencies, 50)?),
        p99_microseconds: microseconds(percentile(&latencies, 99)?),
    })
}

/// The smallest value that `percent` of all do not exceed.
fn percentile(sorted: &[Duration], percent: usize) -> Option<Duration> {
    let rank = (sorted.len() * percent).div_ceil(100).max(1);
    sorted.get(rank - 1).copied()
}

fn microseconds(duration: Duration) -> u64 {
    u64::try_from(duration.as_micros()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::percentile;

    #[test]
    fn one_slow_write_in_a_hundred_is_not_the_99th_percentile_but_two_are() {
        let of = |slow: u64| {
            let mut latencies: Vec<_> = (1..=100 - slow).map(Duration::from_millis).collect();
            latencies.extend((0..slow).map(|_| Duration::from_secs(1)));
            percentile(&latencies, 99).unwrap()
        };
        assert_eq!(of(1), Duration::from_millis(99));
        assert_eq!(of(2), Duration::from_secs(1));
        assert_eq!(percentile(&[Duration::from_millis(7)], 99), Some(Duration::from_millis(7)));
        assert_eq!(percentile(&[], 99), None);
    }
}
