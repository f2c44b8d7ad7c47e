//! The names: each with its state and its provider. What is decided is on the disk before it is done.

use std::net::IpAddr;
use std::path::{Path, PathBuf};

use anyhow::Context as _;
use ipnet::IpNet;
use jiff::Timestamp;

use super::chance;
use super::journal::{Level, say};
use super::looking::{Sighting, wanted};
use crate::address::Family;
use crate::configuration::{Configuration, Name};
use crate::http::Clients;
use crate::machine::{Action, Answer, Event, NameState, Phase, Scope, Terms, step};
use crate::metrics::{self, Counters};
use crate::providers::Prepared;
use crate::quorum;
use crate::report::{self, Report};
use crate::state::{Entry, Folder, StateError, Stored};

/// All of them.
pub(super) struct Names {
    watched: Vec<Watched>,
    folder: Folder,
    stored: Stored,
    base: std::time::Duration,
    metrics: PathBuf,
    metrics_problem: Option<String>,
    updates: Counters,
}

struct Watched {
    name: Name,
    provider: Prepared,
}

impl Names {
    /// Makes the providers and reads what is remembered; names that are no longer configured are forgotten.
    pub(super) fn new(
        configuration: &Configuration,
        folder: Folder,
        metrics: PathBuf,
        credentials: Option<&Path>,
        clients: &Clients,
    ) -> anyhow::Result<Self> {
        let mut stored = folder.read()?;
        let mut watched = Vec::new();
        for name in &configuration.names {
            let secret =
                name.provider.secret().read(credentials).with_context(|| format!("`{}`", name.name))?;
            let provider = Prepared::new(name, secret, clients)
                .map_err(|problem| anyhow::anyhow!("`{}`: {problem}", name.name))?;
            watched.push(Watched { name: name.clone(), provider });
        }
        stored.names.retain(|name, _| configuration.names.iter().any(|one| one.name.as_str() == name));
        for one in &watched {
            let word = one.name.provider.word();
            let fresh = || Entry {
                provider: word.to_owned(),
                state: NameState::new(one.provider.configuration.clone()),
            };
            let entry = stored.names.entry(one.name.name.to_string()).or_insert_with(fresh);
            word.clone_into(&mut entry.provider);
            // A record the user no longer wants looked after is his own: it is neither sent nor shown.
            entry.state.published = entry.state.published.only(&one.name.families);
        }
        let base = configuration.intervals.retry.length();
        Ok(Self { watched, folder, stored, base, metrics, metrics_problem: None, updates: Counters::new() })
    }

    /// Tells every name that the service has started.
    pub(super) fn start(&mut self) -> Result<(), StateError> {
        for index in 0..self.watched.len() {
            let event = Event::Started { configuration: self.watched[index].provider.configuration.clone() };
            self.step(index, &event)?;
            let Watched { name, .. } = &self.watched[index];
            let state = self.state(index);
            let words = report::words(&state.phase, Timestamp::now());
            say(
                Level::Information,
                &format!("{} at {}: {}, {words}", name.name, name.provider.word(), state.published),
            );
        }
        self.folder.write(&self.stored)
    }

    /// The addresses of the names that want a family.
    pub(super) fn published(&self, family: Family) -> Vec<Option<IpAddr>> {
        let wants = |index: &usize| self.watched[*index].name.families.contains(&family);
        let held = |index: &usize| matches!(self.state(*index).phase, Phase::HeldFatal { .. });
        let one = |index: usize| {
            let state = self.state(index);
            wanted(&state.published, state.in_doubt, family)
        };
        // A name that waits for a person needs no sources to agree.
        (0..self.watched.len()).filter(wants).filter(|index| !held(index)).map(one).collect()
    }

    pub(super) fn phases(&self) -> impl Iterator<Item = &Phase> {
        self.stored.names.values().map(|entry| &entry.state.phase)
    }

    pub(super) fn report(&self) -> Report {
        Report::new(&self.stored, true)
    }

    /// What was seen, for every name; updates those that need it, one after the other.
    pub(super) async fn seen(&mut self, sighting: &Sighting, allowed: &[IpNet]) -> Result<(), StateError> {
        if let Some(outside) =
            sighting.get(&Family::Ipv4).and_then(|readings| quorum::outside(readings, allowed))
            && self.stored.outside != Some(outside)
        {
            match report::way_in(outside) {
                Some(problem) => say(Level::Warning, &problem),
                None => say(Level::Information, "the router has the address that others see"),
            }
            self.stored.outside = Some(outside);
            self.folder.write(&self.stored)?;
        }
        for index in 0..self.watched.len() {
            let state = self.state(index);
            let verdicts = self.watched[index].name.families.iter().filter_map(|family| {
                let published = wanted(&state.published, state.in_doubt, *family);
                Some(quorum::decide(sighting.get(family)?, *family, published, allowed))
            });
            let event = Event::Seen(verdicts.collect());
            self.feed(index, &event).await?;
        }
        self.write_metrics();
        Ok(())
    }

    /// An event for one name or all.
    pub(super) async fn tell(&mut self, event: &Event, name: Option<&str>) -> Result<(), StateError> {
        for index in 0..self.watched.len() {
            if name.is_none_or(|name| self.watched[index].name.name.as_str() == name) {
                self.feed(index, event).await?;
            }
        }
        Ok(())
    }

    async fn feed(&mut self, index: usize, event: &Event) -> Result<(), StateError> {
        let Some(Action::Update { all, changed }) = self.step(index, event)? else { return Ok(()) };
        let Watched { name, provider } = &self.watched[index];
        let answer = provider.update(&name.name, &all, &changed).await;
        let (outcome, scope) = match &answer {
            Answer::Good => ("good", Scope::Name),
            Answer::Transient { scope, .. } => ("transient", *scope),
            Answer::Fatal { scope, .. } => ("fatal", *scope),
        };
        *self.updates.entry((name.name.to_string(), outcome)).or_default() += 1;
        let account = provider.account.clone();
        self.step(index, &Event::Answered(answer.clone()))?;
        if scope == Scope::Account {
            let held = Event::AccountHeld(answer);
            for other in 0..self.watched.len() {
                if other != index && self.watched[other].provider.account == account {
                    self.step(other, &held)?;
                }
            }
        }
        Ok(())
    }

    /// One step of a name, on the disk before this returns.
    fn step(&mut self, index: usize, event: &Event) -> Result<Option<Action>, StateError> {
        let terms = Terms { base: self.base, chance: chance() };
        let now = Timestamp::now();
        let (next, action) = step(self.state(index), event, now, terms);
        let Watched { name, .. } = &self.watched[index];
        if &next != self.state(index) {
            if next.phase != self.state(index).phase {
                let text =
                    format!("{} at {}: {}", name.name, name.provider.word(), report::words(&next.phase, now));
                let text = if matches!(next.phase, Phase::InSync { .. }) {
                    format!("{text}, {}", next.published)
                } else {
                    text
                };
                say(level(&next.phase), &text);
            }
            if let Some(entry) = self.stored.names.get_mut(name.name.as_str()) {
                entry.state = next;
            }
            self.folder.write(&self.stored)?;
        }
        Ok(action)
    }

    fn state(&self, index: usize) -> &NameState {
        // Every watched name got its entry in `new`.
        &self.stored.names[self.watched[index].name.name.as_str()].state
    }

    /// A name is more important than its metrics: a full disk there stops nothing.
    fn write_metrics(&mut self) {
        let problem = metrics::write(&self.metrics, &self.stored, &self.updates, Timestamp::now()).err();
        let problem = problem.map(|error| error.to_string());
        if let Some(problem) = problem.as_ref().filter(|_| problem != self.metrics_problem) {
            say(Level::Warning, &format!("the metrics are not written: {problem}"));
        }
        self.metrics_problem = problem;
    }
}

fn level(phase: &Phase) -> Level {
    match phase {
        Phase::HeldFatal { .. } | Phase::HeldTransient { .. } | Phase::Changing { .. } => Level::Warning,
        _ => Level::Information,
    }
}
