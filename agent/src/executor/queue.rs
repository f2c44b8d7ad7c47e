//! The steps that wait, in the requests they came with. Pure.

use std::collections::VecDeque;

use garboard_protocol::event::{Body, Failure, FailureKind};
use garboard_protocol::{QueuedStep, StepId};

/// Which client asked, and under which id.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Asked {
    /// Counts the clients of this executor.
    pub epoch: u64,
    /// The client's own id of the request.
    pub request: u64,
}

#[derive(Debug)]
struct Batch {
    asked: Asked,
    steps: VecDeque<QueuedStep>,
    /// Set when steps of it were dropped while an earlier one ran: how it ends then.
    dropped: Option<Failure>,
}

/// An answer that a change of the queue brought about.
pub(super) type Answer = (Asked, Body);

/// The queue.
#[derive(Debug, Default)]
pub(super) struct Queue {
    batches: VecDeque<Batch>,
    running: Option<StepId>,
}

impl Queue {
    /// Appends a request's steps.
    pub(super) fn append(&mut self, asked: Asked, steps: Vec<QueuedStep>) {
        self.batches.push_back(Batch { asked, steps: steps.into(), dropped: None });
    }

    /// Whether nothing is left to do.
    pub(super) fn is_empty(&self) -> bool {
        self.batches.is_empty()
    }

    /// The step at work.
    pub(super) fn running(&self) -> Option<&StepId> {
        self.running.as_ref()
    }

    /// Requests that have no step left are done.
    pub(super) fn settled(&mut self) -> Vec<Answer> {
        let mut answers = Vec::new();
        while self.running.is_none() && self.batches.front().is_some_and(|batch| batch.steps.is_empty()) {
            let Some(batch) = self.batches.pop_front() else { break };
            answers.push((batch.asked, batch.dropped.map_or(Body::Done, Body::Failed)));
        }
        answers
    }

    /// The next step, if none runs.
    pub(super) fn next(&self) -> Option<&QueuedStep> {
        if self.running.is_some() { None } else { self.batches.front()?.steps.front() }
    }

    /// Takes the next step: it runs now.
    pub(super) fn start(&mut self) -> Option<(Asked, QueuedStep)> {
        if self.running.is_some() {
            return None;
        }
        let batch = self.batches.front_mut()?;
        let step = batch.steps.pop_front()?;
        self.running = Some(step.id.clone());
        Some((batch.asked, step))
    }

    /// The running step has ended. A failure ends its request, and drops all others.
    pub(super) fn end(&mut self, result: Result<(), Box<Failure>>) -> Vec<Answer> {
        self.running = None;
        let Err(failure) = result else { return self.settled() };
        let failed = self.batches.pop_front().map(|batch| (batch.asked, Body::Failed(*failure)));
        let mut answers: Vec<Answer> = failed.into_iter().collect();
        answers.extend(self.drop_waiting("an earlier step failed"));
        answers
    }

    /// Drops every step that does not run yet; their requests end as cancelled. The request of the running step ends when
    /// that does: as done when it was its last step.
    pub(super) fn drop_waiting(&mut self, why: &str) -> Vec<Answer> {
        let mut answers = Vec::new();
        let mut kept = VecDeque::new();
        for (position, mut batch) in std::mem::take(&mut self.batches).into_iter().enumerate() {
            let is_running = position == 0 && self.running.is_some();
            let count = batch.steps.len();
            batch.steps.clear();
            if !is_running {
                answers.push((batch.asked, Body::Failed(cancelled(why, count))));
                continue;
            }
            if count > 0 {
                batch.dropped = Some(cancelled(why, count));
            }
            kept.push_back(batch);
        }
        self.batches = kept;
        answers
    }
}

fn cancelled(why: &str, count: usize) -> Failure {
    let steps = if count == 1 { "1 step was".to_owned() } else { format!("{count} steps were") };
    Failure {
        step: None,
        kind: FailureKind::Cancelled,
        message: format!("{steps} not started: {why}"),
        causes: Vec::new(),
        help: None,
    }
}
