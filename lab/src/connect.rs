//! Connections into a lab's network: what the inventory's `proxy_command` runs.

use std::fs::File;
use std::io::{Read, Write};
use std::net::{IpAddr, Shutdown, SocketAddr, TcpStream};
use std::os::fd::AsFd;
use std::time::Duration;

use crate::{Error, Lab, Places, Result, namespace, network};

/// A TCP connection from the lab's bridge to an address in its network.
///
/// # Errors
/// When there is no such lab, or nothing answers within `deadline`.
pub fn connect(lab: &str, address: SocketAddr, deadline: Duration) -> Result<TcpStream> {
    let name = namespace::of_lab(lab);
    if !network::exists(&name) {
        return Err(Error::NoLab { lab: lab.into() });
    }
    namespace::inside(&name, || {
        TcpStream::connect_timeout(&address, deadline).map_err(|error| {
            Error::from(std::io::Error::new(
                error.kind(),
                format!("cannot connect to {address} in lab `{lab}`: {error}"),
            ))
        })
    })
}

/// Where `host` (a host's name, or an address in the lab's network) is.
///
/// # Errors
/// When it is neither.
pub(crate) fn resolve(places: &Places, lab: &str, host: &str) -> Result<IpAddr> {
    match host.parse() {
        // No file is read then: the inventory's proxy command works from any environment.
        Ok(address) => Ok(address),
        Err(_) => Ok(Lab::open(places, lab)?.host(host)?.address.into()),
    }
}

/// Joins this process's standard input and output to a connection, until the far end closes it.
///
/// # Errors
/// When either side breaks.
pub(crate) fn join(connection: &TcpStream) -> Result<()> {
    connection.set_nodelay(true)?;
    let mut input = File::from(std::io::stdin().as_fd().try_clone_to_owned()?);
    let mut output = File::from(std::io::stdout().as_fd().try_clone_to_owned()?);
    let mut sending = connection.try_clone()?;
    // Not joined: when the far end is done this process ends, also in the middle of a read from standard input.
    std::thread::spawn(move || {
        let _ = pass(&mut input, &mut sending);
        let _ = sending.shutdown(Shutdown::Write);
    });
    let mut receiving = connection.try_clone()?;
    Ok(pass(&mut receiving, &mut output)?)
}

/// Passes each piece on as soon as it is there. Not `std::io::copy`: that splices, and the kernel then holds small
/// pieces back in the hope of more, for which an interactive protocol waits in vain.
fn pass(from: &mut impl Read, to: &mut impl Write) -> std::io::Result<()> {
    let mut buffer = vec![0; 256 * 1024];
    loop {
        match from.read(&mut buffer) {
            Ok(0) => return Ok(()),
            Ok(length) => to.write_all(&buffer[..length])?,
            Err(error) if error.kind() == std::io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
}
