//! Joins this program's own standard input and output to a socket, with threads: two directions, nothing else to wait for.

use std::io::{self, Read, Write};
use std::os::fd::AsFd as _;
use std::sync::mpsc::channel;
use std::thread;

/// A direction that has ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Side {
    /// Standard input.
    Input,
    /// The socket.
    Socket,
}

/// Copies both ways until `is_over` says so of a side that has ended, or both have. `end_writing` tells the socket that
/// standard input is at its end.
pub fn join(
    mut from_socket: impl Read + Send + 'static,
    mut to_socket: impl Write + Send + 'static,
    mut end_writing: impl FnMut() + Send + 'static,
    is_over: impl Fn(Side) -> bool,
) -> io::Result<()> {
    // Not through `io::stdout()`, which would hold back what follows the last newline.
    let mut input = std::fs::File::from(io::stdin().as_fd().try_clone_to_owned()?);
    let mut output = std::fs::File::from(io::stdout().as_fd().try_clone_to_owned()?);
    let (ended, ends) = channel();
    let input_ended = ended.clone();
    thread::spawn(move || {
        // A socket or channel that breaks has ended, like one that closes.
        let _ = copy(&mut input, &mut to_socket);
        end_writing();
        let _ = input_ended.send(Side::Input);
    });
    thread::spawn(move || {
        let _ = copy(&mut from_socket, &mut output);
        let _ = ended.send(Side::Socket);
    });
    for side in ends {
        if is_over(side) {
            break;
        }
    }
    Ok(())
}

/// Passes each piece on as soon as it comes. Not `io::copy`: between a socket and a pipe that becomes `splice(2)`, which was
/// seen to hold a message back until the next one came.
fn copy(from: &mut impl Read, to: &mut impl Write) -> io::Result<()> {
    let mut buffer = vec![0_u8; 64 * 1024];
    loop {
        match from.read(&mut buffer) {
            Ok(0) => return Ok(()),
            Ok(count) => {
                to.write_all(&buffer[..count])?;
                to.flush()?;
            }
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
}
