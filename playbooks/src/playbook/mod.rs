//! A playbook as it was written, after reading.

mod selector;
mod step;

pub use selector::Selector;
pub(crate) use step::{HostStep, Kind, RebootReason, SourceStep};

use garboard_protocol::Owned;

use crate::file::{Span, Spanned};

/// One playbook: typed steps for some hosts, or for the cluster.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct Playbook {
    /// Its folder's name.
    pub name: String,
    /// It is one of the user's own.
    pub own: bool,
    /// One line for a person.
    pub about: String,
    /// Where its steps run.
    pub hosts: Selector,
    /// What its software makes by itself.
    pub owns: Vec<Owned>,
    /// What its steps made goes back to what it was before, where the playbook, or a step of it, is no longer for a host.
    pub(crate) reversible: bool,
    pub(crate) hosts_span: Span,
    pub(crate) after: Vec<Spanned<String>>,
    pub(crate) vars: serde_json::Value,
    pub(crate) steps: Vec<SourceStep>,
    /// Where each of `owns` was written.
    pub(crate) owns_spans: Vec<Span>,
}

impl Playbook {
    /// Its steps on hosts.
    pub(crate) fn host_steps(&self) -> impl Iterator<Item = &HostStep> {
        self.steps.iter().filter_map(|step| match &step.kind {
            Kind::Host(step) => Some(step),
            _ => None,
        })
    }
}
