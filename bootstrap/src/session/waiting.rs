//! Who waits for what: requests for their events, blobs for their verdict.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use garboard_protocol::event::{Body, Event, Failure};
use garboard_protocol::{Digest, event};
use tokio::sync::{mpsc, oneshot, watch};

use super::SessionError;

/// What the agent says about a blob that arrived whole.
pub(super) type Verdict = Result<(), SessionError>;

#[derive(Default)]
struct Lists {
    requests: HashMap<u64, mpsc::UnboundedSender<Result<Body, SessionError>>>,
    blobs: HashMap<Digest, Vec<oneshot::Sender<Verdict>>>,
    seen: Option<u64>,
}

/// The waiting lists of one conversation.
pub(super) struct Waiting {
    lists: Mutex<Lists>,
    /// Why nothing more comes, once that is so. Only changed while the lists are locked.
    ended: watch::Sender<Option<SessionError>>,
    /// Events of requests that an earlier connection of this run had made.
    replayed: mpsc::UnboundedSender<Event>,
}

impl Waiting {
    pub(super) fn new(replayed: mpsc::UnboundedSender<Event>) -> Self {
        Self { lists: Mutex::default(), ended: watch::Sender::new(None), replayed }
    }

    fn lists(&self) -> MutexGuard<'_, Lists> {
        self.lists.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Registers a request before it is sent.
    pub(super) fn request(&self, id: u64) -> mpsc::UnboundedReceiver<Result<Body, SessionError>> {
        let (sender, receiver) = mpsc::unbounded_channel();
        let mut lists = self.lists();
        match &*self.ended.borrow() {
            // A receiver that has gone is no concern of ours.
            Some(why) => drop(sender.send(Err(why.clone()))),
            None => drop(lists.requests.insert(id, sender)),
        }
        receiver
    }

    /// Registers a blob before its last byte is sent.
    pub(super) fn blob(&self, digest: Digest) -> oneshot::Receiver<Verdict> {
        let (sender, receiver) = oneshot::channel();
        let mut lists = self.lists();
        match &*self.ended.borrow() {
            Some(why) => drop(sender.send(Err(why.clone()))),
            None => lists.blobs.entry(digest).or_default().push(sender),
        }
        receiver
    }

    /// Hands an event to who waits for it.
    pub(super) fn event(&self, event: Event) {
        let mut lists = self.lists();
        if event.number > 0 {
            lists.seen = lists.seen.max(Some(event.number));
        }
        match event.body {
            Body::BlobStored { digest } => lists.verdict(digest, &Ok(())),
            Body::BlobRefused { digest, found } => {
                lists.verdict(digest, &Err(SessionError::BlobRefused { digest, found }));
            }
            // It answers no request: storing blobs failed.
            Body::Failed(failure) if event.request == 0 => lists.storing_failed(&failure),
            body => {
                let terminal = body.is_terminal();
                let Some(waiting) = lists.requests.get(&event.request) else {
                    let _ = self.replayed.send(Event { body, ..event });
                    return;
                };
                let _ = waiting.send(Ok(body));
                if terminal {
                    lists.requests.remove(&event.request);
                }
            }
        }
    }

    /// Number of the last kept event that has arrived.
    pub(super) fn seen(&self) -> Option<u64> {
        self.lists().seen
    }

    /// Tells everybody who waits, now or later, that nothing more comes. The first reason counts.
    pub(super) fn end(&self, why: SessionError) {
        let mut lists = self.lists();
        if self.ended.borrow().is_some() {
            return;
        }
        for (_, waiting) in lists.requests.drain() {
            let _ = waiting.send(Err(why.clone()));
        }
        for waiting in std::mem::take(&mut lists.blobs).into_values().flatten() {
            let _ = waiting.send(Err(why.clone()));
        }
        self.ended.send_replace(Some(why));
    }

    /// Why nothing more comes, once that is so.
    pub(super) fn ended(&self) -> Option<SessionError> {
        self.ended.borrow().clone()
    }

    /// Waits until nothing more comes.
    pub(super) async fn end_of_all(&self) -> SessionError {
        let mut ended = self.ended.subscribe();
        let why = ended.wait_for(Option::is_some).await.ok().and_then(|why| why.clone());
        why.unwrap_or(SessionError::Silent)
    }
}

impl Lists {
    fn verdict(&mut self, digest: Digest, verdict: &Verdict) {
        for waiting in self.blobs.remove(&digest).unwrap_or_default() {
            let _ = waiting.send(verdict.clone());
        }
    }

    fn storing_failed(&mut self, failure: &Failure) {
        for waiting in std::mem::take(&mut self.blobs).into_values().flatten() {
            let _ = waiting.send(Err(SessionError::AgentFailed(failure.clone())));
        }
    }
}

/// The failure of a terminal event, or the event itself.
pub(super) fn success(body: Body) -> Result<Body, SessionError> {
    match body {
        Body::Failed(failure) if failure.kind == event::FailureKind::Held => {
            Err(SessionError::Held { failure })
        }
        Body::Failed(failure) => Err(SessionError::AgentFailed(failure)),
        body => Ok(body),
    }
}
