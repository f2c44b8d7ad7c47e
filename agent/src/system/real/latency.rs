//! How long a disk takes to keep what is written to it.

use std::io::{self, Write as _};
use std::path::Path;
use std::time::{Duration, Instant};

use fs_err as fs;
use fs_err::os::unix::fs::OpenOptionsExt as _;
use nix::libc;

/// What is written at once: etcd's log is written in pages, and an entry of Kubernetes' fills two of them.
const WRITE: [u8; 8 * 1024] = [0x5a; 8 * 1024];
/// More say nothing more about one in a hundred.
const MOST_WRITES: usize = 1_000;

/// Appends to a file without a name in `folder` and syncs, again and again, until `longest` is over. At least once.
pub(super) fn of_syncs(folder: &Path, longest: Duration) -> io::Result<Vec<Duration>> {
    let mut file = nameless(folder)?;
    let begun = Instant::now();
    let mut latencies = Vec::new();
    while latencies.is_empty() || latencies.len() < MOST_WRITES && begun.elapsed() < longest {
        let before = Instant::now();
        file.write_all(&WRITE)?;
        file.sync_data()?;
        latencies.push(before.elapsed());
    }
    Ok(latencies)
}

/// A file that is gone when it is closed, also after a crash.
fn nameless(folder: &Path) -> io::Result<fs::File> {
    let mut options = fs::OpenOptions::new();
    match options.write(true).mode(0o600).custom_flags(libc::O_TMPFILE).open(folder) {
        // A file system that has no such files.
        Err(error) if error.raw_os_error() == Some(libc::EOPNOTSUPP) => {
            let path = folder.join(".garboard-sync-latency");
            let file =
                fs::OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(&path)?;
            fs::remove_file(&path)?;
            Ok(file)
        }
        other => other,
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::of_syncs;

    #[test]
    fn a_disk_is_measured_and_nothing_is_left_of_it() {
        let folder = tempfile::tempdir().unwrap();
        let found = of_syncs(folder.path(), Duration::from_millis(20)).unwrap();
        assert!(!found.is_empty() && found.iter().all(|latency| !latency.is_zero()));
        assert_eq!(fs_err::read_dir(folder.path()).unwrap().count(), 0);
        assert!(of_syncs(&folder.path().join("absent"), Duration::ZERO).is_err());
    }
}
