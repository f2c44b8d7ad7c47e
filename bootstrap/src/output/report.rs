//! The report file of a run: everything that happened, in one JSON document on the laptop.

use std::path::PathBuf;
use std::sync::Mutex;

use serde::Serialize;

use super::{Event, Listener};

/// Collects events and writes them to a file when the run has finished.
pub struct Report {
    path: PathBuf,
    started: jiff::Timestamp,
    events: Mutex<Vec<Timed>>,
}

#[derive(Serialize)]
struct Timed {
    at: jiff::Timestamp,
    #[serde(flatten)]
    event: Event,
}

#[derive(Serialize)]
struct Document<'a> {
    version: &'static str,
    started: jiff::Timestamp,
    events: &'a [Timed],
}

impl Report {
    /// To be written to `path`.
    pub fn new(path: PathBuf) -> Self {
        Self { path, started: jiff::Timestamp::now(), events: Mutex::default() }
    }

    fn write(&self, events: &[Timed]) -> std::io::Result<()> {
        let document = Document { version: env!("CARGO_PKG_VERSION"), started: self.started, events };
        let folder = self.path.parent().unwrap_or(&self.path);
        fs_err::create_dir_all(folder)?;
        let mut file = tempfile::NamedTempFile::new_in(folder)?;
        serde_json::to_writer_pretty(&mut file, &document)?;
        file.persist(&self.path).map_err(|error| error.error)?;
        Ok(())
    }
}

impl Listener for Report {
    fn event(&self, event: &Event) {
        // Byte counts change many times a second; the steps tell how long a transfer took.
        if matches!(event, Event::Sending { .. } | Event::Fetching { .. }) {
            return;
        }
        let Ok(mut events) = self.events.lock() else { return };
        events.push(Timed { at: jiff::Timestamp::now(), event: event.clone() });
        if matches!(event, Event::RunFinished { .. })
            && let Err(error) = self.write(&events)
        {
            tracing::warn!("the run's report could not be written to `{}`: {error}", self.path.display());
        }
    }
}
