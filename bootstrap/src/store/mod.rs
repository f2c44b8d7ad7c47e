//! Content-addressed blobs on the laptop: each is fetched once, checked, and found again by its digest.
//!
//! Files lie at `ROOT/sha256/HEX`; unfinished ones at `ROOT/partial/HEX`. Nothing gets its final name before its
//! digest was seen to be right, and what lay there before is hashed once a run before anybody uses it.

mod download;
mod error;
mod fetch;
mod partial;
mod platform;
mod progress;
mod registry;
mod retry;
mod source;
mod upstream;

use std::collections::HashMap;
use std::io::Write as _;
use std::os::unix::fs::{DirBuilderExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use bytes::Bytes;
use futures::FutureExt as _;
use futures::future::{BoxFuture, Shared};
use garboard_protocol::Digest;
use tokio::sync::Semaphore;

pub use error::StoreError;
pub use progress::{Listener, Progress, silent};
pub use registry::{Image, Index};
pub use retry::Patience;
pub use source::Source;
pub use upstream::Upstream;

use download::{Wanted, download};
use fetch::Fetcher;

/// Transfers at the same time.
const TRANSFERS: usize = 4;

type Ensuring = Shared<BoxFuture<'static, Result<PathBuf, StoreError>>>;

/// The store of one run.
pub struct Store {
    inner: Arc<Inner>,
    /// What was asked for in this run: under way, or done and known to be right.
    ensured: Mutex<HashMap<Digest, Ensuring>>,
}

struct Inner {
    blobs: PathBuf,
    partial: PathBuf,
    fetcher: Fetcher,
    transfers: Semaphore,
}

impl Store {
    /// Opens the store in the folder `root` (`$XDG_CACHE_HOME/garboard/blobs`), made with mode 0700 when missing.
    pub fn open(
        root: &Path,
        upstream: Upstream,
        patience: Patience,
        listener: Listener,
    ) -> Result<Self, StoreError> {
        let inner = Inner {
            blobs: root.join("sha256"),
            partial: root.join("partial"),
            fetcher: Fetcher::new(upstream, patience, listener),
            transfers: Semaphore::new(TRANSFERS),
        };
        for folder in [&inner.blobs, &inner.partial] {
            let mut builder = std::fs::DirBuilder::new();
            builder.recursive(true).mode(0o700).create(folder).map_err(StoreError::disk("create", folder))?;
        }
        let private = std::fs::Permissions::from_mode(0o700);
        fs_err::set_permissions(root, private).map_err(StoreError::disk("close to others", root))?;
        Ok(Self { inner: Arc::new(inner), ensured: Mutex::default() })
    }

    /// The path of the blob `digest`, fetched from `source` unless it is there; `size` in bytes, where known. Callers
    /// that ask for the same blob share one transfer. A blob that is there already is hashed once a run.
    pub async fn ensure(
        &self,
        source: &Source,
        digest: Digest,
        size: Option<u64>,
    ) -> Result<PathBuf, StoreError> {
        let ensuring = {
            let mut ensured = self.ensured.lock().unwrap_or_else(PoisonError::into_inner);
            ensured
                .entry(digest)
                .or_insert_with(|| {
                    let (inner, source) = (Arc::clone(&self.inner), source.clone());
                    async move { inner.ensure(&source, digest, size).await }.boxed().shared()
                })
                .clone()
        };
        let result = ensuring.clone().await;
        if result.is_err() {
            let mut ensured = self.ensured.lock().unwrap_or_else(PoisonError::into_inner);
            // A later call tries again; one that has begun to do so since stays.
            if ensured.get(&digest).is_some_and(|current| current.ptr_eq(&ensuring)) {
                ensured.remove(&digest);
            }
        }
        result
    }

    /// Whether the blob is there, by name alone; what is said here is checked when it is used.
    pub fn has(&self, digest: Digest) -> bool {
        self.inner.path(digest).exists()
    }

    /// The content of a small blob that is there and right; a wrong one is thrown away.
    pub fn read(&self, digest: Digest) -> Result<Option<Bytes>, StoreError> {
        let path = self.inner.path(digest);
        let content = match fs_err::read(&path) {
            Ok(content) => content,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(StoreError::disk("read", path)(error)),
        };
        let found = Digest::of(&content);
        if found == digest {
            return Ok(Some(content.into()));
        }
        self.inner.throw_away(&path, digest.to_string(), digest, found)?;
        Ok(None)
    }

    /// Keeps a small document under its digest.
    pub fn put(&self, content: &[u8]) -> Result<Digest, StoreError> {
        let digest = Digest::of(content);
        let path = self.inner.path(digest);
        let failed = || StoreError::disk("write", &path);
        let mut file = tempfile::NamedTempFile::new_in(&self.inner.partial).map_err(failed())?;
        file.write_all(content).map_err(failed())?;
        file.as_file().sync_all().map_err(failed())?;
        file.persist(&path).map_err(|error| failed()(error.error))?;
        partial::sync_folder_of(&path)?;
        Ok(digest)
    }

    /// The path of content that is at hand, kept under its digest unless it is there, and right.
    pub fn keep(&self, digest: Digest, content: &[u8]) -> Result<PathBuf, StoreError> {
        if self.read(digest)?.is_none() {
            self.put(content)?;
        }
        Ok(self.inner.path(digest))
    }

    /// A small text from upstream that is not kept (a published checksum).
    pub async fn text(&self, source: &Source) -> Result<String, StoreError> {
        let (url, content) = self.inner.fetcher.document(source).await?;
        String::from_utf8(content.into()).map_err(|_| StoreError::Content {
            url,
            expected: "a text",
            found: "something that is not UTF-8".to_owned(),
        })
    }

    /// How large `source` is, in bytes, as its server announces it.
    pub async fn size(&self, source: &Source) -> Result<Option<u64>, StoreError> {
        self.inner.fetcher.size(source).await
    }

    /// Where `source` is asked for, for messages.
    pub fn url(&self, source: &Source) -> Result<String, StoreError> {
        Ok(self.inner.fetcher.url(source)?.to_string())
    }
}

impl Inner {
    fn path(&self, digest: Digest) -> PathBuf {
        self.blobs.join(digest.hex())
    }

    async fn ensure(
        &self,
        source: &Source,
        digest: Digest,
        size: Option<u64>,
    ) -> Result<PathBuf, StoreError> {
        let path = self.path(digest);
        if path.exists() && self.is_right(source, &path, digest).await? {
            return Ok(path);
        }
        // Never closed.
        let _transfer = self.transfers.acquire().await;
        download(&self.fetcher, &Wanted { source, digest, size }, self.partial.join(digest.hex()), &path)
            .await?;
        Ok(path)
    }

    /// Hashes what is there; what is wrong is thrown away.
    async fn is_right(&self, source: &Source, path: &Path, digest: Digest) -> Result<bool, StoreError> {
        let at = path.to_owned();
        let hashed = tokio::task::spawn_blocking(move || {
            let mut file = fs_err::File::open(at)?;
            Digest::of_reader(&mut file)
        });
        let hashed = hashed.await.unwrap_or_else(|error| Err(std::io::Error::other(error)));
        let (found, _) = hashed.map_err(StoreError::disk("read", path))?;
        if found != digest {
            self.throw_away(path, source.name(), digest, found)?;
        }
        Ok(found == digest)
    }

    fn throw_away(
        &self,
        path: &Path,
        name: String,
        expected: Digest,
        found: Digest,
    ) -> Result<(), StoreError> {
        (self.fetcher.listener)(Progress::Damaged { name, expected, found });
        fs_err::remove_file(path).map_err(StoreError::disk("remove", path))
    }
}
