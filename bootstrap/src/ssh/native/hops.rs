//! Jump hosts: one connection to each, shared by all hosts behind it, so that many hosts stay within its `MaxStartups`.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use russh::ChannelOpenFailure;

use super::super::SshError;
use super::super::counted::Counters;
use super::super::user_config::Destination;
use super::Shared;
use super::connect::{ByteStream, Login, connect};

type Slot = Arc<tokio::sync::Mutex<Option<Result<Arc<Login>, Arc<SshError>>>>>;

/// The logins on jump hosts so far.
#[derive(Default)]
pub(super) struct Hops(Mutex<HashMap<Destination, Slot>>);

impl Hops {
    /// The login on a jump host. One that was refused stays refused: its many hosts would each try again.
    async fn login(&self, shared: &Shared, hop: &Destination) -> Result<Arc<Login>, Arc<SshError>> {
        let slot = {
            let mut slots = self.0.lock().unwrap_or_else(PoisonError::into_inner);
            Arc::clone(slots.entry(hop.clone()).or_default())
        };
        // The first one connects, the others wait for it.
        let mut slot = slot.lock().await;
        match slot.as_ref() {
            Some(Ok(login)) if !login.is_closed() => return Ok(Arc::clone(login)),
            Some(Err(error)) => return Err(Arc::clone(error)),
            _ => {}
        }
        let connected = Box::pin(connect(shared, hop, &Counters::default())).await;
        let connected = connected.map(Arc::new).map_err(Arc::new);
        *slot = Some(connected.clone());
        connected
    }
}

/// A byte stream from a jump host to the sshd of `destination`, and the login it hangs on.
pub(super) async fn through(
    shared: &Shared,
    hop: &Destination,
    destination: &Destination,
) -> Result<(Box<dyn ByteStream>, Arc<Login>), SshError> {
    let jump = |source| SshError::Jump { hop: hop.address.clone(), source };
    let login = shared.hops.login(shared, hop).await.map_err(jump)?;
    let (host, port) = (destination.host.clone(), destination.port);
    // Nothing of ours listens anywhere that the other side could ask back.
    let opened = login.handle.channel_open_direct_tcpip(&host, port.into(), "127.0.0.1", 0).await;
    match opened {
        Ok(channel) => Ok((Box::new(channel.into_stream()), login)),
        Err(error) => {
            let cause = login.gone.why().unwrap_or_else(|| error.to_string());
            let refused = matches!(
                error,
                russh::Error::ChannelOpenFailure(ChannelOpenFailure::AdministrativelyProhibited)
            );
            Err(SshError::Forward { hop: hop.address.clone(), address: host, port, cause, refused })
        }
    }
}
