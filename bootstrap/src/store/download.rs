//! Bytes from upstream into a partial file: continued after a break, checked before anybody sees them.

use std::path::{Path, PathBuf};

use garboard_protocol::Digest;
use reqwest::header::CONTENT_RANGE;
use reqwest::{Method, Response, StatusCode};

use super::error::StoreError;
use super::fetch::{Fetcher, unreachable};
use super::partial::Partial;
use super::progress::Progress;
use super::retry::{Attempts, Failure};
use super::source::Source;

/// How often progress is told, in bytes.
const TELL_EVERY: u64 = 512 * 1024;

/// What is fetched.
pub(super) struct Wanted<'a> {
    pub(super) source: &'a Source,
    pub(super) digest: Digest,
    /// In bytes, where known.
    pub(super) size: Option<u64>,
}

/// Fetches into `partial`, then renames to `finished`. Wrong content leaves nothing behind.
pub(super) async fn download(
    fetcher: &Fetcher,
    wanted: &Wanted<'_>,
    partial: PathBuf,
    finished: &Path,
) -> Result<(), StoreError> {
    let url = fetcher.url(wanted.source)?.to_string();
    let (at, end) = (partial.clone(), finished.to_owned());
    let opened = tokio::task::spawn_blocking(move || Partial::open(&at, &end)).await;
    let opened =
        opened.map_err(|error| StoreError::disk("open", &partial)(std::io::Error::other(error)))??;
    // Another process has just fetched it.
    let Some(mut file) = opened else { return Ok(()) };
    loop {
        let outcome = transfer(fetcher, wanted, &mut file, &url).await;
        let continued = file.resumed;
        if let Err(error @ (StoreError::WrongSize { .. } | StoreError::Html { .. })) = outcome {
            file.discard()?;
            return Err(error);
        }
        outcome?;
        let found = file.digest();
        if found == wanted.digest {
            return file.finish(finished);
        }
        if continued {
            // What lay there from an earlier run may be at fault; once more from the start.
            file.restart()?;
            continue;
        }
        file.discard()?;
        return Err(StoreError::WrongDigest { url, expected: wanted.digest, found });
    }
}

/// Brings `file` to its full length, in as many attempts as it takes.
async fn transfer(
    fetcher: &Fetcher,
    wanted: &Wanted<'_>,
    file: &mut Partial,
    url: &str,
) -> Result<(), StoreError> {
    if wanted.size.is_some_and(|size| file.offset() > size) {
        file.restart()?;
    }
    let mut attempts = Attempts::new(fetcher.patience);
    while wanted.size != Some(file.offset()) || file.offset() == 0 {
        let before = file.offset();
        let failure = match piece(fetcher, wanted, file).await {
            Ok(()) => return Ok(()),
            Err(failure) => failure,
        };
        if file.offset() > before {
            attempts.progressed();
        }
        fetcher.wait(&mut attempts, failure, wanted.source, url).await?;
    }
    Ok(())
}

/// One attempt, from where `file` ends to where the content ends.
async fn piece(fetcher: &Fetcher, wanted: &Wanted<'_>, file: &mut Partial) -> Result<(), Failure> {
    let mut response = fetcher.attempt(Method::GET, wanted.source, file.offset()).await?;
    if response.status() == StatusCode::RANGE_NOT_SATISFIABLE {
        // What we have is no beginning of it.
        file.restart()?;
        response = fetcher.attempt(Method::GET, wanted.source, 0).await?;
    }
    let url = response.url().clone();
    if file.offset() > 0 && range_start(&response) != Some(file.offset()) {
        // The server starts over; so do we.
        file.restart()?;
    }
    let start = file.offset();
    let announced = response.content_length().map(|length| start + length);
    if let (Some(expected), Some(found)) = (wanted.size, announced)
        && expected != found
    {
        return Err(StoreError::WrongSize { url: url.into(), expected, found }.into());
    }
    let mut told = start;
    while let Some(bytes) = response.chunk().await.map_err(|error| unreachable(&url, error))? {
        if file.offset() == 0 && looks_like_html(&bytes) {
            return Err(StoreError::Html { url: url.into(), expected: wanted.source.name() }.into());
        }
        file.write(&bytes)?;
        let done = file.offset();
        if let Some(expected) = wanted.size.filter(|expected| done > *expected) {
            return Err(StoreError::WrongSize { url: url.into(), expected, found: done }.into());
        }
        if done - told >= TELL_EVERY {
            told = done;
            tell(fetcher, wanted, done, announced);
        }
    }
    if let Some(expected) = wanted.size.filter(|expected| file.offset() < *expected) {
        let found = file.offset();
        return Err(StoreError::WrongSize { url: url.into(), expected, found }.into());
    }
    tell(fetcher, wanted, file.offset(), announced);
    Ok(())
}

fn tell(fetcher: &Fetcher, wanted: &Wanted<'_>, done: u64, announced: Option<u64>) {
    let total = wanted.size.or(announced).unwrap_or(0);
    (fetcher.listener)(Progress::Fetching { name: wanted.source.name(), digest: wanted.digest, done, total });
}

/// Where a 206 starts: `Content-Range: bytes START-END/TOTAL`.
fn range_start(response: &Response) -> Option<u64> {
    if response.status() != StatusCode::PARTIAL_CONTENT {
        return None;
    }
    let range = response.headers().get(CONTENT_RANGE)?.to_str().ok()?;
    range.strip_prefix("bytes ")?.split_once('-')?.0.trim().parse().ok()
}

/// Whether a page came in the place of a program, an archive or a layer: none of them starts like this.
fn looks_like_html(bytes: &[u8]) -> bool {
    let start: Vec<u8> = bytes.trim_ascii_start().iter().take(14).map(u8::to_ascii_lowercase).collect();
    start.starts_with(b"<!doctype html") || start.starts_with(b"<html")
}

#[cfg(test)]
mod tests {
    use super::looks_like_html;

    #[test]
    fn pages_are_told_from_programs() {
        assert!(looks_like_html(b"\n<!DOCTYPE html><title>Sign in</title>"));
        assert!(looks_like_html(b"<HTML>"));
        assert!(!looks_like_html(b"\x7fELF"));
        assert!(!looks_like_html(b"{\"schemaVersion\":2}"));
    }
}
