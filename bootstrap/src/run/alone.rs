//! One playbook of the user's own, run alone: on its hosts, whether they belong to a cluster or not. It never makes a
//! cluster: what waits for one is refused where there is none.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use garboard_inventory::{Host, OwnPlaybook, Place, Role};
use garboard_playbooks::{CLUSTER_SIGNAL, Ephemeral, Needs, Site};
use garboard_protocol::step::Outputs;

use super::cluster_chain::{API, ClusterChain, ClusterEnded};
use super::interrupt::Phase;
use super::reboot::{Means, Reboots};
use super::signal::Signals;
use super::{Plan, Reached, Run, Writing};
use crate::check::{EARLIER_CLUSTER, refusals};
use crate::lock::Supply;
use crate::membership::Membership;
use crate::problem::{Ended, Exit, Problem, none_of};

/// A playbook and what it needs.
pub struct Alone {
    site: Site,
    name: String,
    needs: Needs,
    /// The hosts it changes.
    hosts: BTreeSet<String>,
}

impl Alone {
    /// The site that holds this playbook alone.
    pub fn site(&self) -> &Site {
        &self.site
    }

    fn needs_cluster(&self) -> bool {
        self.needs.api || !self.needs.signals.is_empty()
    }
}

impl Run {
    /// Finds a playbook by its name in the inventory, or by its folder. All playbooks are checked; no host is called.
    pub fn alone(&self, named: &str) -> Result<Alone, Ended> {
        let mut own = self.inventory().playbooks.clone();
        let mut site = self.site_of(&own)?;
        let mut name = named.to_owned();
        if site.playbook(named).is_none() && (named.contains('/') || Path::new(named).is_dir()) {
            let listed = own.iter().find(|listed| is_same_folder(&listed.folder, Path::new(named)));
            if let Some(listed) = listed {
                name = name_of(&listed.folder);
            } else {
                own.push(of_command_line(named));
                site = self.site_of(&own)?;
                name = name_of(Path::new(named));
            }
        }
        let Some(playbook) = site.playbook(&name) else {
            return Err(unknown(named, &site).into());
        };
        if !playbook.own {
            return Err(Problem::new(Exit::Usage, format!("`{name}` comes with Garboard"))
                .help("`garboard up` runs it; `run` is for playbooks of your own")
                .into());
        }
        let leader = self.first_control_plane();
        let hosts: BTreeSet<String> = self
            .inventory()
            .hosts
            .iter()
            .filter(|host| playbook.takes(host, leader) && self.may_change(&host.name))
            .map(|host| host.name.clone())
            .collect();
        let alone = Alone { needs: site.only(&name).needs(), site: site.only(&name), name, hosts };
        self.refuse_unfit(&alone)?;
        Ok(alone)
    }

    /// A shipped playbook alone, for a command that looks after what it makes.
    pub(super) fn shipped_alone(&self, name: &str) -> Result<Alone, Ended> {
        let site = self.site()?;
        let leader = self.first_control_plane();
        let taken = |host: &&Host| site.playbook(name).is_some_and(|playbook| playbook.takes(host, leader));
        let hosts = self.inventory().hosts.iter().filter(taken).filter(|host| self.may_change(&host.name));
        let hosts = hosts.map(|host| host.name.clone()).collect();
        let alone =
            Alone { needs: site.only(name).needs(), site: site.only(name), name: name.to_owned(), hosts };
        self.refuse_unfit(&alone)?;
        Ok(alone)
    }

    /// What cannot be run alone, as far as that is known before any host is called.
    fn refuse_unfit(&self, alone: &Alone) -> Result<(), Problem> {
        let foreign =
            alone.needs.signals.iter().find(|signal| ![API, CLUSTER_SIGNAL].contains(&signal.as_str()));
        if let Some(signal) = foreign {
            return Err(Problem::new(
                Exit::Usage,
                format!("`{}` waits for `{signal}`, which another playbook gives", alone.name),
            )
            .help(format!("`garboard up` runs them together; alone, a playbook may wait for `{API}` and `{CLUSTER_SIGNAL}`")));
        }
        if alone.hosts.is_empty() && !alone.needs.api {
            let help = if self.is_unlimited() {
                "see `hosts:` in its `playbook.yaml`".to_owned()
            } else {
                "name one of its hosts with `--limit`".to_owned()
            };
            return Err(
                Problem::new(Exit::Usage, format!("`{}` runs on none of these hosts", alone.name)).help(help)
            );
        }
        Ok(())
    }

    /// Connects to the hosts the playbook changes, and to those it must know something of.
    pub async fn reach_for(&self, alone: &Alone) -> Result<Reached, Ended> {
        let is_asked = |host: &&Host| {
            alone.hosts.contains(&host.name)
                || alone.needs.all_hosts
                || (alone.needs_cluster() && host.role == Role::ControlPlane)
        };
        self.reach_hosts(self.asked_for().filter(is_asked)).await
    }

    /// Refuses hosts of other clusters. What else stands in the way of Kubernetes is no matter of one playbook's.
    pub fn preflight_for(&self, alone: &Alone, reached: &Reached) -> Result<(), Ended> {
        self.refuse_other_clusters(reached)?;
        let mut rows = self.rows(reached);
        rows.retain(|row| row.check == EARLIER_CLUSTER && alone.hosts.contains(&row.host));
        none_of(refusals(&rows)).map_err(Ended::from)
    }

    /// Who leads; the cluster only where the playbook needs it.
    pub fn membership_for(&self, alone: &Alone, reached: &Reached) -> Result<Membership, Ended> {
        if !alone.needs_cluster() {
            return Ok(Membership { leader: self.first_control_plane().to_owned(), cluster: None });
        }
        let membership = self.membership(reached)?;
        if membership.cluster.is_none() {
            return Err(Problem::new(
                Exit::Refused,
                format!("`{}` needs the cluster, and there is none yet", alone.name),
            )
            .help("make it first: `garboard up`, which runs this playbook as well if the inventory names it")
            .into());
        }
        Ok(membership)
    }

    /// What the lock pins, where the playbook needs it.
    pub async fn supply_for(
        &self,
        alone: &Alone,
        reached: &Reached,
        writing: Writing,
    ) -> Result<Supply, Ended> {
        if alone.needs.artifacts {
            return self.supply(&alone.site, reached, writing).await;
        }
        let mut supply = Supply::nothing(&self.store()?);
        supply.openvpn = self.vpn_material(writing).await?;
        if alone.needs.ddns {
            self.supply_ddns(reached, &mut supply).await?;
        }
        supply.ingress = self.ingress_material(writing).await?;
        supply.serving = self.serving_material(reached, writing)?;
        Ok(supply)
    }

    /// Removes the difference of one playbook. Gives the number of steps that changed something.
    pub async fn apply_alone(
        &self,
        alone: &Alone,
        reached: &Reached,
        membership: &Membership,
        mut plan: Plan,
        supply: Supply,
    ) -> Result<u64, Ended> {
        let count = plan.difference.hosts.len();
        if plan.difference.pending() == 0 {
            self.note(&self.summary(0, count));
            return Ok(0);
        }
        self.tell_plan(&plan);
        let signals = Signals::default();
        super::apply::lose_what_nobody_gives(&plan, &[API, CLUSTER_SIGNAL], &signals);
        let ephemeral = Ephemeral { token: None };
        let supply = Arc::new(supply);
        let means = Means {
            site: &alone.site,
            membership,
            supply: &supply,
            cluster: plan.cluster.as_ref(),
            checks: false,
        };
        let reboots = Arc::new(Reboots::of(self, reached, &means));
        let chains = self.start_chains(reached, &mut plan, &signals, &ephemeral, &supply, &reboots);
        let cluster = async {
            // Without a cluster nothing of this playbook waits for one.
            let Some(ca_hash) = membership.cluster.clone() else { return ClusterEnded::default() };
            signals.give(API, Outputs::from([("ca_hash".to_owned(), ca_hash)]));
            let chain = ClusterChain {
                run: self,
                leader: &membership.leader,
                session: reached.hosts.get(&membership.leader).map(|host| &host.session),
                signals: &signals,
                ephemeral: &ephemeral,
                joining: &[],
                initialised: true,
                patience: plan.rendered.patience,
                reboots: &reboots,
            };
            Box::pin(chain.run(&plan)).await
        };
        let _orderly = self.stop().orderly(Phase::Steps);
        let (hosts, cluster) = tokio::join!(super::apply::ends_of(chains), cluster);
        self.ended(&hosts, &cluster, count)
    }

    /// Leads in every cluster of this version; whether it is live is for [`Run::membership`] to say.
    fn first_control_plane(&self) -> &str {
        self.inventory().control_planes().next().map_or("", |host| host.name.as_str())
    }
}

fn is_same_folder(one: &Path, other: &Path) -> bool {
    matches!((one.canonicalize(), other.canonicalize()), (Ok(one), Ok(other)) if one == other)
}

/// As the playbooks' reader names it.
fn name_of(folder: &Path) -> String {
    let real = || folder.canonicalize().ok();
    let written = folder.file_name().map(ToOwned::to_owned);
    let name = written.or_else(|| real().and_then(|real| real.file_name().map(ToOwned::to_owned)));
    name.unwrap_or_default().to_string_lossy().into_owned()
}

/// A folder that only the command line names.
fn of_command_line(named: &str) -> OwnPlaybook {
    let place = Place { file: "the command line".into(), text: named.into(), range: 0..named.len() };
    OwnPlaybook { folder: PathBuf::from(named), place }
}

fn unknown(named: &str, site: &Site) -> Problem {
    let own: Vec<&str> = site
        .playbooks
        .iter()
        .filter(|playbook| playbook.own)
        .map(|playbook| playbook.name.as_str())
        .collect();
    let there = if own.is_empty() {
        "it names none: add `playbooks: [./NAME]`".to_owned()
    } else {
        format!("it names {}", own.join(", "))
    };
    Problem::new(Exit::Usage, format!("the inventory names no playbook `{named}`"))
        .help(format!("{there}; or name a folder: `garboard run ./{named}`"))
}
