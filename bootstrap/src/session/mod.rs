//! A conversation with the agent of one host.
//!
//! One stream carries all requests, which may overlap; each is answered through its own channel. When the stream is lost the
//! agent goes on, and so does the session: it connects again, is told what it missed, and asks once more for what was not
//! answered. Where that cannot be, every request ends with the same [`SessionError`], and a later session of the same run
//! takes over.

mod blob;
mod error;
mod link;
mod pipe;
mod reboot;
mod waiting;
mod wire;

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use garboard_protocol::event::{AdminCredentials, Body, Event, Welcome};
use garboard_protocol::mesh::{Answer, Heard, Listen, Listener, Probe};
use garboard_protocol::request::{Body as Ask, FactsQuery, Request};
use garboard_protocol::reset::{Keepsake, ResetOptions, ResetReport};
use garboard_protocol::step::Blob;
use garboard_protocol::{Facts, Frame, Observation, Owned, QueuedStep, StepId};
use tokio::sync::{Notify, Semaphore, mpsc};
use tokio_util::sync::{CancellationToken, DropGuard};

pub use error::SessionError;
pub use link::{Reconnect, Return};
pub use pipe::Pipe;
pub use reboot::NotBooted;

use crate::deploy::Deployed;
use crate::ssh::Connection;
use link::{Link, Speaker};
use reboot::Reboot;
use waiting::{Asked, Waiting, success};

/// Pipes at a time; sshd opens ten channels a connection unless it is told otherwise.
const MOST_PIPES: usize = 4;

/// A conversation with an agent; cheap to clone. The last clone dropped cuts the stream, which the agent outlives.
#[derive(Clone)]
pub struct Session {
    inner: Arc<Inner>,
}

struct Inner {
    login: String,
    welcome: Welcome,
    waiting: Arc<Waiting>,
    ids: AtomicU64,
    pipes: Arc<Semaphore>,
    replayed: Mutex<Option<mpsc::UnboundedReceiver<Event>>>,
    /// Sent over connections that are lost by now.
    sent_before: Arc<AtomicU64>,
    /// It is about to end: a link that is lost from now on stays lost.
    leaving: CancellationToken,
    /// Whether the host is about to boot anew.
    reboot: Reboot,
    /// Somebody wants another connection.
    renewal: Arc<Notify>,
    _keeper: DropGuard,
}

impl std::fmt::Debug for Session {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("Session").field("login", &self.inner.login).finish_non_exhaustive()
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
    /// How long the agent stays, once it has nothing left to do, when this machine is gone.
    pub linger: Duration,
}

impl Session {
    /// Introduces itself to a deployed agent. `deployed` came over `connection`. With `back`, a lost connection is followed
    /// by another one.
    pub async fn open(
        connection: Arc<dyn Connection>,
        deployed: Deployed,
        introduction: Introduction,
        back: Option<Return>,
    ) -> Result<Self, SessionError> {
        let (replay, replayed) = mpsc::unbounded_channel();
        let waiting = Arc::new(Waiting::new(replay));
        let first = first_id();
        let reboot = Reboot::default();
        let renewal = Arc::new(Notify::new());
        let speaker = Speaker {
            waiting: Arc::clone(&waiting),
            introduction,
            id: first,
            reboot: reboot.clone(),
            renewal: Arc::clone(&renewal),
        };
        let linked = speaker.greet(connection, deployed, None).await?;
        let (over, leaving) = (CancellationToken::new(), CancellationToken::new());
        let sent_before = Arc::new(AtomicU64::new(0));
        let inner = Inner {
            login: linked.link.connection.login().to_owned(),
            welcome: linked.welcome.clone(),
            waiting: Arc::clone(&waiting),
            ids: AtomicU64::new(first + 1),
            pipes: Arc::new(Semaphore::new(MOST_PIPES)),
            replayed: Mutex::new(Some(replayed)),
            sent_before: Arc::clone(&sent_before),
            leaving: leaving.clone(),
            reboot,
            renewal,
            _keeper: over.clone().drop_guard(),
        };
        let counted = move |link: &Link| {
            sent_before.fetch_add(link.connection.bytes_sent(), Ordering::Relaxed);
        };
        tokio::spawn(async move {
            tokio::select! {
                () = over.cancelled() => {}
                () = speaker.keep(linked, back, leaving, counted) => {}
            }
        });
        Ok(Self { inner: Arc::new(inner) })
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
    pub fn queue(&self, steps: Vec<QueuedStep>) -> Result<Progress, SessionError> {
        Ok(Progress { events: self.inner.send(Ask::Queue { steps }, Asked::OfAny)? })
    }

    /// Like [`Session::queue`], for a step that takes the executor away. It is asked once: where the answer is lost with the
    /// executor this ends with [`SessionError::Anew`], and the next one does not hear of it.
    pub fn queue_once(&self, steps: Vec<QueuedStep>) -> Result<Progress, SessionError> {
        Ok(Progress { events: self.inner.send(Ask::Queue { steps }, Asked::OfThis)? })
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

    /// Lets the running step finish and drops the queue, whose [`Progress`] then ends. Nobody waits any more for a host that
    /// is lost: it finishes what it has.
    pub async fn cancel(&self) -> Result<(), SessionError> {
        self.inner.leaving.cancel();
        self.inner.ask(Ask::Cancel).await.map(drop)
    }

    /// Confirms what a step has changed, over a connection that is opened now: the one that is there proves nothing, because packet
    /// filters let through what is established. Comes back with an error where the host takes the change back.
    pub async fn confirm(&self, id: StepId) -> Result<(), SessionError> {
        let before = self.waiting().link().await?;
        self.inner.renewal.notify_one();
        self.waiting().gone(&before).await;
        self.waiting().link().await?;
        self.inner.ask(Ask::Confirm { id }).await.map(drop)
    }

    /// The orderly end: the agent leaves.
    pub async fn end(&self) -> Result<(), SessionError> {
        self.inner.leaving.cancel();
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

    /// Bytes sent to the host over all its connections, encryption included.
    pub fn bytes_sent(&self) -> u64 {
        let now = self.inner.waiting.link_now().map_or(0, |link| link.connection.bytes_sent());
        self.inner.sent_before.load(Ordering::Relaxed) + now
    }

    /// The link of this moment; what fails with it may be tried again once there is another one.
    pub fn moment(&self) -> Moment {
        Moment(self.inner.waiting.link_now())
    }

    /// Waits until there is a link again if the one of `moment` is lost. `false`: it is not, so that what failed did not
    /// fail because of it.
    pub async fn outlasted(&self, moment: &Moment) -> Result<bool, SessionError> {
        let now = self.inner.waiting.link().await?;
        Ok(!moment.0.as_ref().is_some_and(|then| Arc::ptr_eq(then, &now)))
    }

    fn waiting(&self) -> &Waiting {
        &self.inner.waiting
    }

    fn pipes(&self) -> &Arc<Semaphore> {
        &self.inner.pipes
    }
}

/// A moment in a session's life; see [`Session::moment`].
pub struct Moment(Option<Arc<Link>>);

impl Drop for Inner {
    fn drop(&mut self) {
        // With the last link goes the connection, here and now: its end may take a program on this machine.
        self.waiting.end(SessionError::Silent);
    }
}

impl Inner {
    fn send(
        &self,
        body: Ask,
        asked: Asked,
    ) -> Result<mpsc::UnboundedReceiver<Result<Body, SessionError>>, SessionError> {
        let id = self.ids.fetch_add(1, Ordering::Relaxed);
        let frame = Frame::message(&Request { id, body })
            .map_err(|error| SessionError::Protocol { cause: error.to_string() })?;
        Ok(self.waiting.request(id, frame, asked))
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
        let mut events = self.send(body, Asked::OfAny)?;
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
