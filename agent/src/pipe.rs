//! `garboard-agent pipe ADDRESS:PORT`, `pipe unix:PATH`: joins the channel to a service that this host reaches.

use std::fmt;
use std::io;
use std::net::{Shutdown, SocketAddr, TcpStream};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::time::Duration;

use crate::join::{Side, join};

/// Longest a connection to a port of this host or its neighbours may take to come about.
const CONNECT: Duration = Duration::from_secs(10);

/// Where a service listens.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Target {
    /// On a TCP port.
    Tcp(SocketAddr),
    /// On a Unix socket of this host: its absolute path.
    Unix(PathBuf),
}

impl Target {
    /// `127.0.0.1:6443`, or `unix:/run/a.sock`.
    pub fn parse(text: &str) -> Option<Self> {
        match text.strip_prefix("unix:") {
            Some(path) => Path::new(path).is_absolute().then(|| Self::Unix(path.into())),
            None => text.parse().ok().map(Self::Tcp),
        }
    }
}

impl fmt::Display for Target {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Tcp(address) => address.fmt(formatter),
            Self::Unix(path) => path.display().fmt(formatter),
        }
    }
}

/// The service could not be reached, or the streams not be joined.
#[derive(Debug, thiserror::Error)]
#[error("cannot connect to `{target}` from this host")]
pub struct PipeError {
    /// As given.
    pub target: Target,
    /// Why.
    pub source: io::Error,
}

/// Joins standard input and output to a service until it closes.
pub fn pipe(target: Target) -> Result<(), PipeError> {
    let joined = match &target {
        Target::Tcp(address) => to_tcp(*address),
        Target::Unix(path) => to_unix(path),
    };
    joined.map_err(|source| PipeError { target, source })
}

fn to_tcp(address: SocketAddr) -> io::Result<()> {
    let socket = TcpStream::connect_timeout(&address, CONNECT)?;
    socket.set_nodelay(true)?;
    let (reader, writer, half) = (socket.try_clone()?, socket.try_clone()?, socket);
    let end_writing = move || {
        // A connection that is gone needs no end.
        let _ = half.shutdown(Shutdown::Write);
    };
    join(reader, writer, end_writing, |side| side == Side::Socket)
}

fn to_unix(path: &Path) -> io::Result<()> {
    let socket = UnixStream::connect(path)?;
    let (reader, writer, half) = (socket.try_clone()?, socket.try_clone()?, socket);
    let end_writing = move || {
        // As above.
        let _ = half.shutdown(Shutdown::Write);
    };
    join(reader, writer, end_writing, |side| side == Side::Socket)
}
