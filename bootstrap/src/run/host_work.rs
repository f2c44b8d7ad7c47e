//! All of one host's work in a run: its chain, the blobs beside it, and what follows a reboot.

use std::sync::Arc;

use garboard_playbooks::{Ephemeral, PlannedStep};
use garboard_protocol::{Observation, Owned};
use tokio::sync::Notify;

use super::chain::{self, Chain, Ended, Halt, Stopped};
use super::difference::pending;
use super::interrupt::Stop;
use super::reboot::{Anew, Reboots};
use super::signal::Signals;
use super::transfer;
use crate::lock::Supply;
use crate::output::Events;
use crate::session::Session;

/// What it takes.
pub(super) struct HostWork {
    pub(super) host: String,
    pub(super) session: Session,
    pub(super) signals: Signals,
    pub(super) events: Events,
    pub(super) ephemeral: Ephemeral,
    pub(super) supply: Arc<Supply>,
    pub(super) stop: Stop,
    pub(super) owned: Vec<Owned>,
    pub(super) reboots: Arc<Reboots>,
}

impl HostWork {
    /// Works through the chain; after a reboot through the chain that is planned anew then. Tells how it ended.
    pub(super) async fn run(self, mut steps: Vec<(PlannedStep, Observation)>) -> Ended {
        let stays = Notify::new();
        let chain = Chain {
            host: &self.host,
            session: &self.session,
            signals: &self.signals,
            ephemeral: &self.ephemeral,
            events: &self.events,
            stop: &self.stop,
            stays: &stays,
        };
        let mut whole = Ended::default();
        let mut owned = self.owned.clone();
        let mut earlier = None;
        loop {
            let gives = chain::gives(&steps);
            whole.add(self.through(&chain, steps, owned).await);
            let Some((step, left)) = whole.reboot.take() else { return chain.tell(whole) };
            let anew = match &earlier {
                None => Box::pin(self.reboots.reboot(&chain, &step, &mut whole)).await,
                Some(earlier) => Err(Halt::Failed(self.reboots.second(&chain, &step, earlier).await)),
            };
            earlier = Some(step.id.clone());
            match anew {
                Ok(Anew { chain: planned, owned: owns }) => (steps, owned) = (planned, owns),
                Err(Halt::Failed(problem) | Halt::Unanswered(problem)) => {
                    chain.give_up(&gives, &format!("{} stopped at {}", self.host, chain::place(&problem)));
                    whole.problem = Some(problem);
                    return chain.tell(whole);
                }
                Err(Halt::Stopped | Halt::Reboot(_)) => {
                    chain.give_up(&gives, &format!("{} was stopped", self.host));
                    whole.stopped = Some(Stopped { left, next: step.id.to_string() });
                    return chain.tell(whole);
                }
            }
        }
    }

    /// As far as to the end, or to a reboot.
    async fn through(
        &self,
        chain: &Chain<'_>,
        steps: Vec<(PlannedStep, Observation)>,
        owned: Vec<Owned>,
    ) -> Ended {
        if pending(&steps) == 0 {
            return chain.run(steps).await;
        }
        if let Err(error) = self.session.owns(owned).await {
            return chain.lost(&steps, error.problem(&self.host));
        }
        let (now, later) = transfer::needed(&steps);
        let send = |blobs| transfer::send(&self.host, &self.session, &self.supply, blobs, &self.events);
        let sending = async {
            send(now).await?;
            if later.is_empty() {
                return Ok(());
            }
            // What is sent into a reboot would have to be sent again.
            chain.stays.notified().await;
            send(later).await
        };
        tokio::pin!(sending);
        let working = chain.run(steps);
        tokio::pin!(working);
        // A step whose blob cannot be had waits for ever: the transfer's failure is the chain's.
        tokio::select! {
            ended = &mut working => ended,
            Err(problem) = &mut sending => {
                if let Err(error) = self.session.cancel().await {
                    tracing::debug!("the queue of {} was not cancelled: {error}", self.host);
                }
                let mut ended = working.await;
                ended.blame(problem);
                ended
            }
        }
    }
}
