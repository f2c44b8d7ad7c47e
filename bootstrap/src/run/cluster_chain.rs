//! The cluster's own chain: what the laptop does through the Kubernetes API, once there is one.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::{Duration, Instant};

use garboard_playbooks::{CLUSTER_SIGNAL, ClusterStep, Ephemeral, PlannedClusterStep};
use garboard_protocol::Change;
use garboard_protocol::step::{ClusterId, Outputs};

use super::cluster_client::failed;
use super::cluster_step::doing;
use super::reboot::Reboots;
use super::signal::{Lost, Signals};
use super::{Plan, Run};
use crate::cluster::{Cluster, ClusterError};
use crate::output::Event;
use crate::problem::{Exit, Problem};
use crate::session::Session;

/// The host name events of this chain carry.
pub(super) const CLUSTER: &str = "cluster";
/// The signal of the first control plane's init.
pub(super) const API: &str = "api";
/// How long nodes may take to register (images are still on their way then) and to become Ready after that.
const NODES: Duration = Duration::from_mins(15);
/// How long the pods of a workload may take to run, once their nodes are Ready and their images are there.
const ROLLOUT: Duration = Duration::from_mins(5);
/// How long CoreDNS may take once all nodes are Ready.
const COREDNS: Duration = Duration::from_mins(5);
/// As long as kubeadm's own join may take, and some.
const TOKEN_LIFETIME: Duration = Duration::from_mins(15);

/// What the chain needs.
pub(super) struct ClusterChain<'a> {
    pub(super) run: &'a Run,
    pub(super) leader: &'a str,
    pub(super) session: Option<&'a Session>,
    pub(super) signals: &'a Signals,
    pub(super) ephemeral: &'a Ephemeral,
    pub(super) joining: &'a [String],
    pub(super) initialised: bool,
    /// A factor for its deadlines.
    pub(super) patience: u32,
    pub(super) reboots: &'a Reboots,
}

/// How it ended.
#[derive(Debug, Default)]
pub(super) struct ClusterEnded {
    pub(super) changed: u64,
    pub(super) problem: Option<Problem>,
    /// Somebody wanted it to stop before its end.
    pub(super) stopped: bool,
    done: usize,
}

/// Why it goes no further.
enum Halt {
    Failed(Problem),
    /// Somebody wants it.
    Stopped,
}

impl From<Problem> for Halt {
    fn from(problem: Problem) -> Self {
        Self::Failed(problem)
    }
}

impl ClusterChain<'_> {
    /// Works through the steps in order; each waits for its signals only.
    pub(super) async fn run(&self, plan: &Plan) -> ClusterEnded {
        let mut ended = ClusterEnded::default();
        let mut gives: BTreeSet<String> =
            plan.rendered.cluster.iter().filter_map(|step| step.gives.clone()).collect();
        gives.insert(CLUSTER_SIGNAL.to_owned());
        match self.work(plan, &mut ended).await {
            Ok(()) => {}
            Err(Halt::Failed(problem)) => {
                self.signals.lose(&gives, &problem.message);
                self.run.events().send(&Event::Failed { problem: problem.clone() });
                ended.problem = Some(problem);
            }
            Err(Halt::Stopped) => {
                self.signals.lose(&gives, "the run was stopped");
                ended.stopped = true;
                self.tell_stopped(plan, ended.done);
            }
        }
        self.run.events().send(&Event::HostFinished {
            host: CLUSTER.to_owned(),
            changed: ended.changed,
            steps: plan.rendered.cluster.len() as u64,
            bytes_sent: 0,
        });
        ended
    }

    async fn work(&self, plan: &Plan, ended: &mut ClusterEnded) -> Result<(), Halt> {
        if let Some(first) = plan.rendered.cluster.first() {
            self.waiting(first.id.to_string(), &[API.to_owned()]);
        }
        let given = self
            .unless_stopped(self.signals.wait(&[API.to_owned()]))
            .await?
            .map_err(|lost| Problem::new(Exit::Failed, lost.to_string()).host(CLUSTER))?;
        let ca_hash = given.signals().get(API).and_then(|outputs| outputs.get("ca_hash")).cloned();
        let cluster = match &plan.cluster {
            Some(cluster) => Arc::clone(cluster),
            None => Arc::new(self.run.connect_cluster(self.leader, self.session, ca_hash.as_deref()).await?),
        };
        {
            let _stays = self.reboots.none_now().await;
            self.identify(&cluster, ca_hash).await?;
            self.take_back(&cluster, plan, ended).await?;
        }
        let mut told = BTreeSet::new();
        for step in &plan.rendered.cluster {
            let placed = |problem: Problem| problem.host(CLUSTER).step(step.id.to_string());
            self.waiting(step.id.to_string(), &step.waits);
            if let Err(lost) = self.unless_stopped(self.signals.wait(&step.waits)).await? {
                self.pass_over(step, &lost, &mut told);
                ended.done += 1;
                continue;
            }
            match step.step {
                ClusterStep::Wait { .. } => {}
                // Waiting is no work that has to be finished.
                ClusterStep::WaitNodes { .. } | ClusterStep::WaitRollout(_) => {
                    self.unless_stopped(self.step(&cluster, step, ended)).await?.map_err(placed)?;
                }
                _ => {
                    // What is asked of a control plane that goes down meanwhile would fail.
                    let _stays = self.reboots.none_now().await;
                    self.step(&cluster, step, ended).await.map_err(placed)?;
                }
            }
            ended.done += 1;
            if let Some(signal) = &step.gives {
                self.signals.give(signal, Outputs::new());
            }
        }
        let coredns = self.outlasting(|| async {
            cluster.coredns_ready(COREDNS * self.patience).await.map_err(|e| failed(&e))
        });
        self.unless_stopped(coredns).await?.map_err(|problem| problem.host(CLUSTER))?;
        if let (Some(token), false) = (&self.ephemeral.token, self.joining.is_empty() && self.initialised)
            && let Some((id, _)) = token.expose().split_once('.')
        {
            let delete = || async { cluster.delete_token(id).await.map_err(|error| failed(&error)) };
            self.outlasting(delete).await.map_err(|problem| problem.host(CLUSTER))?;
        }
        Ok(())
    }

    /// A step that waits for a host which failed, was not reached or is not of this run: that is told there, and what does not need
    /// this host goes on. `told` are the signals that were named already.
    fn pass_over(&self, step: &PlannedClusterStep, lost: &Lost, told: &mut BTreeSet<String>) {
        if told.insert(lost.signal.clone()) {
            let text = format!("{} is left for a later `up`: {lost}", step.id);
            self.run.events().send(&Event::Note { text });
        }
        self.signals.lose(&step.gives.iter().cloned().collect(), &lost.because);
    }

    /// `work`, unless somebody wants the run to stop before it has ended.
    async fn unless_stopped<T>(&self, work: impl Future<Output = T>) -> Result<T, Halt> {
        tokio::select! {
            biased;
            () = self.run.stop().wanted() => Err(Halt::Stopped),
            done = work => Ok(done),
        }
    }

    /// `work`, once more whenever it failed because the connection to the leader was lost: all of it may be done twice.
    async fn outlasting<T, F>(&self, work: impl Fn() -> F) -> Result<T, Problem>
    where
        F: Future<Output = Result<T, Problem>>,
    {
        loop {
            let moment = self.session.map(Session::moment);
            let done = work().await;
            let (Err(problem), Some(session), Some(moment)) = (&done, self.session, moment) else {
                return done;
            };
            match session.outlasted(&moment).await {
                Ok(true) => tracing::debug!(?problem, "once more, over the new connection"),
                Ok(false) => return done,
                Err(lost) => return Err(lost.problem(self.leader)),
            }
        }
    }

    fn tell_stopped(&self, plan: &Plan, done: usize) {
        let left = plan.rendered.cluster.get(done..).unwrap_or_default();
        self.run.events().send(&Event::HostStopped {
            host: CLUSTER.to_owned(),
            done: done as u64,
            left: left.len() as u64,
            next: left.first().map_or_else(|| "coredns".to_owned(), |step| step.id.to_string()),
        });
    }

    fn waiting(&self, step: String, names: &[String]) {
        let signals = self.signals.missing(names);
        if !signals.is_empty() {
            self.run.events().send(&Event::StepWaiting { host: CLUSTER.to_owned(), step, signals });
        }
    }

    /// Learns who the cluster is, remembers it, and tells the hosts.
    async fn identify(&self, cluster: &Cluster, ca_hash: Option<String>) -> Result<(), Problem> {
        let ask = || async { cluster.uid().await.map_err(|error| failed(&error)) };
        let uid = self.outlasting(ask).await.map_err(|problem| problem.host(CLUSTER))?;
        let Some(ca_hash) = ca_hash else {
            return Err(Problem::new(Exit::Failed, "the init step gave no `ca_hash`").host(self.leader));
        };
        let name = self.run.inventory().cluster.name.clone();
        let id = ClusterId { name, ca_hash: ca_hash.clone(), uid: uid.clone() };
        self.run.remember(&id)?;
        let outputs = Outputs::from([("ca_hash".to_owned(), ca_hash), ("uid".to_owned(), uid)]);
        self.signals.give(CLUSTER_SIGNAL, outputs);
        Ok(())
    }

    /// Nodes that an earlier run cordoned for a reboot, and did not see Ready again.
    async fn take_back(
        &self,
        cluster: &Cluster,
        plan: &Plan,
        ended: &mut ClusterEnded,
    ) -> Result<(), Problem> {
        for node in plan.cordoned.iter().filter(|node| self.run.may_change(node)) {
            let step = format!("reboot/uncordon/{node}");
            let begun = Instant::now();
            let doing = format!("uncordon {node}");
            let host = || CLUSTER.to_owned();
            self.run.events().send(&Event::StepStarted { host: host(), step: step.clone(), doing });
            self.outlasting(|| async { cluster.uncordon(node).await.map_err(|error| failed(&error)) })
                .await
                .map_err(|problem| problem.host(CLUSTER).step(step.clone()))?;
            ended.changed += 1;
            self.run.events().send(&Event::StepFinished {
                host: host(),
                step,
                changes: vec![super::comparison::uncordoned(node)],
                milliseconds: u64::try_from(begun.elapsed().as_millis()).unwrap_or(u64::MAX),
            });
        }
        Ok(())
    }

    async fn step(
        &self,
        cluster: &Cluster,
        step: &PlannedClusterStep,
        ended: &mut ClusterEnded,
    ) -> Result<(), Problem> {
        let begun = Instant::now();
        let id = step.id.to_string();
        self.run.events().send(&Event::StepStarted {
            host: CLUSTER.to_owned(),
            step: id.clone(),
            doing: doing(&step.step),
        });
        let changes = self.outlasting(|| self.perform(cluster, step)).await?;
        ended.changed += u64::from(!changes.is_empty());
        self.run.events().send(&Event::StepFinished {
            host: CLUSTER.to_owned(),
            step: id,
            changes,
            milliseconds: u64::try_from(begun.elapsed().as_millis()).unwrap_or(u64::MAX),
        });
        Ok(())
    }

    async fn perform(&self, cluster: &Cluster, step: &PlannedClusterStep) -> Result<Vec<Change>, Problem> {
        match &step.step {
            ClusterStep::Manifest { documents } => cluster.apply(documents).await,
            ClusterStep::Label { node, labels } => self.of_node(node, cluster.label(node, labels).await),
            ClusterStep::Taint { node, key, value } => {
                self.of_node(node, cluster.taint(node, key, value.as_deref()).await)
            }
            ClusterStep::WaitNodes { names, ready } => {
                self.wait_nodes(cluster, step, names, *ready).await.map(|()| Vec::new())
            }
            ClusterStep::WaitRollout(workload) => {
                // Somebody else's failure is told by them; here it would only look like ours.
                let differs = cluster.rollout_differs(workload).await.map_err(|error| failed(&error))?;
                let nobody = BTreeSet::new();
                tokio::select! {
                    biased;
                    // Its pods may be for just that host: nobody knows better when they run than the next `up`.
                    () = self.signals.further_failure(&nobody) => Ok(Vec::new()),
                    waited = cluster.rolled_out(workload, ROLLOUT * self.patience) => waited.map(|()| differs),
                }
            }
            ClusterStep::Token => self.admit(cluster).await.map(|()| Vec::new()),
            ClusterStep::Wait { .. } => Ok(Vec::new()),
        }
        .map_err(|error| failed(&error))
    }

    /// Lets the hosts in that have yet to join: their old node objects go (kubeadm refuses to join over one that still
    /// looks Ready), and the token is known and signed.
    async fn admit(&self, cluster: &Cluster) -> Result<(), ClusterError> {
        let Some(token) = &self.ephemeral.token else { return Ok(()) };
        if self.joining.is_empty() {
            return Ok(());
        }
        for host in self.joining {
            cluster.delete_node(host).await?;
        }
        if self.initialised {
            return cluster.create_token(token, TOKEN_LIFETIME, "garboard: hosts join").await;
        }
        match token.expose().split_once('.') {
            Some((id, _)) => cluster.token_signed(id).await,
            None => Ok(()),
        }
    }

    /// What was done to a node, which may never have come because its host failed in this run, or is not of it: that is told there.
    fn of_node(
        &self,
        node: &str,
        done: Result<Vec<Change>, ClusterError>,
    ) -> Result<Vec<Change>, ClusterError> {
        let expected = || !self.run.may_change(node) || self.signals.failed_hosts().contains(node);
        match done {
            Err(ClusterError::Refused { code: 404, .. }) if expected() => Ok(Vec::new()),
            done => done,
        }
    }

    /// Waits for nodes, without those whose host has failed in this run.
    async fn wait_nodes(
        &self,
        cluster: &Cluster,
        step: &PlannedClusterStep,
        names: &[String],
        ready: bool,
    ) -> Result<(), ClusterError> {
        loop {
            let failed = self.signals.failed_hosts();
            let names: Vec<String> = names
                .iter()
                .filter(|name| self.run.may_change(name) && !failed.contains(*name))
                .cloned()
                .collect();
            let progress = |lacking: &[String]| {
                self.run.events().send(&Event::StepProgress {
                    host: CLUSTER.to_owned(),
                    step: step.id.to_string(),
                    text: lacking.join("; "),
                    waits: false,
                });
            };
            tokio::select! {
                waited = cluster.wait_nodes(&names, ready, NODES * self.patience, progress) => return waited,
                () = self.signals.further_failure(&failed) => {}
            }
        }
    }
}
