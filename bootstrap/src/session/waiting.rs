//! Who waits for what: requests for their events, blobs for their verdict; and the link they are sent over, if there is one.

use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use garboard_protocol::event::{Body, Event, Failure};
use garboard_protocol::{Digest, Frame, event};
use tokio::sync::{mpsc, oneshot, watch};

use super::SessionError;
use super::link::Link;

/// What the agent says about a blob that arrived whole.
pub(super) type Verdict = Result<(), SessionError>;

type Events = mpsc::UnboundedSender<Result<Body, SessionError>>;

/// A request that has not ended.
struct Pending {
    /// As sent, to be sent once more over a new link.
    frame: Frame,
    events: Events,
    asked: Asked,
}

/// Of whom a request is asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Asked {
    /// Of whichever executor is there until it is answered.
    OfAny,
    /// Of the one that is there now and of no later one.
    OfThis,
}

/// Whether there is a link to the agent.
#[derive(Clone)]
enum State {
    /// This one.
    Linked(Arc<Link>),
    /// Not now; another one is on its way.
    Apart,
    /// No more, because of this.
    Ended(SessionError),
}

struct Lists {
    /// In the order in which they were asked.
    requests: BTreeMap<u64, Pending>,
    blobs: HashMap<Digest, Vec<oneshot::Sender<Verdict>>>,
    seen: Option<u64>,
}

/// The waiting lists of one conversation, over however many links.
pub(super) struct Waiting {
    lists: Mutex<Lists>,
    /// Only changed while the lists are locked.
    state: watch::Sender<State>,
    /// Events of requests that an earlier session of this run had made.
    replayed: mpsc::UnboundedSender<Event>,
}

impl Waiting {
    pub(super) fn new(replayed: mpsc::UnboundedSender<Event>) -> Self {
        let lists = Lists { requests: BTreeMap::new(), blobs: HashMap::new(), seen: None };
        Self { lists: Mutex::new(lists), state: watch::Sender::new(State::Apart), replayed }
    }

    fn lists(&self) -> MutexGuard<'_, Lists> {
        self.lists.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Registers a request and sends it, now or as soon as there is a link.
    pub(super) fn request(
        &self,
        id: u64,
        frame: Frame,
        asked: Asked,
    ) -> mpsc::UnboundedReceiver<Result<Body, SessionError>> {
        let (events, receiver) = mpsc::unbounded_channel();
        let mut lists = self.lists();
        match &*self.state.borrow() {
            // A receiver that has gone is no concern of ours.
            State::Ended(why) => drop(events.send(Err(why.clone()))),
            State::Linked(link) => {
                link.send(frame.clone());
                lists.requests.insert(id, Pending { frame, events, asked });
            }
            State::Apart => drop(lists.requests.insert(id, Pending { frame, events, asked })),
        }
        receiver
    }

    /// Registers the greeting of a link that is not there for others yet.
    pub(super) fn greeting(
        &self,
        id: u64,
        frame: Frame,
    ) -> mpsc::UnboundedReceiver<Result<Body, SessionError>> {
        let (events, receiver) = mpsc::unbounded_channel();
        self.lists().requests.insert(id, Pending { frame, events, asked: Asked::OfThis });
        receiver
    }

    /// Nobody answers the greeting any more.
    pub(super) fn forget(&self, id: u64) {
        self.lists().requests.remove(&id);
    }

    /// Registers a blob before its last byte is sent over `link`.
    pub(super) fn blob(&self, digest: Digest, link: &Arc<Link>) -> oneshot::Receiver<Verdict> {
        let (sender, receiver) = oneshot::channel();
        let mut lists = self.lists();
        match &*self.state.borrow() {
            State::Linked(now) if Arc::ptr_eq(now, link) => {
                lists.blobs.entry(digest).or_default().push(sender);
            }
            State::Ended(why) => drop(sender.send(Err(why.clone()))),
            _ => drop(sender.send(Err(SessionError::Silent))),
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
                let Some(pending) = lists.requests.get(&event.request) else {
                    let _ = self.replayed.send(Event { body, ..event });
                    return;
                };
                let _ = pending.events.send(Ok(body));
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

    /// Another executor is there from now on, which numbers its events from the beginning. Requests that are none of its
    /// concern end with `why`.
    pub(super) fn begin_anew(&self, why: &SessionError) {
        let mut lists = self.lists();
        lists.seen = None;
        for (_, pending) in lists.requests.extract_if(.., |_, pending| pending.asked == Asked::OfThis) {
            let _ = pending.events.send(Err(why.clone()));
        }
    }

    /// There is a link: what was not answered is asked once more over it.
    pub(super) fn linked(&self, link: Arc<Link>) {
        let lists = self.lists();
        for pending in lists.requests.values() {
            link.send(pending.frame.clone());
        }
        self.state.send_replace(State::Linked(link));
    }

    /// The link is lost, another one is on its way: requests wait for it, blobs are told.
    pub(super) fn parted(&self, why: &SessionError) -> Option<Arc<Link>> {
        let mut lists = self.lists();
        lists.blobs_lost(why);
        match self.state.send_replace(State::Apart) {
            State::Linked(link) => Some(link),
            _ => None,
        }
    }

    /// Tells everybody who waits, now or later, that nothing more comes. The first reason counts.
    pub(super) fn end(&self, why: SessionError) {
        let mut lists = self.lists();
        if matches!(&*self.state.borrow(), State::Ended(_)) {
            return;
        }
        for pending in std::mem::take(&mut lists.requests).into_values() {
            let _ = pending.events.send(Err(why.clone()));
        }
        lists.blobs_lost(&why);
        self.state.send_replace(State::Ended(why));
    }

    /// The link, as soon as there is one; else why there will be none.
    pub(super) async fn link(&self) -> Result<Arc<Link>, SessionError> {
        let mut state = self.state.subscribe();
        let settled = state.wait_for(|state| !matches!(state, State::Apart)).await;
        match settled.as_deref() {
            Ok(State::Linked(link)) => Ok(Arc::clone(link)),
            Ok(State::Ended(why)) => Err(why.clone()),
            _ => Err(SessionError::Silent),
        }
    }

    /// Returns once `link` is no more.
    pub(super) async fn gone(&self, link: &Arc<Link>) {
        let mut state = self.state.subscribe();
        let other = |state: &State| !matches!(state, State::Linked(now) if Arc::ptr_eq(now, link));
        // A sender that is gone has no link either.
        let _ = state.wait_for(other).await;
    }

    /// The link of this moment.
    pub(super) fn link_now(&self) -> Option<Arc<Link>> {
        match &*self.state.borrow() {
            State::Linked(link) => Some(Arc::clone(link)),
            _ => None,
        }
    }

    /// Waits until nothing more comes.
    pub(super) async fn end_of_all(&self) -> SessionError {
        let mut state = self.state.subscribe();
        let ended = state.wait_for(|state| matches!(state, State::Ended(_))).await;
        match ended.as_deref() {
            Ok(State::Ended(why)) => why.clone(),
            _ => SessionError::Silent,
        }
    }
}

impl Lists {
    fn verdict(&mut self, digest: Digest, verdict: &Verdict) {
        for waiting in self.blobs.remove(&digest).unwrap_or_default() {
            let _ = waiting.send(verdict.clone());
        }
    }

    fn storing_failed(&mut self, failure: &Failure) {
        self.blobs_lost(&SessionError::AgentFailed(failure.clone()));
    }

    fn blobs_lost(&mut self, why: &SessionError) {
        for waiting in std::mem::take(&mut self.blobs).into_values().flatten() {
            let _ = waiting.send(Err(why.clone()));
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
