//! From a destination to a login.

use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::time::Duration;

use russh::client::{self, DisconnectReason, Handle};
use russh::keys::{Algorithm, PublicKeyOrCertificate};
use russh::{AlgorithmKind, SshId};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;

use super::super::confirmation::{Confirmation, Stranger};
use super::super::counted::{Counted, Counters};
use super::super::cuttable::Cuttable;
use super::super::proxy_command::Proxy;
use super::super::user_config::Destination;
use super::super::{OfferedKey, SshError};
use super::authenticate::{Outcome, Tried, authenticate};
use super::host_key::{Judge, Pin, preferred};
use super::known_hosts::{fingerprint, key_of, names};
use super::{Shared, hops, identity};

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
    judge: Judge,
    address: String,
    gone: Gone,
    shown: Arc<OnceLock<String>>,
}

/// The host key to ask for, and who judges what is shown.
pub(super) struct Asked {
    /// Kinds of keys.
    pub(super) algorithms: Vec<Algorithm>,
    /// Kinds of certificates, which come first.
    pub(super) certificates: Vec<Algorithm>,
    pub(super) judge: Judge,
}

impl client::Handler for Answers {
    type Error = Fault;

    async fn check_server_key(&mut self, shown: &PublicKeyOrCertificate) -> Result<bool, Fault> {
        self.judge.judge(&self.address, shown).map_err(Fault::HostKey)?;
        let _ = self.shown.set(fingerprint(&key_of(shown)));
        Ok(true)
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
pub(super) struct Login {
    pub(super) handle: Handle<Answers>,
    pub(super) gone: Gone,
    /// `SHA256:…` of the host's key, which is right.
    shown: Arc<OnceLock<String>>,
    /// The login on the jump host that this one goes through; ends after it.
    _via: Option<Arc<Login>>,
}

impl Login {
    pub(super) fn is_closed(&self) -> bool {
        self.handle.is_closed()
    }

    /// `SHA256:…` of the key that the host has shown.
    pub(super) fn host_key(&self) -> Option<&str> {
        self.shown.get().map(String::as_str)
    }
}

/// Connects, checks the host's key, logs in. Bytes are added to `counters`.
pub(super) async fn connect(
    shared: &Shared,
    destination: &Destination,
    counters: &Counters,
) -> Result<Login, SshError> {
    // Before the first packet: a file that cannot be read must not cost a connection.
    let mut pin = Arc::new(Pin::of(destination, shared.options.files())?);
    let mut identities = identity::gather(shared, destination).await?;
    let mut tried = Tried::default();
    let mut asked = false;
    loop {
        let mut login = match exchange_keys(shared, destination, &pin, counters).await {
            Err(SshError::UnknownHostKey { key, address }) => match &shared.options.confirmation {
                Some(confirmation) if !asked => {
                    asked = true;
                    confirm(confirmation, shared, destination, &key).await?;
                    pin = Arc::new(Pin::of(destination, shared.options.files())?);
                    continue;
                }
                _ => return Err(SshError::UnknownHostKey { key, address }),
            },
            exchanged => exchanged?,
        };
        let gone = login.gone.clone();
        let logged_in = authenticate(&mut login.handle, destination, &mut identities, &mut tried, &gone);
        let outcome = timeout(LOGIN_TIMEOUT, logged_in)
            .await
            .map_err(|_| timed_out(destination, LOGIN_TIMEOUT, String::new()))??;
        match outcome {
            Outcome::LoggedIn => return Ok(login),
            // Each connection takes at least one key off the list.
            Outcome::CutOff => tracing::debug!("sshd wants a new connection for further keys"),
        }
    }
}

/// Has a person decide about a key that nobody knows. No connection waits meanwhile.
async fn confirm(
    confirmation: &Confirmation,
    shared: &Shared,
    destination: &Destination,
    key: &OfferedKey,
) -> Result<(), SshError> {
    let names = names(destination);
    let place = format!("{} port {}", destination.host, destination.port);
    let stranger = Stranger { address: &destination.address, place, names: &names, key };
    let is_known = || Pin::of(destination, shared.options.files()).map(|pin| pin.is_known());
    confirmation.settle(&stranger, is_known).await
}

/// Tries the host's keys one kind after the other while the pinned fingerprint has not shown up.
async fn exchange_keys(
    shared: &Shared,
    destination: &Destination,
    pin: &Arc<Pin>,
    counters: &Counters,
) -> Result<Login, SshError> {
    let mut first_mismatch = None;
    for algorithms in pin.tries() {
        let (certificates, judge) = (pin.certificates(), Judge::Pin(Arc::clone(pin)));
        let asked = Asked { algorithms, certificates, judge };
        match begin(shared, destination, asked, counters).await {
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

/// The way there and the exchange of keys; nobody is logged in yet.
pub(super) async fn begin(
    shared: &Shared,
    destination: &Destination,
    asked: Asked,
    counters: &Counters,
) -> Result<Login, SshError> {
    let (mut said, mut via) = (None, None);
    let stream = match (&destination.proxy_command, &destination.via) {
        (Some(command), _) => {
            let started = Proxy::start(command);
            let (proxy, words) =
                started.map_err(|source| SshError::Proxy { command: command.clone(), source })?;
            said = Some(words);
            Box::new(proxy) as Box<dyn ByteStream>
        }
        (None, Some(hop)) => {
            let (stream, login) = hops::through(shared, hop, destination).await?;
            via = Some(login);
            stream
        }
        (None, None) => dial(destination).await?,
    };
    let gone = Gone::default();
    let shown = Arc::<OnceLock<String>>::default();
    let answers = Answers {
        judge: asked.judge,
        address: destination.address.clone(),
        gone: gone.clone(),
        shown: Arc::clone(&shown),
    };
    // The SSH library talks in a task of its own, which must not go on with a connection that was given up.
    let cut = CancellationToken::new();
    let stream = Cuttable::new(Counted::new(stream, counters.clone()), cut.clone());
    let given_up = cut.drop_guard();
    let config = config(asked.algorithms, asked.certificates);
    let begun = timeout(CONNECT_TIMEOUT, client::connect_stream(config, stream, answers)).await;
    match begun {
        Ok(Ok(handle)) => {
            given_up.disarm();
            return Ok(Login { handle, gone, shown, _via: via });
        }
        Ok(Err(Fault::HostKey(error))) => return Err(error),
        Ok(Err(Fault::Library(russh::Error::NoCommonAlgo { kind: AlgorithmKind::Key, theirs, .. }))) => {
            return Err(SshError::NoHostKey { address: destination.address.clone(), kinds: theirs });
        }
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

/// Bytes both ways.
pub(super) trait ByteStream: AsyncRead + AsyncWrite + Send + Unpin {}

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

fn config(algorithms: Vec<Algorithm>, certificates: Vec<Algorithm>) -> Arc<client::Config> {
    Arc::new(client::Config {
        client_id: SshId::Standard(concat!("SSH-2.0-garboard_", env!("CARGO_PKG_VERSION")).into()),
        window_size: WINDOW_BYTES,
        maximum_packet_size: PACKET_BYTES,
        preferred: preferred(algorithms, certificates),
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
