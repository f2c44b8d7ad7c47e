//! One link to the agent: a connection, a stream over it, and its greeting. A session outlasts it: a link that is lost is
//! followed by another one to the same executor, over which goes on what had begun.

use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use garboard_protocol::codec::Chunk;
use garboard_protocol::event::{Body, Welcome};
use garboard_protocol::request::{Body as Ask, Hello, Request};
use garboard_protocol::{Digest, Frame};
use tokio::sync::{Notify, mpsc};
use tokio::time::{Instant, sleep, timeout, timeout_at};
use tokio_util::sync::CancellationToken;

use super::reboot::Reboot;
use super::waiting::{Waiting, success};
use super::{Introduction, SessionError, unexpected, wire};
use crate::deploy::{Deployed, Program};
use crate::problem::{Exit, Problem};
use crate::ssh::Connection;

/// For the first answer: the host starts a unit, and may be a slow one under load.
const OPENING: Duration = Duration::from_secs(45);
/// Chunks that wait to be written, of all blobs together: what bounds the memory.
const WAITING_CHUNKS: usize = 3;
/// Between two attempts to get a lost host back: nothing tells when its network is there again.
const PAUSE: Duration = Duration::from_secs(1);
/// For one attempt to reach a host that boots: a login, the agent sent anew over a slow line, its start.
const ATTEMPT: Duration = Duration::from_secs(90);
/// For a host that lets nobody in to take back what it was changed to, and to be reached again.
const TAKEN_BACK: Duration = Duration::from_secs(90);
/// For a connection that is given up to say goodbye.
const GOODBYE: Duration = Duration::from_secs(2);

/// Connects once more to the host of a session.
#[async_trait]
pub trait Reconnect: Send + Sync {
    /// A new connection and the agent at its end. An exit code above [`Exit::Failed`] says that trying again is no use.
    async fn connect(&self) -> Result<(Arc<dyn Connection>, Deployed), Problem>;

    /// The link is lost; it is tried again for so long.
    fn lost(&self, why: &SessionError, patience: Duration);

    /// It is there again.
    fn back(&self, away: Duration);
}

/// How a session gets a lost host back.
#[derive(Clone)]
pub struct Return {
    /// The way there.
    pub reconnect: Arc<dyn Reconnect>,
    /// How long it is tried.
    pub patience: Duration,
}

/// A stream to the agent that has been greeted.
pub(super) struct Link {
    pub(super) connection: Arc<dyn Connection>,
    pub(super) program: Program,
    messages: mpsc::UnboundedSender<Frame>,
    pub(super) chunks: mpsc::Sender<Chunk>,
}

impl Link {
    /// A link that is gone is noticed by its reader.
    pub(super) fn send(&self, frame: Frame) {
        let _ = self.messages.send(frame);
    }
}

/// Both directions of a link at work; ends with the reason why they are not any more.
type Talk = Pin<Box<dyn Future<Output = SessionError> + Send>>;

/// A link and what the agent said.
pub(super) struct Linked {
    pub(super) link: Arc<Link>,
    pub(super) welcome: Welcome,
    talk: Talk,
}

/// Who speaks, and since when.
pub(super) struct Speaker {
    pub(super) waiting: Arc<Waiting>,
    pub(super) introduction: Introduction,
    /// Of the greetings, which no other request has.
    pub(super) id: u64,
    /// Whether the host is about to boot anew: then it is another executor that is looked for.
    pub(super) reboot: Reboot,
    /// Somebody wants another connection.
    pub(super) renewal: Arc<Notify>,
}

impl Speaker {
    /// Greets the agent at the end of a new connection.
    pub(super) async fn greet(
        &self,
        connection: Arc<dyn Connection>,
        deployed: Deployed,
        seen: Option<u64>,
    ) -> Result<Linked, SessionError> {
        let (agent, program) = (deployed.agent, deployed.program().clone());
        let (messages, to_write) = mpsc::unbounded_channel();
        let (chunks, chunks_to_write) = mpsc::channel(WAITING_CHUNKS);
        let mut talk: Talk = Box::pin(wire::converse(
            deployed.stream,
            to_write,
            chunks_to_write,
            Arc::clone(&self.waiting),
            OPENING,
        ));
        let link = Link { connection, program, messages, chunks };
        let frame = self.hello(agent, seen)?;
        let mut answers = self.waiting.greeting(self.id, frame.clone());
        link.send(frame);
        let answer = tokio::select! {
            biased;
            // A refusal and the end come together.
            why = &mut talk => match answers.try_recv() {
                Ok(Ok(Body::Welcome(welcome))) if welcome.agent == agent => Err(why),
                Ok(answer) => answer,
                Err(_) => Err(why),
            },
            answer = answers.recv() => answer.unwrap_or(Err(SessionError::Silent)),
        };
        self.waiting.forget(self.id);
        match success(answer?)? {
            Body::Welcome(welcome) if welcome.agent == agent => {
                Ok(Linked { link: Arc::new(link), welcome, talk })
            }
            Body::Welcome(welcome) => Err(SessionError::WrongAgent { expected: agent, found: welcome.agent }),
            other => Err(unexpected(&other)),
        }
    }

    fn hello(&self, agent: Digest, seen: Option<u64>) -> Result<Frame, SessionError> {
        let Introduction { run, owner, linger } = self.introduction.clone();
        let hello = Hello { run, owner, agent, seen, linger_seconds: linger.as_secs() };
        Frame::message(&Request { id: self.id, body: Ask::Hello(hello) })
            .map_err(|error| SessionError::Protocol { cause: error.to_string() })
    }

    /// Keeps the session linked until it cannot be any more, or is `leaving`: then a lost link is the end.
    pub(super) async fn keep(
        self,
        mut linked: Linked,
        back: Option<Return>,
        leaving: CancellationToken,
        mut gone: impl FnMut(&Link) + Send,
    ) {
        let mut executor = linked.welcome.executor.clone();
        loop {
            // The connection is the session's, and goes with it: it is not held here.
            let Linked { link, mut talk, .. } = linked;
            self.waiting.linked(link);
            let why = tokio::select! {
                why = &mut talk => why,
                () = self.renewal.notified(), if back.is_some() && !leaving.is_cancelled() => SessionError::Renewed,
            };
            let is_wanted = matches!(why, SessionError::Renewed);
            let again = back.as_ref().filter(|_| why.is_loss() && !leaving.is_cancelled());
            let Some(back) = again else { return self.waiting.end(why) };
            let lost = self.waiting.parted(&why);
            let since = Instant::now();
            let reboot = self.reboot.until();
            let is_told = reboot.is_none() && !is_wanted;
            if is_told {
                back.reconnect.lost(&why, back.patience);
            }
            // What else went over the connection must not hang for ever.
            if let Some(lost) = lost {
                gone(&lost);
                tokio::spawn(async move { timeout(GOODBYE, lost.connection.close()).await });
            }
            let patience = if is_wanted { back.patience.max(TAKEN_BACK) } else { back.patience };
            let found = tokio::select! {
                found = self.find(back, &executor, reboot, patience) => found,
                () = leaving.cancelled() => return self.waiting.end(why),
            };
            linked = match found {
                Ok(found) => found,
                Err(NotBack::Anew) => return self.waiting.end(SessionError::Anew { first: Box::new(why) }),
                Err(NotBack::Unreached(outcome)) => {
                    return self.waiting.end(SessionError::Lost { first: Box::new(why), outcome });
                }
            };
            if linked.welcome.executor != executor {
                executor.clone_from(&linked.welcome.executor);
                self.waiting.begin_anew(&SessionError::Anew { first: Box::new(why) });
            }
            if is_told {
                back.reconnect.back(since.elapsed());
            }
        }
    }

    /// Tries to get back to the executor; with `reboot`, until then, to whichever is there.
    async fn find(
        &self,
        back: &Return,
        executor: &str,
        reboot: Option<Instant>,
        patience: Duration,
    ) -> Result<Linked, NotBack> {
        let begun = Instant::now();
        let deadline = reboot.unwrap_or(begun + patience);
        let mut last = None;
        loop {
            // What answers in the middle of going down, or of coming up, may never say another word.
            let end = if reboot.is_some() { deadline.min(Instant::now() + ATTEMPT) } else { deadline };
            match timeout_at(end, self.attempt(back)).await {
                Ok(Ok(linked)) if linked.welcome.executor == executor || reboot.is_some() => {
                    return Ok(linked);
                }
                Ok(Ok(linked)) => {
                    self.dismiss(linked).await;
                    return Err(NotBack::Anew);
                }
                // A host that is not all there yet turns away those whom it will let in.
                Ok(Err(Attempt::Hopeless(why))) if reboot.is_none() => {
                    return Err(NotBack::Unreached(format!("it came back, but {why}")));
                }
                Ok(Err(Attempt::Hopeless(why) | Attempt::Failed(why))) => last = Some(why),
                Err(_) => {}
            }
            if Instant::now() + PAUSE >= deadline {
                let seconds = deadline.saturating_duration_since(begun).as_secs();
                let last = last.map(|last| format!(": {last}")).unwrap_or_default();
                let outcome = format!("it could not be reached again within {seconds} s{last}");
                return Err(NotBack::Unreached(outcome));
            }
            sleep(PAUSE).await;
        }
    }

    async fn attempt(&self, back: &Return) -> Result<Linked, Attempt> {
        let (connection, deployed) = back.reconnect.connect().await.map_err(|problem| {
            if problem.exit > Exit::Failed {
                Attempt::Hopeless(problem.message)
            } else {
                Attempt::Failed(problem.message)
            }
        })?;
        let seen = self.waiting.seen().unwrap_or(0);
        self.greet(connection, deployed, Some(seen)).await.map_err(|error| {
            if error.is_loss() {
                Attempt::Failed(error.to_string())
            } else {
                Attempt::Hopeless(error.to_string())
            }
        })
    }

    /// An executor that knows nothing of us was started by our own knocking: it leaves again.
    async fn dismiss(&self, linked: Linked) {
        let Linked { link, talk, .. } = linked;
        if let Ok(frame) = Frame::message(&Request { id: self.id, body: Ask::End }) {
            let mut answers = self.waiting.greeting(self.id, frame.clone());
            link.send(frame);
            tokio::select! {
                _ = talk => {}
                _ = timeout(OPENING, answers.recv()) => {}
            }
            self.waiting.forget(self.id);
        }
    }
}

/// Why an attempt failed.
enum Attempt {
    /// The next one may not.
    Failed(String),
    /// The next one will as well.
    Hopeless(String),
}

/// Why a session ends with its link.
enum NotBack {
    /// Another executor is there, which knows nothing of what was queued.
    Anew,
    /// For a person.
    Unreached(String),
}
