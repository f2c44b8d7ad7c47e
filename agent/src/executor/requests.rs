//! What the loop does with each input.

use std::sync::{Arc, PoisonError};

use garboard_protocol::event::{Body, Failure, FailureKind, Welcome};
use garboard_protocol::{Event, Request, request};

use super::client::Client;
use super::connection::refusal;
use super::input::{Arrived, Input, read};
use super::queue::Asked;
use super::work::Job;
use super::{Executor, Leaving};
use crate::store::Arrival;

impl Executor {
    /// Takes one input.
    pub(super) fn take(&mut self, input: Input) {
        match input {
            Input::Arrived(arrived) => self.welcome(*arrived),
            Input::Request { epoch, request } if self.is_current(epoch) => self.request(epoch, *request),
            Input::Unreadable { epoch, id, why } => {
                let failure = refusal(format!("this agent does not know that request: {why}"));
                self.answer(Asked { epoch, request: id }, Body::Failed(failure));
            }
            Input::Blob { epoch, arrival } => {
                let body = match arrival {
                    Arrival::Piece => return,
                    Arrival::Stored(digest) => Body::BlobStored { digest },
                    Arrival::Refused { digest, found } => Body::BlobRefused { digest, found },
                };
                self.answer(Asked { epoch, request: 0 }, body);
            }
            Input::Announced { asked, present } => {
                let body = match present {
                    Ok(present) => Body::Blobs { present },
                    Err(error) => Body::Failed(refusal(format!("cannot look after blobs: {error}"))),
                };
                self.answer(asked, body);
            }
            Input::MeshAnswered { asked, body } => self.mesh_answered(asked, body),
            Input::Lost { epoch, why } if self.is_current(epoch) => self.lose(epoch, why),
            Input::Said(body) => self.say(body),
            Input::Worked(result) => self.worked(result),
            // From a client that was replaced in the meantime.
            Input::Request { .. } | Input::Lost { .. } => {}
        }
    }

    fn is_current(&self, epoch: u64) -> bool {
        self.client.as_ref().is_some_and(|client| client.epoch == epoch)
    }

    fn welcome(&mut self, arrived: Arrived) {
        if arrived.hello.run != self.holder.run {
            let failure = Failure {
                step: None,
                kind: FailureKind::Held,
                message: self.holder.to_string(),
                causes: Vec::new(),
                help: Some(self.way_out()),
            };
            return arrived.refuse(failure);
        }
        let comes_back = arrived.hello.seen.is_some();
        self.detach((!comes_back).then_some("a new connection of the run took over"));
        if arrived.hello.agent != self.agent {
            let ours = self.agent;
            arrived.refuse(refusal(format!(
                "the executor of this run is another agent ({ours}); it leaves as soon as its running step has ended"
            )));
            self.leaving.get_or_insert(Leaving { asked: None });
            return;
        }
        self.epoch += 1;
        let epoch = self.epoch;
        self.bench.guard.arrived(epoch);
        let Arrived { hello, request, incoming, outgoing } = arrived;
        let reader = tokio::spawn(read(incoming, epoch, Arc::clone(&self.bench.blobs), self.sender.clone()));
        let client = Client::new(epoch, hello.seen.is_some(), outgoing, reader);
        self.linger = std::time::Duration::from_secs(hello.linger_seconds);
        let executor = format!("{} since {}", self.holder.pid, self.holder.since);
        let welcome = Welcome { agent: self.agent, running: self.running(), executor };
        client.send(&Event { number: 0, request, body: Body::Welcome(welcome) });
        for event in hello.seen.map(|seen| self.log.after(seen)).unwrap_or_default() {
            client.send(event);
        }
        self.client = Some(client);
    }

    /// Lets go of the client; with a reason, also of every step and reset that was asked for and has not begun.
    fn detach(&mut self, drop_waiting: Option<&str>) {
        self.client = None;
        self.looks.retain(|(_, job)| job.is_kept() && drop_waiting.is_none());
        self.cancels.clear();
        self.mesh_drop();
        if let Some(why) = drop_waiting {
            let dropped = self.queue.drop_waiting(why);
            self.keep_all(dropped);
        }
    }

    /// The client is gone: what it queued goes on as far as possible.
    fn lose(&mut self, epoch: u64, why: Option<String>) {
        let Some(client) = self.client.take() else { return };
        if let Some(why) = why {
            client.send(&Event { number: 0, request: 0, body: Body::Failed(refusal(why)) });
            tokio::spawn(client.close());
        }
        self.looks.retain(|(asked, job)| asked.epoch != epoch || job.is_kept());
        self.cancels.clear();
        self.mesh_drop();
    }

    fn request(&mut self, epoch: u64, request: Request) {
        let asked = Asked { epoch, request: request.id };
        let is_kept = matches!(request.body, request::Body::Queue { .. } | request::Body::Reset(_));
        if is_kept && !self.accepted.insert(request.id) {
            // Its client came back: the answers are replayed, or still to come.
            return;
        }
        let job = match request.body {
            request::Body::Hello(_) => {
                return self.answer(asked, Body::Failed(refusal("`hello` was said already")));
            }
            request::Body::Facts(query) => Job::Facts(query),
            request::Body::Probe { steps } => Job::Probe(steps),
            request::Body::Owns { owned } => Job::Owns(owned),
            request::Body::Admin => Job::Admin,
            request::Body::Verify { keepsake } => Job::Verify(keepsake),
            request::Body::Reset(_) if !self.queue.is_empty() => {
                self.accepted.remove(&request.id);
                let failure = refusal("steps are still queued; cancel them before a reset");
                return self.answer(asked, Body::Failed(failure));
            }
            request::Body::Reset(options) => Job::Reset(options),
            request::Body::Blobs { blobs } => return self.announce(asked, blobs),
            request::Body::Queue { steps } => return self.queue.append(asked, steps),
            request::Body::MeshListen(listen) => return self.mesh_listen(asked, &listen),
            request::Body::MeshProbe(probe) => return self.mesh_probe(asked, probe),
            request::Body::Confirm { id } => {
                let body = match self.bench.guard.confirm(&id, epoch) {
                    Ok(()) => Body::Done,
                    Err(why) => Body::Failed(refusal(why)),
                };
                return self.answer(asked, body);
            }
            request::Body::MeshClose => return self.mesh_close(asked),
            request::Body::Cancel => {
                self.mesh_cancel();
                let dropped = self.queue.drop_waiting("the run was cancelled");
                self.keep_all(dropped);
                return self.cancels.push(asked);
            }
            request::Body::End => {
                self.mesh_cancel();
                let dropped = self.queue.drop_waiting("the run was ended");
                self.keep_all(dropped);
                self.leaving = Some(Leaving { asked: Some(asked) });
                return;
            }
        };
        self.looks.push_back((asked, job));
    }

    fn announce(&self, asked: Asked, announced: Vec<garboard_protocol::step::Blob>) {
        let (blobs, sender) = (Arc::clone(&self.bench.blobs), self.sender.clone());
        tokio::spawn(async move {
            let present = tokio::task::spawn_blocking(move || {
                blobs.lock().unwrap_or_else(PoisonError::into_inner).announce(&announced)
            });
            let present = present.await.unwrap_or_else(|error| Err(std::io::Error::other(error)));
            // A loop that is gone needs no answer.
            let _ = sender.send(Input::Announced { asked, present }).await;
        });
    }

    fn say(&mut self, body: Body) {
        let Some(working) = &self.working else { return };
        let (asked, is_kept) = (working.asked, working.is_kept);
        if is_kept { self.keep(asked, body) } else { self.answer(asked, body) }
    }

    fn worked(&mut self, result: Result<(), Box<Failure>>) {
        let Some(working) = self.working.take() else { return };
        if self.queue.running().is_some() {
            let answers = self.queue.end(result);
            self.keep_all(answers);
        } else if let Err(failure) = result {
            // Only a job that died ends so; it has not answered.
            let body = Body::Failed(*failure);
            if working.is_kept { self.keep(working.asked, body) } else { self.answer(working.asked, body) }
        }
    }
}
