//! `garboard-agent pipe ADDRESS:PORT`: joins the channel to a TCP port that this host reaches.

use std::io;
use std::net::{Shutdown, SocketAddr, TcpStream};
use std::time::Duration;

use crate::join::{Side, join};

/// Longest a connection to a port of this host or its neighbours may take to come about.
const CONNECT: Duration = Duration::from_secs(10);

/// The port could not be reached, or the streams not be joined.
#[derive(Debug, thiserror::Error)]
#[error("cannot connect to `{address}` from this host")]
pub struct PipeError {
    /// As given.
    pub address: SocketAddr,
    /// Why.
    pub source: io::Error,
}

/// Joins standard input and output to `address` until it closes.
pub fn pipe(address: SocketAddr) -> Result<(), PipeError> {
    joined(address).map_err(|source| PipeError { address, source })
}

fn joined(address: SocketAddr) -> io::Result<()> {
    let socket = TcpStream::connect_timeout(&address, CONNECT)?;
    socket.set_nodelay(true)?;
    let (reader, writer, half) = (socket.try_clone()?, socket.try_clone()?, socket);
    let end_writing = move || {
        // A connection that is gone needs no end.
        let _ = half.shutdown(Shutdown::Write);
    };
    join(reader, writer, end_writing, |side| side == Side::Socket)
}
