//! The disk of a first control plane, measured before there is one: etcd writes to it with every change of the cluster.

use super::{Reached, Run};
use crate::check::{DISK_LATENCY, latency_query};
use crate::membership::Membership;
use crate::problem::Ended;

impl Run {
    /// Measures, and refuses a disk that is too slow. Writes a file that has no name, and only where a control plane is about to be
    /// made: what runs already has shown that it can.
    pub async fn measure_disk(&self, reached: &mut Reached, membership: &Membership) -> Result<(), Ended> {
        let leader = &membership.leader;
        if membership.cluster.is_some() || !self.may_change(leader) {
            return Ok(());
        }
        let Some(host) = reached.hosts.get_mut(leader) else { return Ok(()) };
        let facts = host.session.facts(latency_query()).await.map_err(|error| error.problem(leader))?;
        if facts.sync_latency.is_none() {
            self.note(&format!("warning: {leader}: {DISK_LATENCY}: could not be measured"));
        }
        host.facts.sync_latency = facts.sync_latency;
        let rows: Vec<_> = self
            .rows(reached)
            .into_iter()
            .filter(|row| row.host == *leader && row.check == DISK_LATENCY)
            .collect();
        self.refuse(&rows, |_| true)
    }
}
