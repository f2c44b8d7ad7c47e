//! The mirror's server: one folder, offered the way the official hosts offer theirs.
//!
//! Plain files are at `/HOST/PATH`, with a checksum at `/HOST/PATH.sha256`. Images are at `/v2/HOST/NAME/…`: the
//! registry asks for a bearer token, sends the client to another address for blobs, and now and then answers 429.
//! The folder is what `cargo xtask upstream` builds:
//!
//! - `files/HOST/PATH`
//! - `registry/HOST/NAME/tags/TAG`, which holds the digest of an index or manifest (`sha256:…`)
//! - `registry/HOST/NAME/blobs/sha256/HEX` for every blob; indexes and manifests are blobs as well
//!
//! Registry API: <https://github.com/opencontainers/distribution-spec/blob/main/spec.md>, tokens:
//! <https://distribution.github.io/distribution/spec/auth/token/>.

mod answer;
mod body;
mod checksum;
mod connection;
mod faults;
mod file;
mod link;
mod log;
mod range;
mod registry;
mod route;
mod server;
mod throttle;
mod token;

use std::net::SocketAddr;
use std::num::NonZeroU32;
use std::path::{Path, PathBuf};
use std::time::Duration;

use tokio::net::TcpListener;

pub use faults::Faults;
pub use log::{Request, read as read_log};

/// How the mirror behaves.
#[derive(Debug, Clone)]
pub struct Options {
    /// Every so manieth address asked of the registry answers 429 the first time, counted over the mirror's life.
    pub throttle_every: Option<NonZeroU32>,
    /// What `Retry-After` then says, in whole seconds.
    pub retry_after: Duration,
    /// How long a bearer token is good for.
    pub token_life: Duration,
    /// How long the address of a blob is good for.
    pub link_life: Duration,
    /// Faults from the start; [`Mirror::set_faults`] changes them.
    pub faults: Faults,
    /// A file with [`Faults`] as JSON, read at each request; while it exists it stands in the place of the others.
    pub control: Option<PathBuf>,
    /// Where to append one JSON line a request; see [`Request`].
    pub log: Option<PathBuf>,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            throttle_every: NonZeroU32::new(10),
            retry_after: Duration::from_secs(1),
            token_life: Duration::from_mins(5),
            link_life: Duration::from_mins(5),
            faults: Faults::default(),
            control: None,
            log: None,
        }
    }
}

/// Why the mirror cannot be served.
#[derive(Debug, thiserror::Error)]
pub enum MirrorError {
    /// The folder is not a mirror.
    #[error("`{}` is no mirror: it has no folder `files` or `registry`", folder.display())]
    NoMirror {
        /// The folder as given.
        folder: PathBuf,
    },
    /// The folder cannot be read.
    #[error("the mirror's folder `{}` cannot be opened", folder.display())]
    Folder {
        /// The folder as given.
        folder: PathBuf,
        /// The system's reason.
        source: std::io::Error,
    },
    /// The request log cannot be opened.
    #[error("the mirror's request log `{}` cannot be opened", log.display())]
    Log {
        /// The file as given.
        log: PathBuf,
        /// The system's reason.
        source: std::io::Error,
    },
    /// A listener cannot be used, or the second one, for blobs, cannot be opened beside it.
    #[error("the mirror cannot listen")]
    Listen(#[source] std::io::Error),
    /// The system gives no random bytes for tokens.
    #[error("no random bytes for the mirror's tokens: {0}")]
    Random(getrandom::Error),
}

/// A mirror at work. Dropping it ends it.
pub struct Mirror {
    address: SocketAddr,
    shared: server::Shared,
    task: tokio::task::JoinHandle<()>,
}

impl Mirror {
    /// Starts to serve the folder. Blobs are served on a second port of the same address, as on a real registry they
    /// come from another host.
    pub async fn start(folder: &Path, listener: TcpListener, options: Options) -> Result<Self, MirrorError> {
        let address = listener.local_addr().map_err(MirrorError::Listen)?;
        let blobs = TcpListener::bind((address.ip(), 0)).await.map_err(MirrorError::Listen)?;
        let blob_address = blobs.local_addr().map_err(MirrorError::Listen)?;
        let shared = server::Shared::open(folder, address, blob_address, options)?;
        let task = tokio::spawn(server::run(shared.clone(), listener, blobs));
        Ok(Self { address, shared, task })
    }

    /// What `--upstream` takes: `http://ADDRESS:PORT`.
    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Replaces the faults, for requests from now on.
    pub fn set_faults(&self, faults: Faults) {
        self.shared.set_faults(faults);
    }
}

impl Drop for Mirror {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// Serves the folder until the future is dropped.
pub async fn serve(folder: &Path, listener: TcpListener, options: Options) -> Result<(), MirrorError> {
    let mut mirror = Mirror::start(folder, listener, options).await?;
    // A panic in the accept loop is the only way for it to end, and it has been reported already.
    let _ = (&mut mirror.task).await;
    Ok(())
}
