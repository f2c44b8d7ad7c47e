//! `garboard-agent serve`: the executor as a process.

use std::ffi::OsStr;
use std::io;
use std::os::unix::fs::PermissionsExt as _;

use fs_err as fs;
use tokio::io::AsyncWriteExt as _;
use tokio::net::UnixListener;

use super::lock::{Holder, Lock, LockError};
use super::work::Services;
use super::{Door, Executor, notify};
use crate::engine::rfc3339;
use crate::program::own_digest;

/// Said to each bridge as soon as its connection is taken: from then on an executor is there for it, not just a socket.
pub const GREETING: u8 = b'+';

/// Why there is no executor.
#[derive(Debug, thiserror::Error)]
pub enum ServeError {
    /// The host is held, or its lock unusable.
    #[error(transparent)]
    Lock(#[from] LockError),
    /// Something of the system failed.
    #[error("cannot {action}")]
    Io {
        /// What was tried.
        action: &'static str,
        /// Why.
        source: io::Error,
    },
}

/// Serves until the run ends. `notify` is `$NOTIFY_SOCKET`.
pub fn serve(services: Services, run: &str, owner: &str, notify: Option<&OsStr>) -> Result<(), ServeError> {
    let failed = |action| move |source| ServeError::Io { action, source };
    let layout = services.host.layout.clone();
    let holder = Holder {
        run: run.to_owned(),
        owner: owner.to_owned(),
        since: rfc3339(services.host.system.now()),
        pid: std::process::id(),
    };
    let _lock = Lock::take(&layout, &holder)?;
    let agent = own_digest().map_err(failed("read the agent's own program"))?;
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(failed("start the executor's loop"))?;
    runtime.block_on(async {
        let executor =
            Executor::new(services, holder, agent).map_err(failed("read the notes on this host"))?;
        // A socket that is there was left by an executor that was killed: the lock is ours.
        match fs::remove_file(layout.socket()) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => {
                return Err(failed("remove an old socket")(error));
            }
            _ => {}
        }
        let listener = UnixListener::bind(layout.socket()).map_err(failed("open the executor's socket"))?;
        fs::set_permissions(layout.socket(), std::fs::Permissions::from_mode(0o600))
            .map_err(failed("protect the executor's socket"))?;
        if let Some(socket) = notify {
            notify::ready(socket).map_err(failed("tell systemd that the executor is ready"))?;
        }
        let door = executor.door();
        let accepting = tokio::spawn(accept(listener, door));
        let result = executor.run().await.map_err(failed("clean up"));
        accepting.abort();
        result
    })
}

async fn accept(listener: UnixListener, door: Door) {
    loop {
        match listener.accept().await {
            Ok((mut stream, _)) => {
                // A bridge that is gone by now is no client.
                if stream.write_all(&[GREETING]).await.is_ok() {
                    door.attach(stream);
                }
            }
            Err(error) if error.kind() == io::ErrorKind::ConnectionAborted => {}
            // Out of descriptors or memory: the client that is there goes on; the next bridge is not greeted and says so.
            Err(_) => return,
        }
    }
}
