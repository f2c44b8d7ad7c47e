//! The request log: one JSON line a request, so that a test can say "a rebuild fetches nothing".

use std::io::Write as _;
use std::path::Path;
use std::sync::{Mutex, PoisonError};

use serde::{Deserialize, Serialize};

/// One answered request.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Request {
    /// `GET`, `HEAD` or what the client said.
    pub method: String,
    /// The path, without the query: that may hold a signature.
    pub path: String,
    /// The `Range` header, if any.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub range: Option<String>,
    /// The answer's status code.
    pub status: u16,
    /// Bytes of content that were sent.
    pub bytes: u64,
    /// Whether the answer was sent as a whole.
    pub complete: bool,
}

/// Where requests are written to, if anywhere.
pub(super) struct Log {
    file: Option<Mutex<fs_err::File>>,
}

impl Log {
    /// Appends to a file.
    pub(super) fn open(path: Option<&Path>) -> std::io::Result<Self> {
        let file =
            path.map(|path| fs_err::File::options().create(true).append(true).open(path)).transpose()?;
        Ok(Self { file: file.map(Mutex::new) })
    }

    /// Writes one line, whole.
    pub(super) fn write(&self, request: &Request) {
        tracing::debug!(method = request.method, path = request.path, status = request.status, "mirror");
        let Some(file) = &self.file else { return };
        let line = serde_json::to_vec(request).map(|mut line| {
            line.push(b'\n');
            line
        });
        let written = line
            .map_err(std::io::Error::from)
            .and_then(|line| file.lock().unwrap_or_else(PoisonError::into_inner).write_all(&line));
        if let Err(error) = written {
            tracing::warn!(%error, "the mirror's request log cannot be written");
        }
    }
}

/// Reads a request log back. A log that was never written is empty.
pub fn read(path: &Path) -> std::io::Result<Vec<Request>> {
    let text = match fs_err::read_to_string(path) {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(Vec::new()),
        text => text?,
    };
    text.lines().map(|line| serde_json::from_str(line).map_err(std::io::Error::from)).collect()
}
