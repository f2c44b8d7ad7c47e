//! The executor: works through its queue for the length of a run, and outlasts a lost client.
//!
//! One loop owns all state and never blocks: clients' frames, news from the blocking thread that works, and blobs that
//! arrived come to it as [`Input`]s. Whatever waits for a disk or a command does so elsewhere.

mod admin;
mod client;
mod connection;
mod input;
mod leaving;
mod lock;
mod log;
mod mesh;
mod notify;
mod queue;
mod requests;
mod serve;
mod work;

pub use connection::Stream;
pub use lock::{Holder, Lock, LockError};
pub use serve::{GREETING, ServeError, serve};
pub use work::{Reset, Services};

use std::collections::{BTreeSet, VecDeque};
use std::io;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use garboard_protocol::event::Body;
use garboard_protocol::limits::LINGER;
use garboard_protocol::{Digest, Event, StepId};
use tokio::sync::mpsc::{Receiver, Sender, channel};
use tokio::time::{Instant, timeout_at};

use crate::engine::Engine;
use crate::guard::Guard;
use crate::store::Blobs;
use client::Client;
use input::{Input, greet};
use log::Log;
use mesh::Mesh;
use queue::{Answer, Asked, Queue};
use work::{Bench, Job};

/// How many inputs may wait; a client whose frames do not fit is simply not read for a moment.
const INPUTS: usize = 64;

/// How long an executor waits for its first client, which is on its way when it is started.
const UNGREETED: Duration = Duration::from_secs(30);

/// The executor of one run.
pub struct Executor {
    holder: Holder,
    agent: Digest,
    bench: Bench,
    sender: Sender<Input>,
    inputs: Receiver<Input>,
    log: Log,
    client: Option<Client>,
    epoch: u64,
    looks: VecDeque<(Asked, Job)>,
    queue: Queue,
    working: Option<Working>,
    cancels: Vec<Asked>,
    leaving: Option<Leaving>,
    mesh: Mesh,
    /// Ids of the steps and resets that were asked for: a client that comes back asks once more for what it waits for.
    accepted: BTreeSet<u64>,
    linger: Duration,
    idle_since: Instant,
}

/// What the blocking thread does now.
struct Working {
    asked: Asked,
    is_kept: bool,
    is_reset: bool,
}

/// It leaves as soon as nothing runs.
struct Leaving {
    /// Who asked for it, and waits for the answer.
    asked: Option<Asked>,
}

/// Hands connections to an executor.
#[derive(Clone)]
pub struct Door(Sender<Input>);

impl Door {
    /// Takes a client in: waits for its Hello, then gives it to the executor.
    pub fn attach(&self, stream: impl Stream + 'static) {
        tokio::spawn(greet(Box::new(stream), self.0.clone()));
    }
}

impl Executor {
    /// An executor for the run of `holder`, as the program `agent`. Reads the host's notes; writes nothing.
    pub fn new(services: Services, holder: Holder, agent: Digest) -> io::Result<Self> {
        let mut engine = Engine::load(services.host.clone(), &holder.run)?;
        let guard = Arc::new(Guard::default());
        engine.guarded_by(Arc::clone(&guard));
        let blobs = Blobs::new(services.host.layout.clone());
        let (sender, inputs) = channel(INPUTS);
        Ok(Self {
            bench: Bench {
                run: holder.run.clone(),
                services,
                engine: Arc::new(Mutex::new(engine)),
                blobs: Arc::new(Mutex::new(blobs)),
                guard,
            },
            holder,
            agent,
            sender,
            inputs,
            log: Log::default(),
            client: None,
            epoch: 0,
            looks: VecDeque::new(),
            queue: Queue::default(),
            working: None,
            cancels: Vec::new(),
            leaving: None,
            mesh: Mesh::default(),
            accepted: BTreeSet::new(),
            linger: LINGER,
            idle_since: Instant::now(),
        })
    }

    /// Where clients come in.
    pub fn door(&self) -> Door {
        Door(self.sender.clone())
    }

    /// Works until a client ends the run, or nobody has come back for as long as the last one said. Cleans up before it returns.
    pub async fn run(mut self) -> io::Result<()> {
        loop {
            self.proceed();
            if self.leaving.is_some() && self.working.is_none() {
                return self.leave().await;
            }
            let is_idle = self.is_idle();
            let input = if is_idle {
                let Ok(input) = timeout_at(self.idle_since + self.patience(), self.inputs.recv()).await
                else {
                    self.leaving = Some(Leaving { asked: None });
                    continue;
                };
                input
            } else {
                self.inputs.recv().await
            };
            // It holds a sender itself, so there always is a next one.
            let Some(input) = input else { return Ok(()) };
            self.take(input);
            // Another run that asks for the host in vain does not hold it up for all others.
            if !(is_idle && self.is_idle()) {
                self.idle_since = Instant::now();
            }
        }
    }

    /// Nobody is there and nothing is being done.
    fn is_idle(&self) -> bool {
        self.client.is_none() && self.working.is_none()
    }

    /// How long it stays when nobody is there.
    fn patience(&self) -> Duration {
        // Whoever had it started was gone before the first word: nothing is there to come back to.
        if self.epoch == 0 { UNGREETED } else { self.linger }
    }

    /// What another run, which is refused, can do, and when the host is free at the latest.
    fn way_out(&self) -> String {
        if !self.is_idle() {
            let still =
                if self.client.is_none() { "its laptop is gone, a step is still running; " } else { "" };
            return format!(
                "{still}wait for that run to end, or finish it from where it was started; it lets go of the host \
                 {} after its last step if nobody comes back to it",
                spoken(self.linger)
            );
        }
        let left = self.patience().saturating_sub(self.idle_since.elapsed()).as_secs().max(1);
        format!(
            "nobody is connected to it: it lets go of the host in {} min {} s, or finish it from where it was started",
            left / 60,
            left % 60
        )
    }

    /// Starts what can be started now.
    fn proceed(&mut self) {
        if self.working.is_some() {
            return;
        }
        for asked in std::mem::take(&mut self.cancels) {
            self.answer(asked, Body::Done);
        }
        if self.leaving.is_some() {
            return;
        }
        if let Some((asked, job)) = self.looks.pop_front() {
            return self.start(asked, job);
        }
        let settled = self.queue.settled();
        self.keep_all(settled);
        let Some(step) = self.queue.next() else { return };
        // A step whose blobs are missing waits for them, also while the client that sends them is away.
        if step.step.blobs().iter().all(|blob| Blobs::is_complete(&self.bench.services.host.layout, blob))
            && let Some((asked, step)) = self.queue.start()
        {
            self.start(asked, Job::Step(step));
        }
    }

    fn start(&mut self, asked: Asked, job: Job) {
        self.working =
            Some(Working { asked, is_kept: job.is_kept(), is_reset: matches!(job, Job::Reset(_)) });
        let bench = self.bench.clone();
        let sender = self.sender.clone();
        tokio::spawn(async move {
            let news = sender.clone();
            let worked = tokio::task::spawn_blocking(move || {
                // The loop is there as long as anything works: it waits for the end of it.
                bench.work(job, &|body| drop(news.blocking_send(Input::Said(body))))
            });
            let result = worked.await.unwrap_or_else(|error| Err(Box::new(work::died(&error))));
            let _ = sender.send(Input::Worked(result)).await;
        });
    }

    /// The step (or reset) at work, for a client that takes over.
    fn running(&self) -> Option<StepId> {
        let is_reset = self.working.as_ref().is_some_and(|working| working.is_reset);
        self.queue.running().cloned().or_else(|| is_reset.then(|| StepId("reset".to_owned())))
    }

    /// An answer that is not kept.
    fn answer(&self, asked: Asked, body: Body) {
        if let Some(client) = self.client.as_ref().filter(|client| client.epoch == asked.epoch) {
            client.send(&Event { number: 0, request: asked.request, body });
        }
    }

    /// An event of the queue.
    fn keep(&mut self, asked: Asked, body: Body) {
        let event = self.log.keep(asked.request, body);
        if let Some(client) = &self.client {
            client.send_kept(asked.epoch, event);
        }
    }

    fn keep_all(&mut self, answers: Vec<Answer>) {
        for (asked, body) in answers {
            self.keep(asked, body);
        }
    }

    /// Cleans up, says goodbye.
    async fn leave(mut self) -> io::Result<()> {
        self.mesh_drop();
        let result = tokio::task::spawn_blocking({
            let (bench, agent) = (self.bench.clone(), self.agent);
            move || {
                let mut engine = bench.engine.lock().unwrap_or_else(PoisonError::into_inner);
                let mut blobs = bench.blobs.lock().unwrap_or_else(PoisonError::into_inner);
                let host = engine.host().clone();
                engine.finish()?;
                leaving::clean_up(host.system.look(), &host.layout, &mut blobs, agent, engine.has_changed())?;
                leaving::remove_run_folder(&host.layout)
            }
        })
        .await
        .unwrap_or_else(|error| Err(io::Error::other(error)));
        if let Some(asked) = self.leaving.take().and_then(|leaving| leaving.asked) {
            let body = match &result {
                Ok(()) => Body::Done,
                Err(error) => Body::Failed(connection::refusal(format!("cannot clean up: {error}"))),
            };
            self.answer(asked, body);
        }
        if let Some(client) = self.client.take() {
            client.close().await;
        }
        result
    }
}

/// Minutes where they say all.
fn spoken(time: Duration) -> String {
    match (time.as_secs() / 60, time.as_secs() % 60) {
        (1, 0) => "1 minute".to_owned(),
        (minutes, 0) => format!("{minutes} minutes"),
        _ => format!("{} seconds", time.as_secs()),
    }
}
