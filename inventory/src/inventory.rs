//! The inventory, resolved.

use serde::Serialize;

use crate::addon::Addon;
use crate::cluster::Cluster;
use crate::edge::{Ddns, Edge, Ingress, OpenVpn};
use crate::host::{Host, Role};
use crate::playbook::OwnPlaybook;

/// What the user asked for: checked, defaults filled in, nothing left to look up in the file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct Inventory {
    /// The cluster as a whole.
    pub cluster: Cluster,
    /// The hosts in the order of the file; at least one, and at least one control plane.
    pub hosts: Vec<Host>,
    /// The user's own playbooks in the order of the file.
    pub playbooks: Vec<OwnPlaybook>,
    /// Shipped playbooks that are left out.
    pub without: Vec<String>,
    /// What faces the internet; there where one host has `edge: true`.
    pub edge: Option<Edge>,
    /// What the cluster has beside its network, in the order of the file.
    pub addons: Vec<Addon>,
}

impl Inventory {
    /// The host of this name.
    pub fn host(&self, name: &str) -> Option<&Host> {
        self.hosts.iter().find(|host| host.name == name)
    }

    /// The control planes in the order of the file; at least one.
    pub fn control_planes(&self) -> impl Iterator<Item = &Host> {
        self.hosts.iter().filter(|host| host.role == Role::ControlPlane)
    }

    /// The host that faces the internet, with what answers HTTP there.
    pub fn ingress(&self) -> Option<(&Host, &Ingress)> {
        let ingress = self.edge.as_ref()?.ingress.as_ref()?;
        Some((self.hosts.iter().find(|host| host.edge)?, ingress))
    }

    /// The host that faces the internet, with the VPN it offers.
    pub fn openvpn(&self) -> Option<(&Host, &OpenVpn)> {
        let openvpn = self.edge.as_ref()?.openvpn.as_ref()?;
        Some((self.hosts.iter().find(|host| host.edge)?, openvpn))
    }

    /// The host that faces the internet, with the names it keeps up to date.
    pub fn ddns(&self) -> Option<(&Host, &Ddns)> {
        let ddns = self.edge.as_ref()?.ddns.as_ref()?;
        Some((self.hosts.iter().find(|host| host.edge)?, ddns))
    }

    /// The workers in the order of the file.
    pub fn workers(&self) -> impl Iterator<Item = &Host> {
        self.hosts.iter().filter(|host| host.role == Role::Worker)
    }
}
