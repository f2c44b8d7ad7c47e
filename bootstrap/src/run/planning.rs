//! From facts to the real difference: lock, rendering, probes.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use futures::future::try_join_all;
use garboard_inventory::OwnPlaybook;
use garboard_playbooks::{Inputs, PlannedStep, RenderError, Rendered, Site};
use garboard_protocol::{Observation, Owned, QueuedStep, Step, StepId};

use super::difference::Difference;
use super::{Reached, Run, lacking};
use crate::cluster::Cluster;
use crate::lock::{LockError, Supply, Wanted};
use crate::membership::Membership;
use crate::output::Event;
use crate::problem::{Ended, Exit, Problem, Problems};
use crate::store::{Patience, Progress, Store, Upstream};

/// Whether the lock may be written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Writing {
    /// A new or extended lock is kept.
    Allowed,
    /// Nothing is written.
    Forbidden,
}

/// Everything `up` would do.
pub struct Plan {
    /// What differs.
    pub difference: Difference,
    pub(crate) rendered: Rendered,
    /// The live cluster, when there is one.
    pub(crate) cluster: Option<Arc<Cluster>>,
    /// Nodes that an earlier run cordoned for a reboot, and that do not have to reboot in this one.
    pub(crate) cordoned: Vec<String>,
}

impl Plan {
    /// The init step is done: the cluster exists.
    pub(crate) fn is_initialised(&self, leader: &str) -> bool {
        self.difference.hosts.get(leader).is_some_and(|chain| {
            chain.iter().any(|(planned, observation)| {
                matches!(planned.step, Step::KubeadmInit(_)) && observation.is_converged()
            })
        })
    }

    /// Hosts that have yet to join.
    pub(crate) fn joining(&self) -> Vec<String> {
        let joins = |chain: &Vec<(PlannedStep, Observation)>| {
            chain
                .iter()
                .any(|(planned, seen)| matches!(planned.step, Step::KubeadmJoin(_)) && !seen.is_converged())
        };
        self.difference.hosts.iter().filter(|(_, chain)| joins(chain)).map(|(host, _)| host.clone()).collect()
    }
}

impl Run {
    /// What can be sent to hosts of the reached architectures; completes the lock.
    pub async fn supply(&self, site: &Site, reached: &Reached, writing: Writing) -> Result<Supply, Ended> {
        let failed = |error: &LockError| Problem::from_error(error.exit(), error);
        let architectures: BTreeSet<String> =
            reached.hosts.values().map(|host| host.facts.architecture.clone()).collect();
        let store = self.store()?;
        let images = site.images(self.inventory());
        let wanted = Wanted {
            kubernetes: &self.inventory().cluster.kubernetes,
            architectures: &architectures,
            images: &images,
        };
        let completed = crate::lock::for_run(&self.lock_path(), &wanted, &store, writing == Writing::Allowed)
            .await
            .map_err(|error| failed(&error))?;
        if let Some(text) = completed.news.text() {
            self.note(&text);
        }
        let mut supply = completed.supply(&store, &architectures).await.map_err(|error| failed(&error))?;
        supply.openvpn = self.vpn_material(writing).await?;
        self.supply_ddns(reached, &mut supply).await?;
        supply.ingress = self.ingress_material(writing).await?;
        supply.serving = self.serving_material(reached, writing)?;
        Ok(supply)
    }

    /// The laptop's blobs, and where those come from that it lacks.
    pub(super) fn store(&self) -> Result<Arc<Store>, Problem> {
        let failed = |error: &dyn std::error::Error| Problem::from_error(Exit::Failed, error);
        let upstream = match &self.upstream {
            Some(url) => Upstream::mirror(url).map_err(|error| failed(&error))?,
            None => Upstream::official(),
        };
        let events = self.events().clone();
        let listener: crate::store::Listener = Arc::new(move |progress| events.send(&fetching(progress)));
        let store = Store::open(&crate::state::blobs_folder(), upstream, Patience::default(), listener)
            .map_err(|error| failed(&error))?;
        Ok(Arc::new(store))
    }

    /// All playbooks, the shipped ones and the user's own, checked against the inventory. No host is called before.
    pub fn site(&self) -> Result<Site, Ended> {
        self.site_of(&self.inventory().playbooks)
    }

    pub(super) fn site_of(&self, own: &[OwnPlaybook]) -> Result<Site, Ended> {
        let site = garboard_playbooks::site(own).map_err(Ended::Inventory)?;
        site.check(self.inventory()).map_err(Ended::Inventory)?;
        Ok(site)
    }

    /// Renders every chain and probes it: what is, against what should be.
    pub async fn plan(
        &self,
        site: &Site,
        reached: &Reached,
        membership: &Membership,
        supply: &Supply,
    ) -> Result<Plan, Ended> {
        let facts = reached.facts();
        let inputs = Inputs {
            inventory: self.inventory(),
            facts: &facts,
            artifacts: &supply.artifacts,
            leader: &membership.leader,
            clocks: &reached.clock_references(),
            openvpn: supply.openvpn.as_ref(),
            ddns: supply.ddns.as_ref(),
            ingress: supply.ingress.as_ref(),
            serving: supply.serving.as_ref(),
        };
        let mut rendered = site.render(&inputs).map_err(|error| unrendered(error, supply))?;
        rendered.hosts.retain(|_, chain| !chain.is_empty());
        let probes = rendered.hosts.iter().filter_map(|(name, chain)| {
            let session = reached.hosts.get(name)?.session.clone();
            let steps =
                chain.iter().map(|planned| QueuedStep { id: planned.id.clone(), step: planned.step.clone() });
            let (name, steps): (String, Vec<QueuedStep>) = (name.clone(), steps.collect());
            Some(async move {
                let seen = session.probe(steps).await.map_err(|error| error.problem(&name))?;
                Ok::<(String, Vec<(StepId, Observation)>), Problem>((name, seen))
            })
        });
        let observed: BTreeMap<_, _> = try_join_all(probes).await?.into_iter().collect();
        let difference = Difference::of(&rendered, observed);
        Ok(Plan { difference, rendered, cluster: None, cordoned: Vec::new() })
    }

    /// What every shipped playbook says its software makes by itself. What the user's own say lies on the hosts.
    pub fn owned(&self) -> Result<Vec<Owned>, Ended> {
        let owned: BTreeSet<Owned> =
            shipped()?.playbooks.iter().flat_map(|playbook| playbook.owns.iter().cloned()).collect();
        Ok(owned.into_iter().collect())
    }
}

fn fetching(progress: Progress) -> Event {
    match progress {
        Progress::Fetching { name, done, total, .. } => Event::Fetching { name, done, total },
        Progress::Waiting { name, milliseconds, because } => Event::Note {
            text: format!("{name}: again in {} ({because})", crate::output::text::duration(milliseconds)),
        },
        Progress::Damaged { name, expected, found } => Event::Note {
            text: format!(
                "{name}: the cached copy was damaged (expected {expected}, found {found}); it was thrown away and is fetched again"
            ),
        },
    }
}

fn shipped() -> Result<Site, Ended> {
    garboard_playbooks::shipped().map_err(Ended::Inventory)
}

fn unrendered(error: RenderError, supply: &Supply) -> Ended {
    match error {
        RenderError::Playbooks(diagnostics) => Ended::Inventory(diagnostics),
        RenderError::Lacking(all) => Problems(lacking::problems(&all, &supply.absent)).into(),
        other => Problem::from_error(Exit::Usage, &other).into(),
    }
}
