//! From a destination to a login.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use russh::client::{self, DisconnectReason, Handle};
use russh::keys::{Algorithm, PublicKeyOrCertificate};
use russh::{Disconnect, SshId};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;

use super::super::counted::{Counted, Counters};
use super::super::cuttable::Cuttable;
use super::super::proxy_command::Proxy;
use super::super::user_config::Destination;
use super::super::{Connection, SshError, Stream};
use super::NativeOptions;
use super::authenticate::authenticate;
use super::channel;
use super::host_key::{Pin, preferred};
use super::identity;

/// For the way there and the exchange of keys.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);
/// For the login; an SSH agent may ask its user first.
const LOGIN_TIMEOUT: Duration = Duration::from_mins(1);
/// Bytes a host may send unasked: a fast network is not held up by the way there and back.
const WINDOW_BYTES: u32 = 16 * 1024 * 1024;
/// Largest packet we take; the protocol's own length field ends near here.
const PACKET_BYTES: u32 = 65_535;

/// Why the connection went away, once it has.
#[derive(Debug, Clone, Default)]
pub(super) struct Gone(Arc<Mutex<Option<String>>>);

impl Gone {
    pub(super) fn why(&self) -> Option<String> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn because(&self, why: String) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).get_or_insert(why);
    }
}

/// What can go wrong inside the SSH library's callbacks.
#[derive(Debug)]
pub(super) enum Fault {
    HostKey(SshError),
    Library(russh::Error),
}

impl From<russh::Error> for Fault {
    fn from(error: russh::Error) -> Self {
        Self::Library(error)
    }
}

/// The SSH library's questions.
pub(super) struct Answers {
    pin: Arc<Pin>,
    address: String,
    gone: Gone,
}

impl client::Handler for Answers {
    type Error = Fault;

    async fn check_server_key(&mut self, shown: &PublicKeyOrCertificate) -> Result<bool, Fault> {
        match shown {
            PublicKeyOrCertificate::PublicKey { key, .. } => {
                self.pin.judge(&self.address, key).map_err(Fault::HostKey)?;
                Ok(true)
            }
            // Not asked for.
            PublicKeyOrCertificate::Certificate(_) => Ok(false),
        }
    }

    async fn disconnected(&mut self, reason: DisconnectReason<Fault>) -> Result<(), Fault> {
        match reason {
            DisconnectReason::ReceivedDisconnect(info) => {
                self.gone.because(format!("sshd said goodbye: {}", info.message.trim()));
                Ok(())
            }
            DisconnectReason::Error(fault) => {
                if let Fault::Library(error) = &fault {
                    self.gone.because(error.to_string());
                }
                Err(fault)
            }
        }
    }
}

/// A login over SSH.
pub(super) struct NativeConnection {
    handle: Handle<Answers>,
    login: String,
    counters: Counters,
    gone: Gone,
}

/// Connects, checks the host's key, logs in.
pub(super) async fn connect(
    options: &NativeOptions,
    destination: &Destination,
) -> Result<NativeConnection, SshError> {
    // Before the first packet: a file that cannot be read must not cost a connection.
    let pin = Arc::new(Pin::of(destination, options)?);
    let identities = identity::gather(options, destination).await?;
    let (mut handle, gone, counters) = exchange_keys(destination, &pin).await?;
    let login = format!("{}@{}", destination.user, destination.address);
    timeout(LOGIN_TIMEOUT, authenticate(&mut handle, destination, identities, &gone))
        .await
        .map_err(|_| timed_out(destination, LOGIN_TIMEOUT, String::new()))??;
    Ok(NativeConnection { handle, login, counters, gone })
}

/// Tries the host's keys one kind after the other while the pinned fingerprint has not shown up.
async fn exchange_keys(
    destination: &Destination,
    pin: &Arc<Pin>,
) -> Result<(Handle<Answers>, Gone, Counters), SshError> {
    let mut first_mismatch = None;
    for algorithms in pin.tries() {
        match begin(destination, pin, algorithms).await {
            Ok(begun) => return Ok(begun),
            Err(mismatch @ SshError::ChangedHostKey { .. }) => {
                first_mismatch.get_or_insert(mismatch);
            }
            // The host has no key of that kind.
            Err(error) => return Err(first_mismatch.unwrap_or(error)),
        }
    }
    Err(first_mismatch
        .unwrap_or_else(|| conversation(destination, "no host key was shown".to_owned(), String::new())))
}

async fn begin(
    destination: &Destination,
    pin: &Arc<Pin>,
    algorithms: Vec<Algorithm>,
) -> Result<(Handle<Answers>, Gone, Counters), SshError> {
    let (stream, said) = match &destination.proxy_command {
        None => (dial(destination).await?, None),
        Some(command) => {
            let started = Proxy::start(command);
            let (proxy, said) =
                started.map_err(|source| SshError::Proxy { command: command.clone(), source })?;
            (Box::new(proxy) as Box<dyn ByteStream>, Some(said))
        }
    };
    let counters = Counters::default();
    let gone = Gone::default();
    let answers = Answers { pin: pin.clone(), address: destination.address.clone(), gone: gone.clone() };
    // The SSH library talks in a task of its own, which must not go on with a connection that was given up.
    let cut = CancellationToken::new();
    let stream = Cuttable::new(Counted::new(stream, counters.clone()), cut.clone());
    let given_up = cut.drop_guard();
    let begun = timeout(CONNECT_TIMEOUT, client::connect_stream(config(algorithms), stream, answers)).await;
    match begun {
        Ok(Ok(handle)) => {
            given_up.disarm();
            return Ok((handle, gone, counters));
        }
        Ok(Err(Fault::HostKey(error))) => return Err(error),
        _ => drop(given_up),
    }
    let said = match said {
        Some(said) => said.text().await,
        None => String::new(),
    };
    Err(match begun {
        Ok(Err(Fault::Library(error))) => {
            conversation(destination, gone.why().unwrap_or_else(|| error.to_string()), said)
        }
        _ => timed_out(destination, CONNECT_TIMEOUT, said),
    })
}

trait ByteStream: AsyncRead + AsyncWrite + Send + Unpin {}

impl<S: AsyncRead + AsyncWrite + Send + Unpin> ByteStream for S {}

/// To whichever of the host's addresses answers first.
async fn dial(destination: &Destination) -> Result<Box<dyn ByteStream>, SshError> {
    let (host, port) = (destination.host.as_str(), destination.port);
    let resolve = |source| SshError::Resolve { address: host.to_owned(), source };
    let attempt = async {
        let addresses: Vec<_> = tokio::net::lookup_host((host, port)).await.map_err(resolve)?.collect();
        if addresses.is_empty() {
            return Err(resolve(std::io::Error::other("it has no address")));
        }
        let attempts = addresses.into_iter().map(|address| Box::pin(TcpStream::connect(address)));
        let connect = |source| SshError::Connect { address: host.to_owned(), port, source };
        let (stream, _) = futures::future::select_ok(attempts).await.map_err(connect)?;
        stream.set_nodelay(true).map_err(connect)?;
        Ok(Box::new(stream) as Box<dyn ByteStream>)
    };
    timeout(CONNECT_TIMEOUT, attempt)
        .await
        .map_err(|_| timed_out(destination, CONNECT_TIMEOUT, String::new()))?
}

fn config(algorithms: Vec<Algorithm>) -> Arc<client::Config> {
    Arc::new(client::Config {
        client_id: SshId::Standard(concat!("SSH-2.0-garboard_", env!("CARGO_PKG_VERSION")).into()),
        window_size: WINDOW_BYTES,
        maximum_packet_size: PACKET_BYTES,
        preferred: preferred(algorithms),
        // A long silent step must not drop the session: only unanswered keepalives do.
        inactivity_timeout: None,
        keepalive_interval: Some(Duration::from_secs(5)),
        keepalive_max: 3,
        nodelay: true,
        ..client::Config::default()
    })
}

fn timed_out(destination: &Destination, limit: Duration, said: String) -> SshError {
    let (address, port) = (destination.host.clone(), destination.port);
    SshError::TimedOut { address, port, seconds: limit.as_secs(), said }
}

pub(super) fn conversation(destination: &Destination, cause: String, said: String) -> SshError {
    SshError::Conversation { address: destination.host.clone(), port: destination.port, cause, said }
}

#[async_trait]
impl Connection for NativeConnection {
    async fn open(&self, command: &str) -> Result<Stream, SshError> {
        let failed = |error: russh::Error| SshError::Channel {
            login: self.login.clone(),
            cause: self.gone.why().unwrap_or_else(|| error.to_string()),
        };
        let channel = self.handle.channel_open_session().await.map_err(failed)?;
        channel::exec(channel, command, self.gone.clone()).await.map_err(failed)
    }

    fn bytes_sent(&self) -> u64 {
        self.counters.sent()
    }

    fn bytes_received(&self) -> u64 {
        self.counters.received()
    }

    fn login(&self) -> &str {
        &self.login
    }

    async fn close(&self) {
        // An error only says that the other side was quicker.
        let _ = self.handle.disconnect(Disconnect::ByApplication, "", "en").await;
    }
}
