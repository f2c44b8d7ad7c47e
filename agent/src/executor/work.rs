//! What is done on a blocking thread, one thing at a time, while heartbeats and blobs go on.

use std::sync::{Arc, Mutex, PoisonError};

use garboard_protocol::change::Observation;
use garboard_protocol::event::{Body, Failure, FailureKind};
use garboard_protocol::request::FactsQuery;
use garboard_protocol::reset::{Keepsake, ResetOptions, ResetReport};
use garboard_protocol::{Facts, Owned, QueuedStep, Step};

use super::admin;
use crate::engine::{Engine, Host, failure};
use crate::facts;
use crate::guard::Guard;
use crate::steps::StepError;
use crate::store::{Blobs, Layout};
use crate::system::Look;

/// Gives a host back; see [`crate::reset::reset`].
pub type Reset = fn(&Engine, &ResetOptions, &mut dyn FnMut(Body)) -> Result<ResetReport, StepError>;

/// What the executor serves besides steps.
#[derive(Clone)]
pub struct Services {
    /// What it works on.
    pub host: Host,
    /// Observes the host.
    pub facts: fn(&dyn Look, &Layout, &FactsQuery) -> Facts,
    /// Gives the host back.
    pub reset: Reset,
    /// Compares it with what was before us.
    pub verify: fn(&Engine, Option<&Keepsake>) -> Result<ResetReport, StepError>,
}

/// One thing to do.
#[derive(Debug)]
pub(super) enum Job {
    Facts(FactsQuery),
    Probe(Vec<QueuedStep>),
    Owns(Vec<Owned>),
    Admin,
    Verify(Option<Keepsake>),
    Reset(ResetOptions),
    Step(QueuedStep),
}

impl Job {
    /// Whether its events are numbered and kept: a client that comes back must not miss what was changed.
    pub(super) fn is_kept(&self) -> bool {
        matches!(self, Self::Reset(_) | Self::Step(_))
    }
}

/// Everything a job needs; lives on a blocking thread while it works.
#[derive(Clone)]
pub(super) struct Bench {
    pub services: Services,
    pub run: String,
    pub engine: Arc<Mutex<Engine>>,
    pub guard: Arc<Guard>,
    pub blobs: Arc<Mutex<Blobs>>,
}

impl Bench {
    /// Does it. Says everything but a step's own end, which is what it gives.
    pub(super) fn work(&self, job: Job, say: &dyn Fn(Body)) -> Result<(), Box<Failure>> {
        let mut engine = self.engine.lock().unwrap_or_else(PoisonError::into_inner);
        let host = self.services.host.clone();
        match job {
            Job::Facts(query) => {
                // Before the rest, which ends with the clock.
                let path = query.sync_latency_path.as_deref();
                let sync_latency = path.and_then(|path| facts::sync_latency(&*host.system, path));
                let facts = (self.services.facts)(host.system.look(), &host.layout, &query);
                say(Body::Facts(Box::new(Facts { sync_latency, ..facts })));
            }
            Job::Probe(steps) => say(probe(&mut engine, &steps, say)),
            Job::Owns(owned) => {
                engine.add_owned(owned);
                say(Body::Done);
            }
            Job::Admin => say(match admin::credentials(host.system.look()) {
                Ok(credentials) => Body::Admin(credentials),
                Err(error) => Body::Failed(failure(&error, None)),
            }),
            Job::Verify(keepsake) => say(report((self.services.verify)(&engine, keepsake.as_ref()))),
            Job::Reset(options) => {
                engine.mark_changed();
                let report = report((self.services.reset)(&engine, &options, &mut |body| say(body)));
                // What the engine knew of the host is gone with it.
                match Engine::load(host, &self.run) {
                    Ok(mut fresh) => {
                        fresh.guarded_by(Arc::clone(&self.guard));
                        *engine = fresh;
                    }
                    Err(source) => tell_lost(&source, say),
                }
                engine.mark_changed();
                say(report);
            }
            Job::Step(step) => {
                let result = engine.run(&step, say);
                drop(engine);
                return result.map_err(|mut failure| {
                    self.remove_broken_blobs(&mut failure, &step.step);
                    failure
                });
            }
        }
        Ok(())
    }

    /// A blob that went bad on the host's disk would fail each run anew: it is thrown away, and said.
    fn remove_broken_blobs(&self, failure: &mut Failure, step: &Step) {
        let mut blobs = self.blobs.lock().unwrap_or_else(PoisonError::into_inner);
        match blobs.recheck(&step.blobs()) {
            Ok(broken) => {
                failure.causes.extend(
                    broken.iter().map(|digest| {
                        format!("blob {digest} had gone bad on the host's disk and was removed")
                    }),
                );
                if !broken.is_empty() {
                    failure.help =
                        Some("run again: what was removed is sent anew; check the disk".to_owned());
                }
            }
            Err(error) => failure.causes.push(format!("its blobs cannot be checked: {error}")),
        }
    }
}

fn probe(engine: &mut Engine, steps: &[QueuedStep], say: &dyn Fn(Body)) -> Body {
    engine.begin_pass();
    for step in steps {
        let observation: Result<Observation, StepError> = engine.probe(step);
        match observation {
            Ok(observation) => say(Body::Probed { id: step.id.clone(), observation }),
            Err(error) => return Body::Failed(failure(&error, Some(step.id.clone()))),
        }
    }
    Body::Done
}

fn report(result: Result<ResetReport, StepError>) -> Body {
    match result {
        Ok(report) => Body::Reset(report),
        Err(error) => Body::Failed(failure(&error, None)),
    }
}

fn tell_lost(error: &std::io::Error, say: &dyn Fn(Body)) {
    say(Body::Progress {
        id: garboard_protocol::StepId("reset".to_owned()),
        text: format!("what is left of our notes cannot be read: {error}"),
        waits: false,
    });
}

/// The failure of a job whose thread died.
pub(super) fn died(error: &tokio::task::JoinError) -> Failure {
    Failure {
        step: None,
        kind: FailureKind::Step,
        message: "the agent failed inside; this is a fault of garboard".to_owned(),
        causes: vec![error.to_string()],
        help: Some("run again; if it stays, report it with this text".to_owned()),
    }
}
