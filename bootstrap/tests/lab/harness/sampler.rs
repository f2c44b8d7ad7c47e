//! Looks at all processes of the machine, those of the hosts included, while something runs.

use std::collections::BTreeSet;
use std::path::Path;
use std::sync::mpsc;
use std::thread::JoinHandle;
use std::time::Duration;

use super::{command_line, processes};

/// How often: processes tell nobody that they start, and a login takes some tenths of a second.
const PERIOD: Duration = Duration::from_millis(15);

/// What was seen. A process that came and went between two looks was not.
#[derive(Default)]
pub(crate) struct Samples {
    /// How often was looked.
    pub(crate) count: usize,
    /// Command lines, arguments separated by blanks.
    pub(crate) lines: BTreeSet<String>,
    /// Environments, variables separated by blanks.
    pub(crate) environments: BTreeSet<String>,
}

/// At work until it is stopped.
pub(crate) struct Sampler<T> {
    stop: mpsc::Sender<()>,
    thread: JoinHandle<(Samples, T)>,
}

impl<T: Default + Send + 'static> Sampler<T> {
    /// `look` adds what else there is to be seen.
    pub(crate) fn start(mut look: impl FnMut(&mut T) + Send + 'static) -> Self {
        let (stop, stopped) = mpsc::channel();
        let thread = std::thread::spawn(move || {
            let (mut samples, mut other) = (Samples::default(), T::default());
            while matches!(stopped.recv_timeout(PERIOD), Err(mpsc::RecvTimeoutError::Timeout)) {
                samples.count += 1;
                for process in processes() {
                    samples.lines.extend(command_line(&process));
                    samples.environments.extend(environment(&process));
                }
                look(&mut other);
            }
            (samples, other)
        });
        Self { stop, thread }
    }

    /// All that was seen.
    pub(crate) fn stop(self) -> (Samples, T) {
        let _ = self.stop.send(());
        self.thread.join().unwrap()
    }
}

/// A process's environment as it was started; none when it has ended.
fn environment(process: &Path) -> Option<String> {
    let text = fs_err::read(process.join("environ")).ok()?;
    Some(String::from_utf8_lossy(&text).replace('\0', " "))
}

/// Every file below a folder, with its content as text.
pub(crate) fn files_below(folder: &Path, seen: &mut dyn FnMut(&Path, &str)) {
    let Ok(entries) = fs_err::read_dir(folder) else { return };
    for entry in entries {
        let entry = entry.unwrap();
        let kind = entry.file_type().unwrap();
        if kind.is_dir() {
            files_below(&entry.path(), seen);
        } else if kind.is_file() {
            let content = fs_err::read(entry.path()).unwrap_or_default();
            seen(&entry.path(), &String::from_utf8_lossy(&content));
        }
    }
}
