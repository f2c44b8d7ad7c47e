//! Works on steps in a fixed order that survives a crash at any point: probe, and only where something differs: snapshot
//! (once in a host's life), intent, apply (each change preceded by its earlier value in the baseline), clear the intent,
//! probe again.

mod failure;
mod time;

pub use failure::{failure, sources};
pub use time::rfc3339;

use std::io;
use std::sync::Arc;
use std::time::{Duration, Instant};

use garboard_protocol::event::{Body, Failure};
use garboard_protocol::step::Outputs;
use garboard_protocol::{Change, Observation, Owned, QueuedStep, Step};

use crate::guard::Guard;
use crate::steps::{Context, Kind, ProbeContext, StepError};
use crate::store::{Baseline, Intent, Layout, Owns, Records, Snapshot};
use crate::system::{Answers, Look, Pass, System};

/// Longest the answers of one pass are believed while a queue runs.
const PASS_AGE: Duration = Duration::from_secs(2);

/// What the engine works on.
#[derive(Clone)]
pub struct Host {
    /// The host itself.
    pub system: Arc<dyn System>,
    /// Where our own files are.
    pub layout: Layout,
    /// Finds a step's kind.
    pub kinds: fn(&Step) -> &dyn Kind,
    /// Takes the snapshot.
    pub snapshot: fn(&dyn Look) -> io::Result<serde_json::Value>,
    /// Notes in a snapshot what lies at places that playbooks own from now on; says whether there was something to note.
    pub note_places: fn(&mut serde_json::Value, &[Owned], &dyn Look) -> bool,
}

/// The engine of one run.
pub struct Engine {
    host: Host,
    run: String,
    records: Records,
    baseline: Baseline,
    owns: Owns,
    intent: Option<Intent>,
    is_intent_settled: bool,
    has_changed: bool,
    /// A reboot was ordered: nothing more begins.
    is_going_down: bool,
    answers: Answers,
    asked: Instant,
    guard: Arc<Guard>,
}

impl Engine {
    /// Reads what earlier runs noted on the host; writes nothing.
    pub fn load(host: Host, run: &str) -> io::Result<Self> {
        let look = host.system.look();
        Ok(Self {
            run: run.to_owned(),
            records: Records::load(look, &host.layout)?,
            baseline: Baseline::load(Arc::clone(&host.system), &host.layout)?,
            owns: Owns::load(look, &host.layout)?,
            intent: Intent::load(look, &host.layout)?,
            is_intent_settled: false,
            has_changed: false,
            is_going_down: false,
            answers: Answers::default(),
            asked: Instant::now(),
            guard: Arc::default(),
            host,
        })
    }

    /// Says by whom changes are confirmed that may cut the connection; without it nobody confirms any.
    pub fn guarded_by(&mut self, guard: Arc<Guard>) {
        self.guard = guard;
    }

    /// What it works on.
    pub fn host(&self) -> &Host {
        &self.host
    }

    /// The baseline of the host.
    pub fn baseline(&self) -> &Baseline {
        &self.baseline
    }

    /// What the software makes by itself, as far as known.
    pub fn owned(&self) -> Vec<Owned> {
        self.owns.all().cloned().collect()
    }

    /// Adds to it; written with the next change.
    pub fn add_owned(&mut self, owned: Vec<Owned>) {
        self.owns.add(owned);
    }

    /// Whether this run has begun to change the host.
    pub fn has_changed(&self) -> bool {
        self.has_changed
    }

    /// Notes that the host is being changed by something else than a step: reset.
    pub fn mark_changed(&mut self) {
        self.has_changed = true;
    }

    /// Forgets what commands answered, before a pass over many steps.
    pub fn begin_pass(&mut self) {
        self.answers = Answers::default();
        self.asked = Instant::now();
    }

    /// Looks at one step.
    pub fn probe(&mut self, step: &QueuedStep) -> Result<Observation, StepError> {
        let observation = self.look((self.host.kinds)(&step.step))?;
        if observation.is_converged() && self.intent.as_ref().is_some_and(|intent| intent.step == step.id) {
            self.is_intent_settled = true;
        }
        Ok(observation)
    }

    /// Makes one step so, if it is not.
    pub fn run(&mut self, step: &QueuedStep, say: &dyn Fn(Body)) -> Result<(), Box<Failure>> {
        let begun = Instant::now();
        let id = step.id.clone();
        say(Body::Started { id: id.clone(), doing: format!("{} {}", step.step.kind(), step.step.target()) });
        let (changes, outputs) =
            self.settle(step, say).map_err(|error| Box::new(failure(&error, Some(id.clone()))))?;
        let milliseconds = u64::try_from(begun.elapsed().as_millis()).unwrap_or(u64::MAX);
        say(Body::Finished { id, changes, outputs, milliseconds });
        Ok(())
    }

    fn settle(&mut self, step: &QueuedStep, say: &dyn Fn(Body)) -> Result<(Vec<Change>, Outputs), StepError> {
        if self.is_going_down {
            return Err(StepError::Failed {
                message: "the host is going down for a reboot".to_owned(),
                help: Some("run again once it is back".to_owned()),
            });
        }
        if self.asked.elapsed() > PASS_AGE {
            self.begin_pass();
        }
        let changes = match self.probe(step)? {
            Observation::Converged { outputs } => {
                self.settle_intent().map_err(|source| self.store_error(source))?;
                return Ok((Vec::new(), outputs));
            }
            Observation::Differs { changes } => changes,
            Observation::Unknown { .. } => Vec::new(),
        };
        self.begin_change(step).map_err(|source| self.store_error(source))?;
        let applied = self.apply(step, &changes, say);
        self.begin_pass();
        self.records
            .save(&*self.host.system, &self.host.layout)
            .map_err(|source| self.store_error(source))?;
        let mut outputs = applied?;
        self.is_intent_settled = true;
        self.settle_intent().map_err(|source| self.store_error(source))?;
        // Whether a reboot brought what it was for is seen by the executor of the next boot.
        if matches!(step.step, Step::Reboot(_)) {
            self.is_going_down = true;
            return Ok((changes, outputs));
        }
        match self.look((self.host.kinds)(&step.step))? {
            Observation::Converged { outputs: seen } => {
                for (name, value) in seen {
                    outputs.entry(name).or_insert(value);
                }
                Ok((changes, outputs))
            }
            Observation::Differs { changes } => Err(remains(step, &changes)),
            Observation::Unknown { because } => Err(StepError::Failed {
                message: format!(
                    "{} `{}` was applied, but cannot be seen: {because}",
                    step.step.kind(),
                    step.step.target()
                ),
                help: None,
            }),
        }
    }

    fn apply(&self, step: &QueuedStep, changes: &[Change], say: &dyn Fn(Body)) -> Result<Outputs, StepError> {
        let tell = |text: &str, waits| {
            say(Body::Progress { id: step.id.clone(), text: text.to_owned(), waits });
        };
        let (progress, waiting) = (|text: &str| tell(text, false), |text: &str| tell(text, true));
        let confirmed = || {
            self.guard.open(&step.id);
            say(Body::Unconfirmed { id: step.id.clone(), seconds: self.guard.patience().as_secs() });
            self.guard.wait()
        };
        let context = Context {
            system: &*self.host.system,
            records: &self.records,
            blobs: &self.host.layout.complete_blobs(),
            baseline: &self.baseline,
            progress: &progress,
            waiting: &waiting,
            confirmed: &confirmed,
        };
        (self.host.kinds)(&step.step).apply(changes, &context)
    }

    /// An orderly end: an intent that a crash left, and whose step was seen to be done, goes away.
    pub fn finish(&mut self) -> io::Result<()> {
        self.settle_intent()
    }

    fn look(&self, kind: &dyn Kind) -> Result<Observation, StepError> {
        let pass = Pass::new(self.host.system.look(), &self.records, &self.answers);
        kind.probe(&ProbeContext { look: &pass, records: &self.records, baseline: &self.baseline })
    }

    fn begin_change(&mut self, step: &QueuedStep) -> io::Result<()> {
        let Host { system, layout, snapshot, .. } = &self.host;
        self.has_changed = true;
        if !Snapshot::is_taken(system.look(), layout)? {
            Snapshot(snapshot(system.look())?).save(&**system, layout)?;
        }
        // Before anything of ours can be there: what lies at these places now belongs to others.
        if !self.owns.added().is_empty()
            && let Some(mut noted) = Snapshot::load(system.look(), layout)?
            && (self.host.note_places)(&mut noted.0, self.owns.added(), system.look())
        {
            noted.save(&**system, layout)?;
        }
        self.owns.save(&**system, layout)?;
        let intent = Intent { step: step.id.clone(), run: self.run.clone(), time: rfc3339(system.now()) };
        intent.save(&**system, layout)?;
        self.intent = Some(intent);
        self.is_intent_settled = false;
        Ok(())
    }

    fn settle_intent(&mut self) -> io::Result<()> {
        if self.intent.is_some() && self.is_intent_settled {
            Intent::clear(&*self.host.system, &self.host.layout)?;
            self.intent = None;
            self.is_intent_settled = false;
        }
        Ok(())
    }

    fn store_error(&self, source: io::Error) -> StepError {
        let path = self.host.layout.state.to_string_lossy().into_owned();
        StepError::File { action: "keep notes in", path, source }
    }
}

fn remains(step: &QueuedStep, changes: &[Change]) -> StepError {
    let list: Vec<String> = changes
        .iter()
        .take(5)
        .map(|change| {
            let side = |value: &Option<String>| value.clone().unwrap_or_else(|| "nothing".to_owned());
            let field =
                serde_json::to_value(change.field).ok().and_then(|name| Some(name.as_str()?.to_owned()));
            format!(
                "{} of `{}` is {}, wanted {}",
                field.unwrap_or_default(),
                change.subject,
                side(&change.before),
                side(&change.after)
            )
        })
        .collect();
    StepError::Failed {
        message: format!(
            "{} `{}` was applied, but still differs: {}",
            step.step.kind(),
            step.step.target(),
            list.join("; ")
        ),
        help: Some("something else on the host changes it back; find out what, then run again".to_owned()),
    }
}
