//! A report's events, put in order for a reader: a run, its hosts, their steps.

use std::borrow::Cow;
use std::collections::BTreeMap;

use garboard_protocol::Change;

use super::super::text::{duration, front_door};
use super::{Document, Event, Timed};
use crate::problem::{Exit, Problem};

/// The whole run. Times are milliseconds since it began.
#[derive(Debug, Default)]
pub(super) struct View<'a> {
    pub(super) run: &'a str,
    pub(super) command: &'a str,
    pub(super) cluster: &'a str,
    /// Of the inventory's order, and what else had steps after them.
    pub(super) hosts: Vec<Host<'a>>,
    pub(super) failures: Vec<&'a Problem>,
    pub(super) notes: Vec<(u64, Cow<'a, str>)>,
    pub(super) changes: u64,
    pub(super) milliseconds: u64,
    /// `None`: the document has no end.
    pub(super) exit: Option<Exit>,
}

/// A host, or the cluster.
#[derive(Debug, Default)]
pub(super) struct Host<'a> {
    pub(super) name: &'a str,
    pub(super) connected: Option<u64>,
    pub(super) agent_sent: bool,
    /// All its steps, and how many of them were to do.
    pub(super) planned: Option<(u64, u64)>,
    pub(super) bytes_sent: u64,
    pub(super) is_finished: bool,
    pub(super) is_failed: bool,
    pub(super) steps: Vec<Step<'a>>,
}

/// A step that was at work.
#[derive(Debug)]
pub(super) struct Step<'a> {
    pub(super) id: &'a str,
    pub(super) doing: &'a str,
    /// Since when it waited for signals, and for which.
    pub(super) waited: Option<u64>,
    pub(super) waited_for: Vec<&'a str>,
    pub(super) began: u64,
    pub(super) ended: Option<u64>,
    pub(super) changes: &'a [Change],
    pub(super) state: State,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum State {
    Waiting,
    Working,
    Changed,
    Unchanged,
    Failed,
}

impl<'a> View<'a> {
    pub(super) fn of(document: &'a Document) -> Self {
        let mut view = Self::default();
        for Timed { at, event } in &document.events {
            let at = at.duration_since(document.started).as_millis();
            view.take(u64::try_from(at).unwrap_or(0), event);
        }
        view
    }

    fn take(&mut self, at: u64, event: &'a Event) {
        match event {
            Event::RunStarted { run, command, cluster, hosts } => {
                (self.run, self.command, self.cluster) = (run, command, cluster);
                self.hosts = hosts.iter().map(|name| Host { name, ..Host::default() }).collect();
            }
            Event::Note { text } => self.notes.push((at, text.into())),
            Event::HostLost { host, cause, .. } => {
                self.notes.push((at, format!("{host}: the connection is lost: {cause}").into()));
            }
            Event::HostBack { host, milliseconds } => {
                let away = duration(*milliseconds);
                self.notes.push((at, format!("{host}: connected again after {away}").into()));
            }
            Event::HostRebooting { host, reasons, .. } => {
                self.notes.push((at, format!("{host}: reboots, for {}", reasons.join(", ")).into()));
            }
            Event::HostRebooted { host, milliseconds } => {
                let away = duration(*milliseconds);
                self.notes.push((at, format!("{host}: is back from its reboot after {away}").into()));
            }
            Event::HostStopped { host, left, next, .. } => {
                self.notes
                    .push((at, format!("{host}: stopped, {left} steps are left, the next is {next}").into()));
            }
            Event::FrontDoor { .. } => self.notes.push((at, front_door(event).into())),
            Event::Outside { view } => self.notes.push((at, view.human().into())),
            // What passes while something goes on; its end says how it went.
            Event::HostConnecting { .. }
            | Event::Fetching { .. }
            | Event::Sending { .. }
            | Event::StepProgress { .. } => {}
            Event::HostConnected { host, agent_sent, milliseconds } => {
                let host = self.host(host);
                (host.connected, host.agent_sent) = (Some(*milliseconds), *agent_sent);
            }
            Event::HostPlanned { host, steps, pending } => {
                self.host(host).planned = Some((*steps, *pending));
            }
            Event::StepWaiting { host, step, signals } => {
                let step = self.host(host).step(step, at);
                step.waited = Some(at);
                step.waited_for = signals.iter().map(String::as_str).collect();
            }
            Event::StepStarted { host, step, doing } => {
                let step = self.host(host).step(step, at);
                (step.doing, step.began, step.state) = (doing, at, State::Working);
            }
            Event::StepFinished { host, step, changes, milliseconds } => {
                let step = self.host(host).step(step, at.saturating_sub(*milliseconds));
                (step.changes, step.ended) = (changes, Some(step.began + milliseconds));
                step.state = if changes.is_empty() { State::Unchanged } else { State::Changed };
            }
            Event::Failed { problem } => self.failed(at, problem),
            Event::HostFinished { host, steps, bytes_sent, .. } => {
                let host = self.host(host);
                (host.bytes_sent, host.is_finished) = (*bytes_sent, true);
                host.planned.get_or_insert((*steps, *steps));
            }
            Event::RunFinished { changes, milliseconds, exit, .. } => {
                (self.changes, self.milliseconds, self.exit) = (*changes, *milliseconds, Some(*exit));
            }
        }
    }

    fn failed(&mut self, at: u64, problem: &'a Problem) {
        self.failures.push(problem);
        let Some(host) = &problem.host else { return };
        let host = self.host(host);
        host.is_failed = true;
        if let Some(step) = &problem.step {
            let step = host.step(step, at);
            (step.state, step.ended) = (State::Failed, Some(at));
        }
    }

    fn host(&mut self, name: &'a str) -> &mut Host<'a> {
        let place = self.hosts.iter().position(|host| host.name == name).unwrap_or_else(|| {
            self.hosts.push(Host { name, ..Host::default() });
            self.hosts.len() - 1
        });
        &mut self.hosts[place]
    }

    /// The ids of all steps in a good order for rows, each with what it does: as the hosts went through them.
    pub(super) fn rows(&self) -> Vec<(&'a str, &'a str)> {
        let mut rows: Vec<(&str, &str)> = Vec::new();
        let mut places: BTreeMap<&str, u64> = BTreeMap::new();
        for step in self.hosts.iter().flat_map(|host| &host.steps) {
            if !places.contains_key(step.id) {
                rows.push((step.id, step.doing));
            }
            let place = places.entry(step.id).or_insert(step.began);
            *place = step.began.min(*place);
        }
        rows.sort_by_key(|(id, _)| places.get(id).copied());
        rows
    }
}

impl<'a> Host<'a> {
    fn step(&mut self, id: &'a str, at: u64) -> &mut Step<'a> {
        let place = self.steps.iter().position(|step| step.id == id).unwrap_or_else(|| {
            self.steps.push(Step {
                id,
                doing: "",
                waited: None,
                waited_for: Vec::new(),
                began: at,
                ended: None,
                changes: &[],
                state: State::Waiting,
            });
            self.steps.len() - 1
        });
        &mut self.steps[place]
    }

    /// Steps that changed something.
    pub(super) fn changed(&self) -> usize {
        self.steps.iter().filter(|step| step.state == State::Changed).count()
    }
}
