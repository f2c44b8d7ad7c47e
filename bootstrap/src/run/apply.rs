//! Removes the difference: all chains at once, blobs beside them, the cluster's own chain on the laptop.

use std::collections::BTreeSet;
use std::sync::Arc;

use garboard_playbooks::{CLUSTER_SIGNAL, Ephemeral, Site};
use tokio::task::JoinSet;

use super::chain;
use super::cluster_chain::{CLUSTER, ClusterChain, ClusterEnded};
use super::difference::pending;
use super::host_work::HostWork;
use super::interrupt::Phase;
use super::reboot::{Means, Reboots};
use super::signal::Signals;
use super::{Plan, Reached, Run, token};
use crate::lock::Supply;
use crate::membership::Membership;
use crate::output::Event;
use crate::problem::{Ended, Exit, Problem};

impl Run {
    /// Applies the plan. Gives the number of steps that changed something; fails when a step did, after all other chains
    /// have gone as far as they can.
    pub async fn apply(
        &self,
        site: &Site,
        reached: &Reached,
        membership: &Membership,
        mut plan: Plan,
        supply: Supply,
    ) -> Result<u64, Ended> {
        let initialised = plan.is_initialised(&membership.leader);
        let joining = plan.joining();
        let changing: Vec<String> = plan
            .difference
            .hosts
            .iter()
            .filter(|(host, chain)| pending(chain) > 0 && self.may_change(host))
            .map(|(host, _)| host.clone())
            .collect();
        if changing.is_empty() && plan.difference.pending() == 0 {
            self.note(&self.summary(0, reached.hosts.len()));
            return Ok(0);
        }
        if !initialised {
            // A new cluster gets a new identity; until it is known, an interrupted run must not compare with the old one.
            self.state.forget_cluster().map_err(|error| Problem::from_error(Exit::Failed, &error))?;
        }
        self.tell_plan(&plan);
        let ephemeral = Ephemeral { token: token_for(initialised, &joining)? };
        let signals = Signals::default();
        lose_what_nobody_gives(&plan, &[CLUSTER_SIGNAL], &signals);
        let supply = Arc::new(supply);
        let means = Means { site, membership, supply: &supply, cluster: plan.cluster.as_ref(), checks: true };
        let reboots = Arc::new(Reboots::of(self, reached, &means));
        let chains = self.start_chains(reached, &mut plan, &signals, &ephemeral, &supply, &reboots);
        let cluster = ClusterChain {
            run: self,
            leader: &membership.leader,
            session: reached.hosts.get(&membership.leader).map(|host| &host.session),
            signals: &signals,
            ephemeral: &ephemeral,
            joining: &joining,
            initialised,
            patience: plan.rendered.patience,
            reboots: &reboots,
        };
        let _orderly = self.stop().orderly(Phase::Steps);
        let (hosts, cluster) = tokio::join!(ends_of(chains), Box::pin(cluster.run(&plan)));
        self.ended(&hosts, &cluster, reached.hosts.len())
    }

    /// Starts the chains of all hosts that were reached and may be changed; the others give the signals they can.
    pub(super) fn start_chains(
        &self,
        reached: &Reached,
        plan: &mut Plan,
        signals: &Signals,
        ephemeral: &Ephemeral,
        supply: &Arc<Supply>,
        reboots: &Arc<Reboots>,
    ) -> JoinSet<chain::Ended> {
        let mut chains = JoinSet::new();
        for (host, steps) in std::mem::take(&mut plan.difference.hosts) {
            let Some(reached_host) = reached.hosts.get(&host) else { continue };
            if !self.may_change(&host) {
                chain::only_give(&host, &steps, signals);
                continue;
            }
            let work = HostWork {
                host: host.clone(),
                session: reached_host.session.clone(),
                signals: signals.clone(),
                events: self.events().clone(),
                ephemeral: ephemeral.clone(),
                supply: Arc::clone(supply),
                stop: self.stop().clone(),
                owned: plan.rendered.owns.get(&host).cloned().unwrap_or_default(),
                reboots: Arc::clone(reboots),
            };
            chains.spawn(work.run(steps));
        }
        chains
    }

    /// Tells how the chains ended, on `count` hosts and in the cluster.
    pub(super) fn ended(&self, hosts: &AllEnded, cluster: &ClusterEnded, count: usize) -> Result<u64, Ended> {
        let all_changes = hosts.changed + cluster.changed;
        self.note(&self.summary(all_changes, count));
        let exits = hosts.problems.iter().chain(&cluster.problem).map(|problem| problem.exit);
        match exits.max() {
            None if hosts.stopped || cluster.stopped => Err(Ended::Said(Exit::Failed)),
            None => Ok(all_changes),
            // Each was shown when it happened.
            Some(exit) => Err(Ended::Said(exit)),
        }
    }

    /// Says how many steps each chain has, and how many of them are to be done.
    pub(super) fn tell_plan(&self, plan: &Plan) {
        for (host, chain) in &plan.difference.hosts {
            if self.may_change(host) {
                self.planned(host, chain.len(), pending(chain));
            }
        }
        let cluster = &plan.difference.cluster;
        if !cluster.is_empty() {
            self.planned(CLUSTER, cluster.len(), cluster.iter().filter(|step| step.is_pending()).count());
        }
    }

    fn planned(&self, host: &str, steps: usize, pending: usize) {
        self.events().send(&Event::HostPlanned {
            host: host.to_owned(),
            steps: steps as u64,
            pending: pending as u64,
        });
    }

    pub(super) fn summary(&self, changes: u64, hosts: usize) -> String {
        let seconds = crate::output::text::duration(self.handle().elapsed_milliseconds());
        let word = if changes == 1 { "change" } else { "changes" };
        format!("{changes} {word} on {hosts} hosts in {seconds}")
    }
}

/// How the chains of all hosts ended.
#[derive(Debug, Default)]
pub(super) struct AllEnded {
    /// Steps that changed something.
    changed: u64,
    /// Whether some were stopped before their end.
    stopped: bool,
    problems: Vec<Problem>,
}

/// Waits for all chains.
pub(super) async fn ends_of(mut chains: JoinSet<chain::Ended>) -> AllEnded {
    let mut all = AllEnded::default();
    while let Some(joined) = chains.join_next().await {
        match joined {
            Ok(ended) => {
                all.changed += ended.changed;
                all.stopped |= ended.stopped.is_some();
                all.problems.extend(ended.problem);
            }
            Err(error) => all.problems.push(Problem::from_error(Exit::Failed, &error)),
        }
    }
    all
}

/// A signal of a host that was not reached will not come; whoever waits for it must not wait for ever. `others` are given
/// by the run itself.
pub(super) fn lose_what_nobody_gives(plan: &Plan, others: &[&str], signals: &Signals) {
    let rendered = &plan.rendered;
    let of_hosts = || rendered.hosts.iter().filter(|(host, _)| plan.difference.hosts.contains_key(*host));
    let steps = || of_hosts().flat_map(|(_, chain)| chain);
    let given: BTreeSet<&String> = steps()
        .filter_map(|step| step.gives.as_ref())
        .chain(rendered.cluster.iter().filter_map(|step| step.gives.as_ref()))
        .collect();
    let lost: BTreeSet<String> = steps()
        .flat_map(|step| &step.waits)
        .chain(rendered.cluster.iter().flat_map(|step| &step.waits))
        .filter(|signal| !given.contains(signal) && !others.contains(&signal.as_str()))
        .cloned()
        .collect();
    signals.lose(&lost, "the host that gives it was not reached");
}

/// A bootstrap token, when some host needs one in this run.
fn token_for(initialised: bool, joining: &[String]) -> Result<Option<garboard_protocol::Secret>, Problem> {
    if initialised && joining.is_empty() {
        return Ok(None);
    }
    token::mint().map(Some).map_err(|error| Problem::from_error(Exit::Failed, &error))
}
