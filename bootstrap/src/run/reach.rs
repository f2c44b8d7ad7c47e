//! To all hosts at once: connect, agent, facts.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};

use garboard_inventory::Host;
use garboard_protocol::Facts;
use tokio::task::JoinSet;

use super::Run;
use crate::check;
use crate::deploy::{Login, SudoPassword};
use crate::output::Event;
use crate::problem::{Ended, Exit, Problem, Problems};
use crate::session::{Introduction, Session};
use crate::ssh::{Target, Transport, Transports};

/// Every host that answered, and why the others did not.
pub struct Reached {
    pub(crate) hosts: BTreeMap<String, ReachedHost>,
    /// Hosts that were asked for and did not answer.
    pub(crate) problems: Vec<Problem>,
    /// Hosts of the inventory that gave no facts, also those that were not asked for.
    pub(crate) unreached: Vec<String>,
}

pub(crate) struct ReachedHost {
    pub(crate) session: Session,
    pub(crate) facts: Facts,
    /// How far the host's clock is ahead of this machine's, in milliseconds.
    pub(crate) clock_ahead_milliseconds: i64,
    /// `SHA256:…` of the key it has shown.
    pub(crate) host_key: Option<String>,
}

impl Reached {
    /// How far each host's clock is ahead of this machine's, in milliseconds.
    pub(crate) fn clocks(&self) -> BTreeMap<String, i64> {
        self.hosts.iter().map(|(name, host)| (name.clone(), host.clock_ahead_milliseconds)).collect()
    }

    /// `SHA256:…` of the key that each host has shown.
    pub(crate) fn host_keys(&self) -> BTreeMap<String, String> {
        let keys = self.hosts.iter().filter_map(|(name, host)| Some((name.clone(), host.host_key.clone()?)));
        keys.collect()
    }

    /// The facts alone.
    pub(crate) fn facts(&self) -> BTreeMap<String, Facts> {
        self.hosts.iter().map(|(name, host)| (name.clone(), host.facts.clone())).collect()
    }
}

impl Run {
    /// Connects to the hosts this run is about. A host key that is not the pinned one ends the run; a host that does
    /// not answer is named and left out.
    pub async fn reach(&self) -> Result<Reached, Ended> {
        self.reach_hosts(self.asked_for()).await
    }

    /// The same for some of them.
    pub(super) async fn reach_hosts(&self, hosts: impl Iterator<Item = &Host>) -> Result<Reached, Ended> {
        let transports = Arc::new(self.transports()?);
        let mut tasks = JoinSet::new();
        for host in hosts {
            let (run, transports, host) = (self.handle(), Arc::clone(&transports), host.clone());
            tasks.spawn(async move {
                let reached = run.reach_host(transports.of(&host), &host).await;
                (host.name, reached)
            });
        }
        let mut reached = Reached { hosts: BTreeMap::new(), problems: Vec::new(), unreached: Vec::new() };
        while let Some(joined) = tasks.join_next().await {
            let (name, host) = joined.map_err(|error| Problem::from_error(Exit::Failed, &error))?;
            match host {
                Ok(host) => {
                    reached.hosts.insert(name, host);
                }
                Err(problem) => reached.problems.push(problem),
            }
        }
        reached.problems.sort_by(|one, other| one.host.cmp(&other.host));
        reached.unreached = self
            .inventory()
            .hosts
            .iter()
            .filter(|host| !reached.hosts.contains_key(&host.name))
            .map(|host| host.name.clone())
            .collect();
        self.remember_sessions(reached.hosts.values().map(|host| host.session.clone()).collect());
        let refused: Vec<Problem> =
            reached.problems.iter().filter(|problem| problem.exit > Exit::Failed).cloned().collect();
        if !refused.is_empty() {
            self.part(&reached).await;
            return Err(Problems(refused).into());
        }
        for problem in &reached.problems {
            self.events().send(&Event::Failed { problem: problem.clone() });
        }
        if reached.hosts.is_empty() {
            return Err(Ended::Said(Exit::Failed));
        }
        Ok(reached)
    }
}

impl Run {
    fn transports(&self) -> Result<Transports, Problem> {
        let (person, secrets) = (self.handle.person.as_ref(), &self.handle.secrets);
        Transports::of_this_machine(self.known_hosts_path(), person, secrets)
            .map_err(|error| Problem::from_error(Exit::Failed, &error))
    }
}

impl super::Handle {
    /// Connects to one host and takes its facts; its agent waits for more to do.
    pub(crate) async fn reach_host(
        &self,
        transport: &dyn Transport,
        host: &Host,
    ) -> Result<ReachedHost, Problem> {
        self.events.send(&Event::HostConnecting { host: host.name.clone(), address: host.address.clone() });
        let connection =
            transport.connect(&Target::of(host)).await.map_err(|error| error.problem(&host.name))?;
        let host_key = connection.host_key().map(str::to_owned);
        let agents = crate::agent::embedded();
        let login = Login {
            agents: &agents,
            folder: crate::deploy::FOLDER,
            run: &self.id,
            owner: &self.owner,
            sudo: SudoPassword { secrets: &self.secrets, reference: host.ssh.sudo_password.as_ref() },
        };
        let deployed = crate::deploy::deploy(connection.as_ref(), &login, &|_, _| {})
            .await
            .map_err(|error| error.problem(&host.name))?;
        let agent_sent = deployed.pushed > 0;
        let introduction = Introduction { run: self.id.clone(), owner: self.owner.clone(), seen: None };
        let session = Session::open(connection.into(), deployed, introduction)
            .await
            .map_err(|error| error.problem(&host.name))?;
        self.events.send(&Event::HostConnected {
            host: host.name.clone(),
            agent_sent,
            milliseconds: self.elapsed_milliseconds(),
        });
        let facts =
            session.facts(check::query(host.role)).await.map_err(|error| error.problem(&host.name))?;
        // The answer was under way for a moment only: what is left is the difference of the clocks.
        let clock_ahead_milliseconds =
            facts.clock_milliseconds.cast_signed() - now_milliseconds().cast_signed();
        Ok(ReachedHost { session, facts, clock_ahead_milliseconds, host_key })
    }
}

fn now_milliseconds() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since.as_millis()).unwrap_or(u64::MAX)
}
