//! What is known only when a step is sent: outputs of signals, and secrets minted for one run.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use garboard_protocol::step::{ClusterId, Outputs, StepId};
use garboard_protocol::{Secret, Step};
use tera::Context;

use crate::CLUSTER_SIGNAL;
use crate::diagnostic::Fault;
use crate::template::{Templates, Text};

/// Signals given so far, with their outputs.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Signals(BTreeMap<String, Outputs>);

impl Signals {
    /// None given yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// Notes one; given again, its newer outputs count.
    pub fn give(&mut self, signal: impl Into<String>, outputs: Outputs) {
        self.0.insert(signal.into(), outputs);
    }

    /// The outputs of one that was given.
    pub fn outputs(&self, signal: &str) -> Option<&Outputs> {
        self.0.get(signal)
    }

    /// Whether all of these were given.
    pub fn has_all(&self, signals: &[String]) -> bool {
        signals.iter().all(|signal| self.0.contains_key(signal))
    }
}

/// Secrets of one run, never the same again.
#[derive(Debug, Clone, Default)]
pub struct Ephemeral {
    /// The bootstrap token, `ID.SECRET`.
    pub token: Option<Secret>,
}

/// Completes a step when it is sent.
#[derive(Clone)]
pub struct Late {
    pub(crate) id: StepId,
    /// As it is probed.
    pub(crate) step: Step,
    /// Signals whose outputs it needs.
    pub(crate) signals: BTreeSet<String>,
    /// The signal that carries the hash of the cluster's CA.
    pub(crate) ca_signal: Option<String>,
    pub(crate) config: Option<Text>,
    pub(crate) needs_token: bool,
    pub(crate) templates: Templates,
    pub(crate) context: Context,
}

impl fmt::Debug for Late {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("Late")
            .field("id", &self.id)
            .field("signals", &self.signals)
            .field("needs_token", &self.needs_token)
            .finish_non_exhaustive()
    }
}

/// Why a step cannot be completed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum LateError {
    /// It was about to be sent too early.
    #[error("step `{step}` needs `{output}` of the signal `{signal}`, which was not given")]
    OutputMissing {
        /// The step.
        step: StepId,
        /// The signal.
        signal: String,
        /// The output.
        output: String,
    },
    /// No token was minted though the step needs one.
    #[error("step `{step}` needs a bootstrap token, and this run has none")]
    TokenMissing {
        /// The step.
        step: StepId,
    },
    /// Its template cannot be rendered.
    #[error("the configuration of step `{step}` cannot be rendered:\n{report}")]
    Template {
        /// The step.
        step: StepId,
        /// Place and cause.
        report: String,
    },
}

impl Late {
    /// Signals whose outputs it needs.
    pub fn signals(&self) -> impl Iterator<Item = &str> {
        self.signals.iter().map(String::as_str)
    }

    /// Whether it needs the bootstrap token.
    pub fn needs_token(&self) -> bool {
        self.needs_token
    }

    /// The step to probe once `signals` are known: all but its secrets. Says, for example, whether a host is a member
    /// of *this* cluster.
    ///
    /// # Errors
    /// An output that is missing.
    pub fn probe(&self, signals: &Signals) -> Result<Step, LateError> {
        let mut step = self.step.clone();
        match &mut step {
            Step::KubeadmJoin(join) => {
                if let Some(signal) = &self.ca_signal {
                    join.ca_hash = Some(self.output(signals, signal, "ca_hash")?);
                }
            }
            Step::ClusterNote(note) => {
                note.cluster = ClusterId {
                    name: note.cluster.name.clone(),
                    ca_hash: self.output(signals, CLUSTER_SIGNAL, "ca_hash")?,
                    uid: self.output(signals, CLUSTER_SIGNAL, "uid")?,
                };
            }
            _ => {}
        }
        Ok(step)
    }

    /// The complete step.
    ///
    /// # Errors
    /// An output or a token that is missing; a template that cannot be rendered.
    pub fn render(&self, signals: &Signals, ephemeral: &Ephemeral) -> Result<Step, LateError> {
        let mut step = self.probe(signals)?;
        if let Some(config) = &self.config {
            let context = self.complete(signals, ephemeral)?;
            let text = self
                .templates
                .render_or_report(config, &context)
                .map_err(|report| LateError::Template { step: self.id.clone(), report })?;
            configure(&mut step, text);
        }
        Ok(step)
    }

    /// Renders for the checks: what is wrong has a place.
    pub(crate) fn try_render(&self, signals: &Signals, ephemeral: &Ephemeral) -> Result<(), Fault> {
        let Some(config) = &self.config else { return Ok(()) };
        let Ok(context) = self.complete(signals, ephemeral) else { return Ok(()) };
        let text = self.templates.render(config, &context)?;
        serde_saphyr::from_multiple::<serde_json::Value>(&text).map(|_| ()).map_err(|error| {
            Fault::new(config.span, format!("this template does not give YAML: {}", first_line(&error)))
        })
    }

    fn complete(&self, signals: &Signals, ephemeral: &Ephemeral) -> Result<Context, LateError> {
        let mut context = self.context.clone();
        let given: BTreeMap<&String, &Outputs> =
            self.signals.iter().filter_map(|name| Some((name, signals.outputs(name)?))).collect();
        context.insert("signals", &given);
        let mut secrets = BTreeMap::new();
        if self.needs_token {
            let Some(token) = &ephemeral.token else {
                return Err(LateError::TokenMissing { step: self.id.clone() });
            };
            secrets.insert("token", token.expose());
        }
        context.insert("ephemeral", &secrets);
        Ok(context)
    }

    fn output(&self, signals: &Signals, signal: &str, output: &str) -> Result<String, LateError> {
        let found = signals.outputs(signal).and_then(|outputs| outputs.get(output));
        found.cloned().ok_or_else(|| LateError::OutputMissing {
            step: self.id.clone(),
            signal: signal.to_owned(),
            output: output.to_owned(),
        })
    }
}

fn configure(step: &mut Step, text: String) {
    let secret = Secret::new(text);
    match step {
        Step::KubeadmInit(init) => init.config = Some(secret),
        Step::KubeadmJoin(join) => join.config = Some(secret),
        _ => {}
    }
}

/// The first line of a message: the rest of it shows rendered text, which may hold a secret.
pub(crate) fn first_line(error: &dyn fmt::Display) -> String {
    let text = error.to_string();
    text.lines().next().unwrap_or_default().trim_start_matches("error: ").to_owned()
}
