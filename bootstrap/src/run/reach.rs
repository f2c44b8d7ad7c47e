//! To all hosts at once: connect, agent, facts.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use garboard_inventory::Host;
use garboard_protocol::Facts;
use garboard_protocol::step::ClockReference;
use tokio::task::{JoinError, JoinSet};
use tokio::time::timeout;

use super::Run;
use super::clock::ClockReading;
use super::interrupt::Phase;
use crate::check;
use crate::deploy::{Deployed, Login, SudoPassword};
use crate::output::Event;
use crate::problem::{Ended, Exit, Problem, Problems};
use crate::session::{Introduction, Reconnect, Return, Session, SessionError};
use crate::ssh::{Connection, Target, Transports};

/// A login and the start of an agent take no longer, unless nobody is there.
const NEARLY_THERE: Duration = Duration::from_secs(3);

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
    pub(crate) clock: ClockReading,
    /// `SHA256:…` of the key it has shown.
    pub(crate) host_key: Option<String>,
}

impl Reached {
    /// How far each host's clock is ahead of this machine's, in milliseconds.
    pub(crate) fn clocks(&self) -> BTreeMap<String, i64> {
        self.hosts.iter().map(|(name, host)| (name.clone(), host.clock.ahead_milliseconds)).collect()
    }

    /// Each host's clock beside this machine's.
    pub(crate) fn clock_readings(&self) -> BTreeMap<String, ClockReading> {
        self.hosts.iter().map(|(name, host)| (name.clone(), host.clock.clone())).collect()
    }

    /// What the time is on each host by this machine's clock.
    pub(crate) fn clock_references(&self) -> BTreeMap<String, ClockReference> {
        self.hosts.iter().map(|(name, host)| (name.clone(), host.clock.reference.clone())).collect()
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
            let vpn = self.inventory().openvpn().filter(|(edge, _)| edge.name == host.name);
            let vpn_port = vpn.map(|(_, openvpn)| openvpn.port);
            tasks.spawn(
                async move { (host.name.clone(), run.reach_host(&transports, &host, vpn_port).await) },
            );
        }
        let _orderly = self.stop().orderly(Phase::Connecting);
        let mut reached = Reached { hosts: BTreeMap::new(), problems: Vec::new(), unreached: Vec::new() };
        while let Some(joined) = self.next_reached(&mut tasks).await? {
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
    /// The next host that answered, or did not. Who wants to stop waits only for connections that are nearly there: an
    /// agent that was started and never told to leave would hold its host.
    async fn next_reached<T: 'static>(
        &self,
        tasks: &mut JoinSet<T>,
    ) -> Result<Option<Result<T, JoinError>>, Ended> {
        tokio::select! {
            biased;
            () = self.stop().wanted() => {}
            joined = tasks.join_next() => return Ok(joined),
        }
        let _ = timeout(NEARLY_THERE, async { while tasks.join_next().await.is_some() {} }).await;
        tasks.shutdown().await;
        Err(Ended::Said(Exit::Failed))
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
    /// Connects to one host and takes its facts, whoever holds `vpn_port` among them; its agent waits for more to do.
    pub(crate) async fn reach_host(
        &self,
        transports: &Arc<Transports>,
        host: &Host,
        vpn_port: Option<u16>,
    ) -> Result<ReachedHost, Problem> {
        let transports = Arc::clone(transports);
        Way { run: self.clone(), transports, host: host.clone(), vpn_port }.reach().await
    }
}

/// The way to one host.
struct Way {
    run: super::Handle,
    transports: Arc<Transports>,
    host: Host,
    /// The port of the VPN's server, where the host is to have it.
    vpn_port: Option<u16>,
}

impl Way {
    async fn reach(self) -> Result<ReachedHost, Problem> {
        let (run, host, vpn_port) = (self.run.clone(), self.host.clone(), self.vpn_port);
        let failed = |error: SessionError| error.problem(&host.name);
        run.events.send(&Event::HostConnecting { host: host.name.clone(), address: host.address.clone() });
        let (connection, deployed) = self.connect().await?;
        let host_key = connection.host_key().map(str::to_owned);
        let agent_sent = deployed.pushed > 0;
        let introduction =
            Introduction { run: run.id.clone(), owner: run.owner.clone(), linger: run.patience.linger };
        let back = Return { reconnect: Arc::new(self), patience: run.patience.reconnect };
        let session = Session::open(connection, deployed, introduction, Some(back)).await.map_err(failed)?;
        run.remember_session(session.clone());
        run.events.send(&Event::HostConnected {
            host: host.name.clone(),
            agent_sent,
            milliseconds: run.elapsed_milliseconds(),
        });
        let facts = session.facts(check::query(&host, vpn_port)).await.map_err(failed)?;
        let clock = ClockReading::of(&facts);
        Ok(ReachedHost { session, facts, clock, host_key })
    }
}

#[async_trait]
impl Reconnect for Way {
    async fn connect(&self) -> Result<(Arc<dyn Connection>, Deployed), Problem> {
        let (run, host) = (&self.run, &self.host);
        let transport = self.transports.of(host);
        let connection =
            transport.connect(&Target::of(host)).await.map_err(|error| error.problem(&host.name))?;
        let agents = crate::agent::embedded()?;
        let login = Login {
            agents,
            folder: crate::deploy::FOLDER,
            run: &run.id,
            owner: &run.owner,
            sudo: SudoPassword { secrets: &run.secrets, reference: host.ssh.sudo_password.as_ref() },
        };
        let deployed = crate::deploy::deploy(connection.as_ref(), &login, &|_, _| {})
            .await
            .map_err(|error| error.problem(&host.name))?;
        Ok((connection.into(), deployed))
    }

    fn lost(&self, why: &SessionError, patience: Duration) {
        self.run.events.send(&Event::HostLost {
            host: self.host.name.clone(),
            cause: why.to_string(),
            seconds: patience.as_secs(),
        });
    }

    fn back(&self, away: Duration) {
        let milliseconds = u64::try_from(away.as_millis()).unwrap_or(u64::MAX);
        self.run.events.send(&Event::HostBack { host: self.host.name.clone(), milliseconds });
    }
}
