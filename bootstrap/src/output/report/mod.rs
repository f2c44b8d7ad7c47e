//! The report of a run, on the laptop: everything that happened, as a JSON document and as a page for a browser.

mod html;
mod page;
mod view;

use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::sync::Mutex;

use serde::{Deserialize, Serialize};

pub use page::page;

use super::{Event, Listener};
use crate::problem::Exit;

/// How many runs are remembered; the oldest report goes when one more is written.
const KEPT: usize = 100;

/// Collects events and writes them to files when the run has finished.
pub struct Report {
    path: PathBuf,
    started: jiff::Timestamp,
    events: Mutex<Vec<Timed>>,
}

/// The JSON document.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Document {
    /// Of Garboard.
    pub version: String,
    /// When the run began.
    pub started: jiff::Timestamp,
    /// All events but the progress of transfers, in their order.
    pub events: Vec<Timed>,
}

/// An event and its time.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Timed {
    /// When it reached the laptop.
    pub at: jiff::Timestamp,
    /// What happened.
    #[serde(flatten)]
    pub event: Event,
}

impl Report {
    /// To be written to `path`, and the page beside it.
    pub fn new(path: PathBuf) -> Self {
        Self { path, started: jiff::Timestamp::now(), events: Mutex::default() }
    }

    /// Steps that changed something so far.
    pub fn changes(&self) -> u64 {
        let changing = |timed: &&Timed| matches!(&timed.event, Event::StepFinished { changes, .. } if !changes.is_empty());
        self.events.lock().map_or(0, |events| events.iter().filter(changing).count() as u64)
    }

    /// Writes the files; gives the run's last event, which says where they are.
    pub fn finish(&self, changes: u64, milliseconds: u64, exit: Exit) -> Event {
        let page = self.path.with_extension("html");
        let last = |report, page| Event::RunFinished { changes, milliseconds, exit, report, page };
        let complete = last(Some(self.path.display().to_string()), Some(page.display().to_string()));
        match self.write(&page, &complete) {
            Ok(()) => complete,
            Err(error) => {
                tracing::warn!("the run's report could not be written to `{}`: {error}", self.path.display());
                last(None, None)
            }
        }
    }

    fn write(&self, page_path: &Path, last: &Event) -> std::io::Result<()> {
        let mut events = self.events.lock().map(|events| events.clone()).unwrap_or_default();
        events.push(Timed { at: jiff::Timestamp::now(), event: last.clone() });
        let document =
            Document { version: env!("CARGO_PKG_VERSION").to_owned(), started: self.started, events };
        let folder = self.path.parent().unwrap_or(&self.path);
        fs_err::create_dir_all(folder)?;
        whole(&self.path, &super::json::document(&document)?)?;
        whole(page_path, page(&document).as_bytes())?;
        forget_oldest(folder)
    }
}

impl Listener for Report {
    fn event(&self, event: &Event) {
        // Byte counts change many times a second; the steps tell how long a transfer took.
        if matches!(event, Event::Sending { .. } | Event::Fetching { .. } | Event::RunFinished { .. }) {
            return;
        }
        if let Ok(mut events) = self.events.lock() {
            events.push(Timed { at: jiff::Timestamp::now(), event: event.clone() });
        }
    }
}

/// The whole file or none.
fn whole(path: &Path, content: &[u8]) -> std::io::Result<()> {
    let mut file = tempfile::NamedTempFile::new_in(path.parent().unwrap_or(path))?;
    file.write_all(content)?;
    file.persist(path).map_err(|error| error.error)?;
    Ok(())
}

/// Names begin with the time, so the oldest come first.
fn forget_oldest(folder: &Path) -> std::io::Result<()> {
    let mut documents = Vec::new();
    for entry in fs_err::read_dir(folder)? {
        let path = entry?.path();
        if path.extension().is_some_and(|extension| extension == "json") {
            documents.push(path);
        }
    }
    documents.sort();
    for document in documents.iter().rev().skip(KEPT) {
        fs_err::remove_file(document)?;
        // Older versions wrote no page.
        let _ = fs_err::remove_file(document.with_extension("html"));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::{Event, Exit, KEPT, Listener as _, Report};

    #[test]
    fn the_last_event_names_the_files_that_were_written() {
        let folder = tempfile::tempdir().unwrap();
        let report = Report::new(folder.path().join("reports/now.json"));
        report.event(&Event::Note { text: "hello".to_owned() });
        let Event::RunFinished { report: Some(document), page: Some(page), .. } =
            report.finish(1, 2, Exit::Done)
        else {
            panic!("no files")
        };
        let document: super::Document = serde_json::from_slice(&fs_err::read(document).unwrap()).unwrap();
        assert_eq!(document.events.len(), 2);
        assert_eq!(fs_err::read_to_string(page).unwrap(), super::page(&document));
    }

    #[test]
    fn a_report_that_cannot_be_written_is_not_named() {
        let folder = tempfile::tempdir().unwrap();
        fs_err::write(folder.path().join("reports"), "a file").unwrap();
        let report = Report::new(folder.path().join("reports/now.json"));
        let last = report.finish(1, 2, Exit::Done);
        assert!(matches!(last, Event::RunFinished { report: None, page: None, .. }), "{last:?}");
    }

    #[test]
    fn the_oldest_reports_go() {
        let folder = tempfile::tempdir().unwrap();
        let reports = || fs_err::read_dir(folder.path()).unwrap().count();
        for number in 0..KEPT + 3 {
            Report::new(folder.path().join(format!("{number:04}.json"))).finish(0, 0, Exit::Done);
        }
        assert_eq!(reports(), 2 * KEPT);
        assert!(!folder.path().join("0002.html").exists() && folder.path().join("0003.html").exists());
    }
}
