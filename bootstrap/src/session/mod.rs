//! A conversation with the agent of one host.
//!
//! One stream carries all requests, which may overlap; each is answered through its own channel. A lost stream ends
//! every request with the same [`SessionError`]; the agent goes on, and a later session of the same run takes it over.

mod blob;
mod error;
mod pipe;
mod waiting;
mod wire;

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use garboard_protocol::codec::Chunk;
use garboard_protocol::event::{AdminCredentials, Body, Event, Welcome};
use garboard_protocol::mesh::{Answer, Heard, Listen, Listener, Probe};
use garboard_protocol::request::{Body as Ask, FactsQuery, Hello, Request};
use garboard_protocol::reset::{Keepsake, ResetOptions, ResetReport};
use garboard_protocol::step::Blob;
use garboard_protocol::{Facts, Frame, Observation, Owned, QueuedStep, StepId};
use tokio::sync::{Semaphore, mpsc};
use tokio_util::sync::{CancellationToken, DropGuard};

pub use error::SessionError;
pub use pipe::Pipe;

use crate::deploy::{Deployed, Program};
use crate::ssh::Connection;
use waiting::{Waiting, success};

/// For the first answer: the host starts a unit, and may be a slow one under load.
const OPENING: Duration = Duration::from_secs(45);
/// Requests that wait to be written.
const WAITING_MESSAGES: usize = 64;
/// Chunks that wait to be written, of all blobs together: what bounds the memory.
const WAITING_CHUNKS: usize = 3;
/// Pipes at a time; sshd opens ten channels a connection unless it is told otherwise.
const MOST_PIPES: usize = 4;

/// A conversation with an agent; cheap to clone. The last clone dropped cuts the stream, which the agent outlives.
#[derive(Clone)]
pub struct Session {
    inner: Arc<Inner>,
}

struct Inner {
    connection: Arc<dyn Connection>,
    program: Program,
    welcome: Welcome,
    messages: mpsc::Sender<Frame>,
    chunks: mpsc::Sender<Chunk>,
    waiting: Arc<Waiting>,
    ids: AtomicU64,
    pipes: Arc<Semaphore>,
    replayed: Mutex<Option<mpsc::UnboundedReceiver<Event>>>,
    _tasks: DropGuard,
}

impl std::fmt::Debug for Session {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter
            .debug_struct("Session")
            .field("login", &self.inner.connection.login())
            .finish_non_exhaustive()
    }
}

/// The events of one queue, in order; the last one is the terminal one or an error.
#[derive(Debug)]
pub struct Progress {
    events: mpsc::UnboundedReceiver<Result<Body, SessionError>>,
}

impl Progress {
    /// The next event. `None` after the terminal one; a lost session is an error, then `None`.
    pub async fn next(&mut self) -> Option<Result<Body, SessionError>> {
        self.events.recv().await
    }
}

/// Who opens a session.
#[derive(Debug, Clone)]
pub struct Introduction {
    /// Name of the run.
    pub run: String,
    /// Who: `user@laptop`.
    pub owner: String,
    /// Number of the last event that an earlier session of this run has seen; later ones are replayed.
    pub seen: Option<u64>,
}

impl Session {
    /// Introduces itself to a deployed agent. `deployed` came over `connection`.
    pub async fn open(
        connection: Arc<dyn Connection>,
        deployed: Deployed,
        introduction: Introduction,
    ) -> Result<Self, SessionError> {
        let program = deployed.program().clone();
        let (sink, frames, heard, ending) = wire::frame(deployed.stream);
        let (messages, to_write) = mpsc::channel(WAITING_MESSAGES);
        let (chunks, chunks_to_write) = mpsc::channel(WAITING_CHUNKS);
        let (replay, replayed) = mpsc::unbounded_channel();
        let waiting = Arc::new(Waiting::new(replay));
        let over = CancellationToken::new();
        let write = wire::write(sink, to_write, chunks_to_write, waiting.clone(), ending.clone());
        let read = wire::read(frames, heard, waiting.clone(), ending, OPENING);
        tokio::spawn(until(over.clone(), write));
        tokio::spawn(until(over.clone(), read));
        let agent = deployed.agent;
        let mut session = Inner {
            connection,
            program,
            welcome: Welcome { agent, running: None },
            messages,
            chunks,
            waiting,
            ids: AtomicU64::new(first_id()),
            pipes: Arc::new(Semaphore::new(MOST_PIPES)),
            replayed: Mutex::new(Some(replayed)),
            _tasks: over.drop_guard(),
        };
        let Introduction { run, owner, seen } = introduction;
        let answer = session.ask(Ask::Hello(Hello { run, owner, agent, seen })).await?;
        let Body::Welcome(welcome) = answer else { return Err(unexpected(&answer)) };
        if welcome.agent != agent {
            return Err(SessionError::WrongAgent { expected: agent, found: welcome.agent });
        }
        session.welcome = welcome;
        Ok(Self { inner: Arc::new(session) })
    }

    /// How the agent introduced itself.
    pub fn welcome(&self) -> &Welcome {
        &self.inner.welcome
    }

    /// Observes the host.
    pub async fn facts(&self, query: FactsQuery) -> Result<Facts, SessionError> {
        match self.inner.ask(Ask::Facts(query)).await? {
            Body::Facts(facts) => Ok(*facts),
            other => Err(unexpected(&other)),
        }
    }

    /// Probes steps, writing nothing; the answers come in any order.
    pub async fn probe(&self, steps: Vec<QueuedStep>) -> Result<Vec<(StepId, Observation)>, SessionError> {
        let mut probed = Vec::with_capacity(steps.len());
        let mut note = |body| match body {
            Body::Probed { id, observation } => probed.push((id, observation)),
            other => tracing::debug!(?other, "not an answer to a probe"),
        };
        self.inner.ask_and(Ask::Probe { steps }, &mut note).await?;
        Ok(probed)
    }

    /// Tells what the installed software makes by itself.
    pub async fn owns(&self, owned: Vec<Owned>) -> Result<(), SessionError> {
        self.inner.ask(Ask::Owns { owned }).await.map(drop)
    }

    /// Appends steps to the queue.
    pub async fn queue(&self, steps: Vec<QueuedStep>) -> Result<Progress, SessionError> {
        Ok(Progress { events: self.inner.send(Ask::Queue { steps }).await? })
    }

    /// Announces blobs; how many bytes of each are there already (all of them: nothing to send).
    pub async fn blobs(&self, blobs: Vec<Blob>) -> Result<Vec<(Blob, u64)>, SessionError> {
        match self.inner.ask(Ask::Blobs { blobs }).await? {
            Body::Blobs { present } => Ok(present),
            other => Err(unexpected(&other)),
        }
    }

    /// The admin client certificate of a control plane.
    pub async fn admin(&self) -> Result<AdminCredentials, SessionError> {
        match self.inner.ask(Ask::Admin).await? {
            Body::Admin(credentials) => Ok(credentials),
            // Not by `unexpected`, whose text would hold what was got.
            _ => Err(SessionError::Protocol { cause: "no credentials came".to_owned() }),
        }
    }

    /// Gives the host back. `on_event` gets `Started`, `Finished` and the `Keepsake`.
    pub async fn reset(
        &self,
        options: ResetOptions,
        mut on_event: impl FnMut(Body) + Send,
    ) -> Result<ResetReport, SessionError> {
        match self.inner.ask_and(Ask::Reset(options), &mut on_event).await? {
            Body::Reset(report) => Ok(report),
            other => Err(unexpected(&other)),
        }
    }

    /// Compares the host with what was before us.
    pub async fn verify(&self, keepsake: Option<Keepsake>) -> Result<ResetReport, SessionError> {
        match self.inner.ask(Ask::Verify { keepsake }).await? {
            Body::Reset(report) => Ok(report),
            other => Err(unexpected(&other)),
        }
    }

    /// Opens ports for the mesh; what became of each, in their order.
    pub async fn mesh_listen(&self, listen: Listen) -> Result<Vec<Listener>, SessionError> {
        match self.inner.ask(Ask::MeshListen(listen)).await? {
            Body::MeshListening { listeners } => Ok(listeners),
            other => Err(unexpected(&other)),
        }
    }

    /// Probes ports of other hosts; the answers are in their order.
    pub async fn mesh_probe(&self, probe: Probe) -> Result<Vec<Answer>, SessionError> {
        match self.inner.ask(Ask::MeshProbe(probe)).await? {
            Body::MeshProbed { answers } => Ok(answers),
            other => Err(unexpected(&other)),
        }
    }

    /// Closes the mesh's ports. Who came, and who serves the ports that were not opened now.
    pub async fn mesh_close(&self) -> Result<(Vec<Heard>, Vec<Listener>), SessionError> {
        match self.inner.ask(Ask::MeshClose).await? {
            Body::MeshClosed { heard, served } => Ok((heard, served)),
            other => Err(unexpected(&other)),
        }
    }

    /// Lets the running step finish and drops the queue, whose [`Progress`] then ends.
    pub async fn cancel(&self) -> Result<(), SessionError> {
        self.inner.ask(Ask::Cancel).await.map(drop)
    }

    /// The orderly end: the agent leaves.
    pub async fn end(&self) -> Result<(), SessionError> {
        self.inner.ask(Ask::End).await.map(drop)
    }

    /// Number of the last kept event that has arrived, for a later session of the same run.
    pub fn seen(&self) -> Option<u64> {
        self.inner.waiting.seen()
    }

    /// Events of what an earlier session of this run had queued; given out once.
    pub fn replayed(&self) -> Option<mpsc::UnboundedReceiver<Event>> {
        self.inner.replayed.lock().unwrap_or_else(PoisonError::into_inner).take()
    }

    /// Bytes sent to the host over the whole connection, encryption included.
    pub fn bytes_sent(&self) -> u64 {
        self.inner.connection.bytes_sent()
    }

    fn connection(&self) -> &dyn Connection {
        self.inner.connection.as_ref()
    }

    fn waiting(&self) -> &Waiting {
        &self.inner.waiting
    }

    fn pipes(&self) -> &Arc<Semaphore> {
        &self.inner.pipes
    }

    fn program(&self) -> &Program {
        &self.inner.program
    }

    async fn send_chunk(&self, chunk: Chunk) -> Result<(), SessionError> {
        // Without a reader the chunks have nowhere to go.
        if self.inner.chunks.send(chunk).await.is_err() {
            return Err(self.inner.waiting.end_of_all().await);
        }
        Ok(())
    }
}

impl Inner {
    async fn send(
        &self,
        body: Ask,
    ) -> Result<mpsc::UnboundedReceiver<Result<Body, SessionError>>, SessionError> {
        let id = self.ids.fetch_add(1, Ordering::Relaxed);
        let frame = Frame::message(&Request { id, body })
            .map_err(|error| SessionError::Protocol { cause: error.to_string() })?;
        let events = self.waiting.request(id);
        if self.messages.send(frame).await.is_err() {
            return Err(self.waiting.end_of_all().await);
        }
        Ok(events)
    }

    async fn ask(&self, body: Ask) -> Result<Body, SessionError> {
        let mut ignore = |body: Body| tracing::debug!(?body, "an event nobody asked for");
        self.ask_and(body, &mut ignore).await
    }

    /// The terminal event; those before it go to `on_event`.
    async fn ask_and(
        &self,
        body: Ask,
        on_event: &mut (dyn FnMut(Body) + Send),
    ) -> Result<Body, SessionError> {
        let mut events = self.send(body).await?;
        while let Some(event) = events.recv().await {
            let event = event?;
            if event.is_terminal() {
                return success(event);
            }
            on_event(event);
        }
        Err(self.waiting.end_of_all().await)
    }
}

/// Runs a task until the session is over, which it is as soon as one of its tasks is: the other one must not wait for
/// a dead peer.
async fn until(over: CancellationToken, task: impl Future<Output = ()>) {
    tokio::select! {
        () = over.cancelled() => {}
        () = task => over.cancel(),
    }
}

/// Replayed events carry the ids of an earlier session: the ids of this one must be others.
fn first_id() -> u64 {
    // Without randomness the clock has to do.
    let random = getrandom::u32().unwrap_or_else(|_| {
        let since = std::time::UNIX_EPOCH.elapsed().unwrap_or_default();
        since.subsec_nanos()
    });
    (u64::from(random) << 20) | 1
}

fn unexpected(body: &Body) -> SessionError {
    let text = format!("{body:?}");
    let kind = text.split(|character: char| !character.is_alphanumeric()).next().unwrap_or_default();
    SessionError::Protocol { cause: format!("an unexpected `{kind}` came") }
}
