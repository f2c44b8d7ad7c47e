//! From playbooks to plans.

mod cluster;
pub(crate) mod context;
mod host;
mod node_address;
mod withdraw;

use std::collections::{BTreeMap, BTreeSet};

pub use node_address::of as node_address;

use garboard_inventory::{Addon, Host, Inventory, Role};
use garboard_protocol::facts::Facts;
use garboard_protocol::step::ClockReference;

use crate::Diagnostics;
use crate::Site;
use crate::artifact::Artifacts;
use crate::check::order;
use crate::ddns::{DDNS, DdnsMaterial};
use crate::diagnostic::Faults;
use crate::ingress::{self, IngressMaterial};
use crate::lacking::{AllLacking, Lacking};
use crate::openvpn::{OPENVPN, VpnMaterial};
use crate::plan::Rendered;
use crate::playbook::{Playbook, Selector};
use crate::serving::ServingMaterial;

/// All that rendering reads.
#[derive(Debug, Clone, Copy)]
pub struct Inputs<'a> {
    /// What the user asked for.
    pub inventory: &'a Inventory,
    /// What is known of each host that was reached; the others get no chain.
    pub facts: &'a BTreeMap<String, Facts>,
    /// What the lock pins.
    pub artifacts: &'a Artifacts,
    /// The name of the control plane this run works through.
    pub leader: &'a str,
    /// What the time is on each of these hosts, by the laptop's clock.
    pub clocks: &'a BTreeMap<String, ClockReference>,
    /// What the VPN's server needs of the laptop, where the inventory has one.
    pub openvpn: Option<&'a VpnMaterial>,
    /// The secrets of dynamic DNS, where the inventory has it and its host was reached.
    pub ddns: Option<&'a DdnsMaterial>,
    /// What the ingress needs of the laptop, where the inventory has one.
    pub ingress: Option<&'a IngressMaterial>,
    /// Certificates of servers inside the cluster, where an addon needs them.
    pub serving: Option<&'a ServingMaterial>,
}

/// Why a site cannot be rendered.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum RenderError {
    /// Something in a playbook.
    #[error(transparent)]
    Playbooks(#[from] Diagnostics),
    /// Hosts of an architecture that the lock has something not for.
    #[error("{}", .0.iter().map(ToString::to_string).collect::<Vec<_>>().join("; "))]
    Lacking(Vec<Lacking>),
    /// The leader is no control plane of the inventory.
    #[error("`{leader}` cannot lead: the inventory has no control plane of this name")]
    Leader {
        /// As given.
        leader: String,
    },
    /// Which of a host's addresses the cluster should use is not clear.
    #[error(
        "host `{host}`: its address `{address}` is on none of its interfaces, and {} could be its address in the \
         cluster; say which with `node_ip` in the inventory",
        candidates_text(.candidates)
    )]
    NodeAddress {
        /// The host.
        host: String,
        /// As in the inventory.
        address: String,
        /// Addresses of its interfaces that come into question.
        candidates: Vec<String>,
    },
}

fn candidates_text(candidates: &[String]) -> String {
    match candidates {
        [] => "none of them".to_owned(),
        several => several.join(" or "),
    }
}

/// Inputs, with what follows from them.
pub(crate) struct Scene<'a> {
    pub(crate) inputs: Inputs<'a>,
    pub(crate) leader: &'a Host,
    /// Each host's address in the cluster, as far as it is known.
    pub(crate) node_addresses: BTreeMap<&'a str, String>,
}

impl<'a> Scene<'a> {
    pub(crate) fn new(inputs: Inputs<'a>) -> Result<Self, RenderError> {
        let leader = inputs
            .inventory
            .host(inputs.leader)
            .filter(|host| host.role == Role::ControlPlane)
            .ok_or_else(|| RenderError::Leader { leader: inputs.leader.to_owned() })?;
        let mut node_addresses = BTreeMap::new();
        for host in &inputs.inventory.hosts {
            let address = match inputs.facts.get(&host.name) {
                Some(facts) => Some(node_address::of(host, facts, &inputs.inventory.cluster)?),
                None => host.known_node_ip().map(|address| address.to_string()),
            };
            node_addresses.extend(address.map(|address| (host.name.as_str(), address)));
        }
        Ok(Self { inputs, leader, node_addresses })
    }

    /// How much longer than usual is waited for the control plane.
    pub(crate) fn patience(&self) -> u32 {
        let leader = self.inputs.facts.get(self.inputs.leader);
        crate::patience(leader.and_then(|facts| facts.sync_latency.as_ref()))
    }

    /// Hosts that were reached, in the order of the inventory.
    pub(crate) fn reached(&self) -> impl Iterator<Item = (&'a Host, &'a Facts)> {
        let facts = self.inputs.facts;
        self.inputs.inventory.hosts.iter().filter_map(move |host| Some((host, facts.get(&host.name)?)))
    }
}

impl Site {
    /// Renders all playbooks.
    ///
    /// # Errors
    /// Templates that fail on these facts: all of them, with their places; then artifacts the lock lacks for a host's
    /// architecture, all of them. A leader that is none, a host without a clear address: the first.
    pub fn render(&self, inputs: &Inputs<'_>) -> Result<Rendered, RenderError> {
        let scene = Scene::new(*inputs)?;
        let mut faults = Faults::default();
        let mut lacking = AllLacking::default();
        let rendered = self.render_scene(&scene, &mut faults, &mut lacking);
        let rendered = faults.or(&self.files, rendered)?;
        let lacking = lacking.into_all();
        if lacking.is_empty() { Ok(rendered) } else { Err(RenderError::Lacking(lacking)) }
    }

    pub(crate) fn render_scene(
        &self,
        scene: &Scene<'_>,
        faults: &mut Faults,
        lacking: &mut AllLacking,
    ) -> Rendered {
        let all = self.in_order();
        let mut playbooks = all.clone();
        playbooks.retain(|playbook| is_asked_for(playbook, scene.inputs.inventory));
        let mut rendered = Rendered { patience: scene.patience(), ..Rendered::default() };
        for (host, facts) in scene.reached() {
            let taken: Vec<&Playbook> =
                playbooks.iter().copied().filter(|playbook| takes(playbook, host, scene)).collect();
            let chain = self.host_chain((&all, &taken), scene, (host, facts), faults, lacking);
            rendered.hosts.insert(host.name.clone(), chain);
            let everywhere = playbooks.iter().filter(|playbook| playbook.hosts == Selector::Cluster);
            let owned: BTreeSet<_> =
                taken.iter().chain(everywhere).flat_map(|playbook| playbook.owns.iter().cloned()).collect();
            rendered.owns.insert(host.name.clone(), owned.into_iter().collect());
        }
        rendered.cluster = self.cluster_chain(&playbooks, scene, faults);
        rendered
    }

    /// The playbooks as they run: in the order of `site.yaml` as far as `after` allows.
    fn in_order(&self) -> Vec<&Playbook> {
        order(&self.playbooks).into_iter().map(|index| &self.playbooks[index]).collect()
    }
}

/// The inventory wants it: it is not left out, and what it is for is there.
pub(crate) fn is_asked_for(playbook: &Playbook, inventory: &Inventory) -> bool {
    let name = playbook.name.as_str();
    let addon = Addon::ALL.into_iter().find(|addon| addon.word() == name);
    !inventory.without.contains(&playbook.name)
        && (name != OPENVPN || inventory.openvpn().is_some())
        && (name != DDNS || inventory.ddns().is_some())
        && (!ingress::PLAYBOOKS.contains(&name) || inventory.ingress().is_some())
        && addon.is_none_or(|addon| inventory.addons.contains(&addon))
}

fn takes(playbook: &Playbook, host: &Host, scene: &Scene<'_>) -> bool {
    playbook.hosts.takes(host, host.name == scene.leader.name)
}
