//! A host's reboot in the middle of a run: a member is drained first, one at a time; the host is waited for until it is in another
//! boot; then its facts, its checks and its chain are made anew. Other hosts go on meanwhile.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use garboard_inventory::Inventory;
use garboard_playbooks::{Inputs, PlannedStep, Rendered, Site};
use garboard_protocol::step::StepId;
use garboard_protocol::{Change, Facts, Observation, Owned, QueuedStep};
use tokio::sync::{RwLock, RwLockReadGuard};
use tokio::time::Instant;

use super::chain::{Chain, Ended, Halt};
use super::clock::ClockReading;
use super::cluster_client::failed;
use super::difference::Difference;
use super::interrupt::Stop;
use super::signal::Given;
use super::{Reached, Run};
use crate::check::{self, refusals};
use crate::cluster::Cluster;
use crate::lock::Supply;
use crate::membership::Membership;
use crate::output::{Event, Events, text};
use crate::problem::{Exit, Problem};
use crate::session::NotBooted;

/// How long pods may take to leave a node.
const DRAIN: Duration = Duration::from_mins(10);
/// How long a node may take to be Ready, once its host is there again.
const READY: Duration = Duration::from_mins(10);

/// What a run's reboots have in common.
pub(super) struct Reboots {
    events: Events,
    stop: Stop,
    wait: Duration,
    site: Site,
    inventory: Inventory,
    leader: String,
    supply: Arc<Supply>,
    cluster: Option<Arc<Cluster>>,
    checks: bool,
    seen: Mutex<Seen>,
    /// Held by the one member that is disturbed, and shared by those who speak to the control plane meanwhile.
    permit: RwLock<()>,
}

/// What is known of the hosts.
#[derive(Clone)]
struct Seen {
    facts: BTreeMap<String, Facts>,
    clocks: BTreeMap<String, ClockReading>,
}

/// What a run plans with.
pub(super) struct Means<'a> {
    pub(super) site: &'a Site,
    pub(super) membership: &'a Membership,
    pub(super) supply: &'a Arc<Supply>,
    /// The live cluster, where this run speaks to one.
    pub(super) cluster: Option<&'a Arc<Cluster>>,
    /// Whether a host must pass the checks for Kubernetes again.
    pub(super) checks: bool,
}

/// What is to do on a host after its reboot.
pub(super) struct Anew {
    pub(super) chain: Vec<(PlannedStep, Observation)>,
    pub(super) owned: Vec<Owned>,
}

impl Reboots {
    pub(super) fn of(run: &Run, reached: &Reached, means: &Means<'_>) -> Self {
        Self {
            events: run.events().clone(),
            stop: run.stop().clone(),
            wait: run.handle.patience.reboot_wait,
            site: means.site.clone(),
            inventory: run.inventory().clone(),
            leader: means.membership.leader.clone(),
            supply: Arc::clone(means.supply),
            cluster: means.cluster.cloned(),
            checks: means.checks,
            seen: Mutex::new(Seen { facts: reached.facts(), clocks: reached.clock_readings() }),
            permit: RwLock::new(()),
        }
    }

    /// Waits until no member reboots; none does while the result lives.
    pub(super) async fn none_now(&self) -> RwLockReadGuard<'_, ()> {
        self.permit.read().await
    }

    /// Reboots the host of `chain`, which stands before `step`.
    pub(super) async fn reboot(
        &self,
        chain: &Chain<'_>,
        step: &PlannedStep,
        ended: &mut Ended,
    ) -> Result<Anew, Halt> {
        let before = self.facts_of(chain.host);
        let is_member = before.as_ref().is_some_and(|facts| facts.kubernetes.kubelet_conf);
        let _permit = if is_member { Some(self.unless_stopped(self.permit.write()).await?) } else { None };
        let node = if is_member { Some(self.drain(chain, step).await?) } else { None };
        let booted = self.boot(chain, step, before.map(|facts| facts.boot_id).unwrap_or_default(), ended);
        let facts = match booted.await {
            Ok(facts) => facts,
            Err(halt) => {
                // It goes on as it is, or is away: a node that is there takes pods again.
                if let (Some(cluster), Halt::Failed(_)) = (&node, &halt) {
                    self.give_back(cluster, chain.host).await;
                }
                return Err(halt);
            }
        };
        if let Some(cluster) = node {
            let ready = cluster.ready_in_boot(chain.host, &facts.boot_id, READY);
            self.unless_stopped(ready).await?.map_err(|error| Self::of_step(chain, step, failed(&error)))?;
            let taken = cluster.uncordon(chain.host).await;
            taken.map_err(|error| Self::of_step(chain, step, failed(&error)))?;
        }
        self.plan(chain).await.map_err(Halt::Failed)
    }

    /// Why the host is not rebooted a second time.
    pub(super) async fn second(&self, chain: &Chain<'_>, step: &PlannedStep, earlier: &StepId) -> Problem {
        let queued = QueuedStep { id: step.id.clone(), step: step.step.clone() };
        let seen = chain.session.probe(vec![queued]).await.unwrap_or_default();
        let reasons = seen.into_iter().flat_map(|(_, seen)| changes(seen)).map(|change| change.subject);
        let reasons: Vec<String> = reasons.collect();
        Problem::new(
            Exit::Failed,
            format!(
                "it was rebooted once in this run, for {earlier}, and would have to be again, for {}",
                reasons.join(", ")
            ),
        )
        .host(chain.host)
        .step(step.id.to_string())
        .help("a host is rebooted once in a run: where this is for something else, run again; where the first did not help, a second will not: `garboard check` says more")
    }

    /// Orders the reboot and waits for the other boot.
    async fn boot(
        &self,
        chain: &Chain<'_>,
        step: &PlannedStep,
        boot_id: String,
        ended: &mut Ended,
    ) -> Result<Facts, Halt> {
        let queued = QueuedStep { id: step.id.clone(), step: step.step.clone() };
        let seen = chain.session.probe(vec![queued]).await;
        let seen = seen.map_err(|error| error.problem(chain.host).step(step.id.to_string()))?;
        let changes: Vec<Change> = seen.into_iter().flat_map(|(_, seen)| changes(seen)).collect();
        let reasons = changes.iter().map(|change| change.subject.clone()).collect();
        let (host, begun) = (chain.host.to_owned(), Instant::now());
        let elapsed = || u64::try_from(begun.elapsed().as_millis()).unwrap_or(u64::MAX);
        let deadline = begun + self.wait;
        // Before the order: the link may be lost before its answer is here.
        chain.session.expect_reboot(deadline);
        self.events.send(&Event::HostRebooting { host: host.clone(), reasons, seconds: self.wait.as_secs() });
        let differs = Observation::Unknown { because: String::new() };
        let done = ended.done;
        let ordered = chain.segment(&[(step.clone(), differs)], &Given::default(), ended).await;
        let host_of = self.inventory.host(chain.host);
        let query = host_of.map(|host| check::query(host, None)).unwrap_or_default();
        let booted = match ordered {
            // The wish to stop takes the link away as well.
            Err(Halt::Failed(_) | Halt::Unanswered(_)) if self.stop.is_wanted() => Err(Halt::Stopped),
            // It may go down before its answer is here.
            Ok(()) | Err(Halt::Unanswered(_)) => {
                self.unless_stopped(chain.session.booted(&boot_id, query, deadline)).await
            }
            Err(halt) => Err(halt),
        };
        chain.session.expect_no_reboot();
        let facts = booted?.map_err(|why| self.not_booted(chain, step, &why))?;
        self.known(chain.host, &facts);
        if ended.done == done {
            chain.finished(&step.id, changes, elapsed(), ended);
        }
        self.events.send(&Event::HostRebooted { host, milliseconds: elapsed() });
        Ok(facts)
    }

    fn not_booted(&self, chain: &Chain<'_>, step: &PlannedStep, why: &NotBooted) -> Problem {
        let wait = text::duration(u64::try_from(self.wait.as_millis()).unwrap_or(u64::MAX));
        let problem = match why {
            NotBooted::Stayed => Problem::new(
                Exit::Failed,
                format!("it took the order to reboot, but is still in the same boot after {wait}"),
            )
            .help("see what holds it up: `systemctl list-jobs` and `systemd-inhibit --list` on the host; reboot it yourself and run again"),
            NotBooted::Away(error) => {
                Problem::new(Exit::Failed, format!("it did not come back from its reboot within {wait}"))
                    .cause(error.to_string())
                    .help("see its power and its console; once it is there, the same command goes on from here (`--reboot-wait` gives it more time)")
            }
        };
        problem.host(chain.host).step(step.id.to_string())
    }

    /// Takes a member out of service: its pods go elsewhere, where there is an elsewhere.
    async fn drain(&self, chain: &Chain<'_>, step: &PlannedStep) -> Result<Arc<Cluster>, Halt> {
        let problem = |problem: Problem| Halt::Failed(Self::of_step(chain, step, problem));
        let Some(cluster) = self.cluster.clone() else {
            let told = Problem::new(Exit::Failed, "it is a member of a cluster, and is rebooted only after a drain")
                .help("name the playbook in the inventory and run `garboard up`: it drains one member after the other");
            return Err(problem(told));
        };
        let nodes = cluster.nodes().await.map_err(|error| problem(failed(&error)))?;
        let Some(node) = nodes.iter().find(|node| node.name == chain.host) else {
            // Its state is there, its node is not: nothing runs there that others would miss.
            return Ok(cluster);
        };
        let is_only = node.control_plane && nodes.iter().filter(|node| node.control_plane).count() == 1;
        cluster.cordon(chain.host).await.map_err(|error| problem(failed(&error)))?;
        if is_only {
            self.events.note(format!(
                "{}: the only control plane: nobody takes over while it reboots. Its pods stay and start again with it; the API is \
                 away until then, what runs on other nodes goes on",
                chain.host
            ));
            return Ok(cluster);
        }
        let minutes = DRAIN.as_secs() / 60;
        self.events.note(format!("{}: cordoned; its pods have {minutes} min to go elsewhere", chain.host));
        let progress = |lacking: &[String]| {
            self.events.send(&Event::StepProgress {
                host: chain.host.to_owned(),
                step: step.id.to_string(),
                text: lacking.join("; "),
                waits: true,
            });
        };
        let evicted = self.unless_stopped(cluster.evict(chain.host, DRAIN, progress)).await;
        match evicted {
            Ok(Ok(())) => Ok(cluster),
            Ok(Err(error)) => {
                self.give_back(&cluster, chain.host).await;
                Err(problem(failed(&error)))
            }
            Err(halt) => {
                self.give_back(&cluster, chain.host).await;
                Err(halt)
            }
        }
    }

    /// A node that stays as it is. What cannot be told to the cluster now, the next run finds and makes good.
    async fn give_back(&self, cluster: &Cluster, node: &str) {
        if let Err(error) = cluster.uncordon(node).await {
            self.events.note(format!("warning: {node}: {error}; the next run takes it back"));
        }
    }

    /// Renders and probes the host's chain from what is known now.
    async fn plan(&self, chain: &Chain<'_>) -> Result<Anew, Problem> {
        let seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner).clone();
        self.check(chain.host, &seen)?;
        let clocks = seen.clocks.into_iter().map(|(name, clock)| (name, clock.reference)).collect();
        let inputs = Inputs {
            inventory: &self.inventory,
            facts: &seen.facts,
            artifacts: &self.supply.artifacts,
            leader: &self.leader,
            clocks: &clocks,
            openvpn: self.supply.openvpn.as_ref(),
            ddns: self.supply.ddns.as_ref(),
            ingress: self.supply.ingress.as_ref(),
            serving: self.supply.serving.as_ref(),
        };
        let mut rendered = self
            .site
            .render(&inputs)
            .map_err(|error| Problem::from_error(Exit::Failed, &error).host(chain.host))?;
        let owned = rendered.owns.remove(chain.host).unwrap_or_default();
        let steps = rendered.hosts.remove(chain.host).unwrap_or_default();
        let queued = steps.iter().map(|one| QueuedStep { id: one.id.clone(), step: one.step.clone() });
        let seen = chain.session.probe(queued.collect()).await.map_err(|error| error.problem(chain.host))?;
        let alone =
            Rendered { hosts: BTreeMap::from([(chain.host.to_owned(), steps)]), ..Rendered::default() };
        let mut difference = Difference::of(&alone, BTreeMap::from([(chain.host.to_owned(), seen)]));
        let planned = difference.hosts.remove(chain.host).unwrap_or_default();
        self.events.send(&Event::HostPlanned {
            host: chain.host.to_owned(),
            steps: planned.len() as u64,
            pending: super::difference::pending(&planned) as u64,
        });
        Ok(Anew { chain: planned, owned })
    }

    /// What stands in the way now, though it did not, or was to be mended by the reboot.
    fn check(&self, host: &str, seen: &Seen) -> Result<(), Problem> {
        if !self.checks {
            return Ok(());
        }
        let clocks = seen.clocks.iter().map(|(name, clock)| (name.clone(), clock.ahead_milliseconds));
        let mut rows = check::rows(&self.inventory, &seen.facts, &clocks.collect());
        rows.retain(|row| row.host == host);
        let mut problems = refusals(&rows).into_iter();
        let Some(first) = problems.next() else { return Ok(()) };
        let others = problems.map(|problem| problem.message);
        let after = format!("after its reboot: {}", first.message);
        let first = Problem { exit: Exit::Failed, message: after, ..first };
        Err(others.fold(first, Problem::cause))
    }

    async fn unless_stopped<T>(&self, work: impl Future<Output = T>) -> Result<T, Halt> {
        tokio::select! {
            biased;
            () = self.stop.wanted() => Err(Halt::Stopped),
            done = work => Ok(done),
        }
    }

    fn of_step(chain: &Chain<'_>, step: &PlannedStep, problem: Problem) -> Problem {
        problem.host(chain.host).step(step.id.to_string())
    }

    fn facts_of(&self, host: &str) -> Option<Facts> {
        self.seen.lock().unwrap_or_else(PoisonError::into_inner).facts.get(host).cloned()
    }

    fn known(&self, host: &str, facts: &Facts) {
        let mut seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        let earlier = seen.facts.get(host).and_then(|facts| facts.sync_latency.clone());
        // The disk is the same one; it is measured once in a run.
        let facts = Facts { sync_latency: earlier, ..facts.clone() };
        seen.clocks.insert(host.to_owned(), ClockReading::of(&facts));
        seen.facts.insert(host.to_owned(), facts);
    }
}

/// What a reboot brings, as its probe told.
fn changes(seen: Observation) -> Vec<Change> {
    match seen {
        Observation::Differs { changes } => changes,
        _ => Vec::new(),
    }
}
