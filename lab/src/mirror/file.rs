//! Answers with a file of the mirror behind them: length, tag, ranges.

use std::io::SeekFrom;
use std::path::Path;
use std::time::UNIX_EPOCH;

use http::{HeaderMap, Response, StatusCode, header};
use http_body_util::BodyExt as _;
use tokio::io::AsyncSeekExt as _;

use super::answer::{self, Answer};
use super::body::FileBody;
use super::faults::Fault;
use super::range::{self, Range};

/// What the request wants of the file.
pub(super) struct Wanted<'a> {
    pub(super) headers: &'a HeaderMap,
    /// `None`: derived from size and time.
    pub(super) tag: Option<String>,
    pub(super) media_type: &'a str,
    pub(super) fault: Fault,
}

/// The answer for one file; `None` if there is none. It must lie below `root`, wherever links may lead.
pub(super) async fn answer(root: &Path, path: &Path, wanted: Wanted<'_>) -> std::io::Result<Option<Answer>> {
    let (root, path) = (root.to_owned(), path.to_owned());
    let opened =
        tokio::task::spawn_blocking(move || open(&root, &path)).await.map_err(std::io::Error::other)?;
    let Some((file, metadata)) = opened? else {
        return Ok(None);
    };
    if wanted.fault.html {
        return Ok(Some(answer::portal()));
    }
    let size = metadata.len();
    let tag = wanted.tag.unwrap_or_else(|| tag_of(&metadata));
    let asked = |name| wanted.headers.get(name).and_then(|value: &http::HeaderValue| value.to_str().ok());
    if asked(header::IF_NONE_MATCH).is_some_and(|known| known == tag || known == "*") {
        let mut answer = Response::new(answer::full(""));
        *answer.status_mut() = StatusCode::NOT_MODIFIED;
        answer::set(&mut answer, header::ETAG, &tag);
        return Ok(Some(answer));
    }
    // Half a file and another half of its successor must not be joined.
    let unchanged = asked(header::IF_RANGE).is_none_or(|known| known == tag);
    let range = range::parse(asked(header::RANGE).filter(|_| unchanged), size);
    let mut answer = match range {
        Range::Unsatisfiable => {
            let mut answer = answer::text(StatusCode::RANGE_NOT_SATISFIABLE, "there are no such bytes\n");
            answer::set(&mut answer, header::CONTENT_RANGE, &format!("bytes */{size}"));
            return Ok(Some(answer));
        }
        Range::Whole => content(file, (0, size), size, &wanted.fault).await?,
        Range::Part(start, end) => {
            let mut answer = content(file, (start, end), size, &wanted.fault).await?;
            *answer.status_mut() = StatusCode::PARTIAL_CONTENT;
            answer::set(&mut answer, header::CONTENT_RANGE, &format!("bytes {start}-{}/{size}", end - 1));
            answer
        }
    };
    answer::set(&mut answer, header::CONTENT_TYPE, wanted.media_type);
    answer::set(&mut answer, header::ETAG, &tag);
    answer::set(&mut answer, header::ACCEPT_RANGES, "bytes");
    Ok(Some(answer))
}

async fn content(
    file: fs_err::File,
    (start, end): (u64, u64),
    size: u64,
    fault: &Fault,
) -> std::io::Result<Answer> {
    let mut file = tokio::fs::File::from_std(file.into_file());
    file.seek(SeekFrom::Start(start)).await?;
    let mut answer = Response::new(FileBody::new(file, start, end, size, fault).boxed_unsync());
    answer::set(&mut answer, header::CONTENT_LENGTH, &(end - start).to_string());
    Ok(answer)
}

fn open(root: &Path, path: &Path) -> std::io::Result<Option<(fs_err::File, std::fs::Metadata)>> {
    let path = match fs_err::canonicalize(path) {
        Err(error)
            if matches!(error.kind(), std::io::ErrorKind::NotFound | std::io::ErrorKind::NotADirectory) =>
        {
            return Ok(None);
        }
        path => path?,
    };
    if !path.starts_with(root) {
        return Ok(None);
    }
    let file = fs_err::File::open(path)?;
    let metadata = file.metadata()?;
    Ok(metadata.is_file().then_some((file, metadata)))
}

fn tag_of(metadata: &std::fs::Metadata) -> String {
    let modified = metadata.modified().ok().and_then(|at| at.duration_since(UNIX_EPOCH).ok());
    format!("\"{:x}-{:x}\"", metadata.len(), modified.unwrap_or_default().as_nanos())
}
