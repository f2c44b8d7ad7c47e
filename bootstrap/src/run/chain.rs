//! One host's chain: as fast as it can, waiting only for signals.

use std::collections::BTreeSet;

use garboard_playbooks::{Ephemeral, PlannedStep};
use garboard_protocol::event::{Body, FailureKind};
use garboard_protocol::{Change, Observation, QueuedStep, Step, StepId};
use tokio::sync::Notify;

use super::interrupt::Stop;
use super::signal::{Given, Signals};
use crate::output::{Event, Events};
use crate::problem::{Exit, Problem};
use crate::session::{Session, SessionError};

/// What a chain needs besides its steps.
pub(super) struct Chain<'a> {
    pub(super) host: &'a str,
    pub(super) session: &'a Session,
    pub(super) signals: &'a Signals,
    pub(super) ephemeral: &'a Ephemeral,
    pub(super) events: &'a Events,
    pub(super) stop: &'a Stop,
    /// Told when a reboot that might have come does not.
    pub(super) stays: &'a Notify,
}

/// How a chain ended.
#[derive(Debug, Default)]
pub(super) struct Ended {
    /// Steps that changed something.
    pub(super) changed: u64,
    /// Steps that ended well.
    pub(super) done: u64,
    /// All its steps.
    pub(super) steps: u64,
    /// Why it failed.
    pub(super) problem: Option<Problem>,
    /// Where it was stopped because somebody wanted it.
    pub(super) stopped: Option<Stopped>,
    /// The reboot it stands before, and the steps that are left with it.
    pub(super) reboot: Option<(PlannedStep, u64)>,
}

/// Where a chain was stopped.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Stopped {
    /// Steps that are still to be done.
    pub(super) left: u64,
    /// The first of them.
    pub(super) next: String,
}

/// Why a chain goes no further.
pub(super) enum Halt {
    Failed(Problem),
    /// The host is gone, and its answer with it.
    Unanswered(Problem),
    /// Somebody wants it.
    Stopped,
    /// The host has to reboot first.
    Reboot(Box<PlannedStep>),
}

impl From<Problem> for Halt {
    fn from(problem: Problem) -> Self {
        Self::Failed(problem)
    }
}

impl Chain<'_> {
    /// Works through `steps`, each with what its probe saw. Signals of a chain that stops early are lost.
    pub(super) async fn run(&self, steps: Vec<(PlannedStep, Observation)>) -> Ended {
        let mut ended = Ended { steps: steps.len() as u64, ..Ended::default() };
        match self.work(&steps, &mut ended).await {
            Ok(()) => {}
            Err(Halt::Reboot(step)) => {
                let to_do = steps.iter().filter(|(_, seen)| !seen.is_converged()).count() as u64;
                ended.reboot = Some((*step, to_do.saturating_sub(ended.done)));
            }
            Err(Halt::Failed(problem) | Halt::Unanswered(problem)) => {
                self.give_up(&gives(&steps), &format!("{} stopped at {}", self.host, place(&problem)));
                ended.problem = Some(problem);
            }
            Err(Halt::Stopped) => {
                self.give_up(&gives(&steps), &format!("{} was stopped", self.host));
                let mut to_do = steps.iter().filter(|(_, seen)| !seen.is_converged());
                let next = to_do.nth(usize::try_from(ended.done).unwrap_or(usize::MAX));
                ended.stopped = next
                    .map(|(next, _)| Stopped { left: 1 + to_do.count() as u64, next: next.id.to_string() });
            }
        }
        ended
    }

    /// Says how the chain ended: only now is it known which of two failures was the other's cause.
    pub(super) fn tell(&self, ended: Ended) -> Ended {
        if let Some(problem) = &ended.problem {
            self.events.send(&Event::Failed { problem: problem.clone() });
        } else if let Some(Stopped { left, next }) = ended.stopped.clone() {
            self.events.send(&Event::HostStopped {
                host: self.host.to_owned(),
                done: ended.done,
                left,
                next,
            });
        }
        self.events.send(&Event::HostFinished {
            host: self.host.to_owned(),
            changed: ended.changed,
            steps: ended.steps,
            bytes_sent: self.session.bytes_sent(),
        });
        ended
    }

    async fn work(&self, steps: &[(PlannedStep, Observation)], ended: &mut Ended) -> Result<(), Halt> {
        let mut rest = steps;
        while let Some(((first, observation), behind)) = rest.split_first() {
            // Found done: it gives its signal at once and waits for nobody.
            if let Observation::Converged { outputs } = observation {
                if let Some(signal) = &first.gives {
                    self.signals.give(signal, outputs.clone());
                }
                rest = behind;
                continue;
            }
            let missing = self.signals.missing(&first.waits);
            if !missing.is_empty() {
                self.events.send(&Event::StepWaiting {
                    host: self.host.to_owned(),
                    step: first.id.to_string(),
                    signals: missing,
                });
            }
            let given = tokio::select! {
                biased;
                () = self.stop.wanted() => return Err(Halt::Stopped),
                given = self.signals.wait(&first.waits) => given,
            };
            let given = given.map_err(|lost| {
                Problem::new(Exit::Failed, lost.to_string()).host(self.host).step(first.id.to_string())
            })?;
            if is_reboot(first) {
                if self.pends(first).await? {
                    return Err(Halt::Reboot(Box::new(first.clone())));
                }
                ended.done += 1;
                self.stays.notify_one();
                rest = behind;
                continue;
            }
            let ready = rest
                .iter()
                .take_while(|(step, seen)| {
                    !seen.is_converged() && !is_reboot(step) && given.has_all(&step.waits)
                })
                .count()
                .max(1);
            let (segment, behind) = rest.split_at(ready);
            self.segment(segment, &given, ended).await?;
            rest = behind;
        }
        Ok(())
    }

    /// Whether the host needs the reboot now that all before it is done.
    async fn pends(&self, reboot: &PlannedStep) -> Result<bool, Halt> {
        let step = QueuedStep { id: reboot.id.clone(), step: reboot.step.clone() };
        let seen = self.session.probe(vec![step]).await;
        let seen = seen.map_err(|error| self.broken(&error, Some(&reboot.id)))?;
        Ok(!seen.iter().all(|(_, observation)| observation.is_converged()))
    }

    /// Queues steps that wait for nothing more, and follows them to their end.
    pub(super) async fn segment(
        &self,
        segment: &[(PlannedStep, Observation)],
        given: &Given,
        ended: &mut Ended,
    ) -> Result<(), Halt> {
        let mut queue = Vec::with_capacity(segment.len());
        for (planned, _) in segment {
            queue.push(QueuedStep { id: planned.id.clone(), step: self.complete(planned, given)? });
        }
        // The step in flight, or the one that comes next: where a lost connection stops the chain.
        let mut at = segment.first().map(|(planned, _)| planned.id.clone());
        // A reboot that was carried out is not ordered again, though nobody heard of it.
        let takes_executor_away = segment.iter().any(|(planned, _)| is_reboot(planned));
        let asked =
            if takes_executor_away { self.session.queue_once(queue) } else { self.session.queue(queue) };
        let mut events = asked.map_err(|error| self.broken(&error, at.as_ref()))?;
        if self.stop.is_wanted() {
            // The wish may have overtaken the steps: they are dropped once more.
            let session = self.session.clone();
            tokio::spawn(async move { session.cancel().await });
        }
        while let Some(body) = events.next().await {
            match body.map_err(|error| Halt::Unanswered(self.broken(&error, at.as_ref())))? {
                Body::Started { id, doing } => {
                    self.events.send(&Event::StepStarted {
                        host: self.host.to_owned(),
                        step: id.to_string(),
                        doing,
                    });
                    at = Some(id);
                }
                Body::Progress { id, text, waits } => self.events.send(&Event::StepProgress {
                    host: self.host.to_owned(),
                    step: id.to_string(),
                    text,
                    waits,
                }),
                Body::Unconfirmed { id, seconds } => self.confirm(id, seconds).await,
                Body::Finished { id, changes, outputs, milliseconds } => {
                    self.finished(&id, changes, milliseconds, ended);
                    let place = segment.iter().position(|(planned, _)| planned.id == id);
                    let planned = |place: usize| segment.get(place).map(|(planned, _)| planned);
                    if let Some(signal) = place.and_then(planned).and_then(|step| step.gives.as_ref()) {
                        self.signals.give(signal, outputs);
                    }
                    at = place.and_then(|place| planned(place + 1)).map(|step| step.id.clone());
                }
                Body::Done => return Ok(()),
                Body::Failed(failure) if failure.kind == FailureKind::Cancelled && self.stop.is_wanted() => {
                    return Err(Halt::Stopped);
                }
                Body::Failed(failure) => {
                    return Err(Halt::Failed(SessionError::AgentFailed(failure).problem(self.host)));
                }
                _ => {}
            }
        }
        Err(Problem::new(Exit::Failed, "the agent's answer ended early").host(self.host).into())
    }

    /// Logs in to the host over a new connection, so that what a step has changed stays. Where that is not possible the host takes the
    /// change back, and says so as the step's failure.
    async fn confirm(&self, id: StepId, seconds: u64) {
        self.events.send(&Event::StepProgress {
            host: self.host.to_owned(),
            step: id.to_string(),
            text: format!("loaded for {seconds} s; a login over a new connection makes it permanent"),
            waits: true,
        });
        if let Err(error) = self.session.confirm(id).await {
            tracing::debug!("a change of {} was not confirmed: {error}", self.host);
        }
    }

    fn complete(&self, planned: &PlannedStep, given: &Given) -> Result<Step, Problem> {
        let Some(late) = &planned.late else { return Ok(planned.step.clone()) };
        late.render(&given.for_late(), self.ephemeral).map_err(|error| {
            Problem::from_error(Exit::Failed, &error).host(self.host).step(planned.id.to_string())
        })
    }

    /// A step is done.
    pub(super) fn finished(&self, id: &StepId, changes: Vec<Change>, milliseconds: u64, ended: &mut Ended) {
        ended.done += 1;
        ended.changed += u64::from(!changes.is_empty());
        self.events.send(&Event::StepFinished {
            host: self.host.to_owned(),
            step: id.to_string(),
            changes,
            milliseconds,
        });
    }

    fn broken(&self, error: &SessionError, at: Option<&StepId>) -> Problem {
        let problem = error.problem(self.host);
        match at {
            Some(step) if problem.step.is_none() => problem.step(step.to_string()),
            _ => problem,
        }
    }

    /// A chain that cannot even begin.
    pub(super) fn lost(&self, steps: &[(PlannedStep, Observation)], problem: Problem) -> Ended {
        self.give_up(&gives(steps), &format!("{} stopped at {}", self.host, place(&problem)));
        Ended { steps: steps.len() as u64, problem: Some(problem), ..Ended::default() }
    }

    /// Nobody waits any more for these signals, nor for this host.
    pub(super) fn give_up(&self, gives: &BTreeSet<String>, because: &str) {
        self.signals.lose(gives, because);
        self.signals.fail(self.host);
    }
}

/// The signals that a chain may give.
pub(super) fn gives(steps: &[(PlannedStep, Observation)]) -> BTreeSet<String> {
    steps.iter().filter_map(|(step, _)| step.gives.clone()).collect()
}

fn is_reboot(planned: &PlannedStep) -> bool {
    matches!(planned.step, Step::Reboot(_))
}

/// The signals of a host that this run must not change: those of steps found done.
pub(super) fn only_give(host: &str, steps: &[(PlannedStep, Observation)], signals: &Signals) {
    for (step, observation) in steps {
        let Some(signal) = &step.gives else { continue };
        match observation {
            Observation::Converged { outputs } => signals.give(signal, outputs.clone()),
            _ => signals.lose(
                &BTreeSet::from([signal.clone()]),
                &format!("{host} is outside `--limit`, and its step {} is not done", step.id),
            ),
        }
    }
}

impl Ended {
    /// Goes on with what followed a reboot.
    pub(super) fn add(&mut self, later: Self) {
        let (changed, done) = (self.changed + later.changed, self.done + later.done);
        *self = Self { changed, done, ..later };
    }

    /// The chain ended because of something beside it, unless both met the same: then its own words name the step.
    pub(super) fn blame(&mut self, problem: Problem) {
        match &self.problem {
            Some(own) if own.message == problem.message => {}
            own => {
                let step = problem.step.clone().or_else(|| own.as_ref()?.step.clone());
                self.problem = Some(Problem { step, ..problem });
            }
        }
    }
}

pub(super) fn place(problem: &Problem) -> String {
    problem.step.clone().unwrap_or_else(|| problem.message.clone())
}
