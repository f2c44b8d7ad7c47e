//! Hosts given back, all at once, and the proof of it.

use futures::future::join_all;
use garboard_protocol::event::Body;
use garboard_protocol::reset::{Keepsake, Leftover, ResetOptions, ResetReport};

use super::interrupt::Phase;
use super::reach::ReachedHost;
use super::{Reached, Run};
use crate::output::{Event, text};
use crate::problem::{Ended, Exit, Problem};

impl Run {
    /// Gives every reached host back. What it hands over for `--verify` is kept on the laptop. Gives the number of things
    /// restored or removed.
    pub async fn reset(&self, reached: &Reached, options: ResetOptions) -> Result<u64, Ended> {
        let _orderly = self.stop().orderly(Phase::Reset);
        let hosts = reached.hosts.iter().filter(|(name, _)| self.may_change(name));
        let resets = hosts.map(|(name, host)| self.reset_host(name, host, options.clone()));
        let mut restored = 0;
        let mut problems = Vec::new();
        for ended in join_all(resets).await {
            match ended {
                Ok(count) => restored += count,
                Err(problem) => problems.push(problem),
            }
        }
        if problems.is_empty() && reached.unreached.is_empty() && self.is_unlimited() {
            let failed = |error: &dyn std::error::Error| Problem::from_error(Exit::Failed, error);
            self.state.forget_cluster().map_err(|error| failed(&error))?;
            self.state.forget_kubeconfig().map_err(|error| failed(&error))?;
        }
        let seconds = text::duration(self.handle().elapsed_milliseconds());
        self.note(&format!(
            "{restored} things given back or removed on {} hosts in {seconds}",
            reached.hosts.len()
        ));
        if problems.is_empty() { Ok(restored) } else { Err(crate::problem::Problems(problems).into()) }
    }

    /// When only some hosts are given back, the rest of the cluster should not wait for them: their node objects go first.
    pub async fn forget_nodes(&self, reached: &Reached) {
        if self.is_unlimited() {
            return;
        }
        let leader = reached
            .hosts
            .iter()
            .find(|(name, host)| host.facts.kubernetes.admin_conf && !self.may_change(name));
        let Some((leader, host)) = leader else { return };
        let ca_hash = host.facts.kubernetes.ca_hash.as_deref();
        let deleted = async {
            let cluster = self.connect_cluster(leader, Some(&host.session), ca_hash).await?;
            for name in self.host_names() {
                cluster.delete_node(&name).await.map_err(|error| super::cluster_client::failed(&error))?;
            }
            Ok::<(), Problem>(())
        };
        // A cluster that does not answer is no reason to keep the hosts.
        if let Err(problem) = deleted.await {
            self.note(&format!(
                "warning: the node objects stay in the cluster ({}); remove them with `kubectl delete node`",
                problem.message
            ));
        }
    }

    async fn reset_host(
        &self,
        name: &str,
        host: &ReachedHost,
        options: ResetOptions,
    ) -> Result<u64, Problem> {
        let mut keepsake: Option<Keepsake> = None;
        let report = host
            .session
            .reset(options, |body| match body {
                Body::Keepsake(kept) => keepsake = Some(kept),
                body => self.show(name, body),
            })
            .await
            .map_err(|error| error.problem(name))?;
        self.events().send(&Event::HostFinished {
            host: name.to_owned(),
            changed: report.restored,
            steps: report.restored,
            bytes_sent: host.session.bytes_sent(),
        });
        if let Some(keepsake) = keepsake {
            self.state
                .write_keepsake(name, &keepsake)
                .map_err(|error| Problem::from_error(Exit::Failed, &error).host(name))?;
        }
        self.tell(name, &report);
        if report.leftovers.is_empty() {
            return Ok(report.restored);
        }
        Err(Problem::new(Exit::Failed, format!("{} things could not be given back", report.leftovers.len()))
            .host(name)
            .help("run `garboard reset` again; what is left then needs a look at the host"))
    }

    fn show(&self, host: &str, body: Body) {
        let host = host.to_owned();
        match body {
            Body::Started { id, doing } => {
                self.events().send(&Event::StepStarted { host, step: id.to_string(), doing });
            }
            Body::Progress { id, text, waits } => {
                self.events().send(&Event::StepProgress { host, step: id.to_string(), text, waits });
            }
            Body::Finished { id, changes, milliseconds, .. } => {
                self.events().send(&Event::StepFinished {
                    host,
                    step: id.to_string(),
                    changes,
                    milliseconds,
                });
            }
            _ => {}
        }
    }

    /// Compares every reached host with what was before the first `up`. Gives the number of leftovers.
    pub async fn verify(&self, reached: &Reached) -> Result<usize, Ended> {
        let hosts = reached.hosts.iter().filter(|(name, _)| self.may_change(name));
        let verifies = hosts.map(|(name, host)| async move {
            let keepsake = self
                .state
                .keepsake(name)
                .map_err(|error| Problem::from_error(Exit::Failed, &error).host(name))?;
            let known = keepsake.is_some() || host.facts.garboard.baseline;
            let report = host.session.verify(keepsake).await.map_err(|error| error.problem(name))?;
            Ok::<_, Problem>((name, known, report))
        });
        let mut left = 0;
        for ended in join_all(verifies).await {
            let (name, known, report) = ended?;
            if !known {
                self.note(&format!("{name}: this laptop never changed it, so there is nothing to compare with but the usual places"));
            }
            left += report.leftovers.len();
            self.tell(name, &report);
            if report.leftovers.is_empty() {
                self.note(&format!("{name}: as it was before"));
            }
        }
        Ok(left)
    }

    fn tell(&self, host: &str, report: &ResetReport) {
        for (what, list) in [("left", &report.leftovers), ("kept", &report.kept)] {
            for Leftover { kind, subject, detail } in list {
                self.note(&format!(
                    "{host}: {what}: {kind} {}: {}",
                    text::one_line(subject),
                    text::one_line(detail)
                ));
            }
        }
    }
}
