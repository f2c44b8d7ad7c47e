//! The front door from outside, in a run: what is looked at, and what the edge host and the inventory know of home.

use std::net::IpAddr;

use garboard_inventory::{Ingress, Inventory};
use garboard_playbooks::node_address;
use garboard_protocol::Facts;
use ipnet::IpNet;

use super::{Reached, Run};
use crate::ddns::{Command, Outside, Report};
use crate::output::Event;
use crate::outside::{Network, OutsideView, Place, Purpose, Question, is_of_home, look};

impl Run {
    /// Tells how the front door looks from outside. It is a look, and no part of what was to be done: nothing fails by it.
    pub async fn tell_outside(&self, reached: &Reached) {
        let report = match self.inventory().ddns() {
            Some(_) => self.ask_ddns(reached, &Command::Status).await.ok(),
            None => None,
        };
        if let Some(view) = self.outside(reached, report.as_ref()).await {
            self.events().send(&Event::Outside { view });
        }
    }

    /// How the names look from here; nothing where the inventory has none.
    pub(super) async fn outside(&self, reached: &Reached, report: Option<&Report>) -> Option<OutsideView> {
        let inventory = self.inventory();
        let questions = questions(inventory);
        let edge = inventory.hosts.iter().find(|host| host.edge)?;
        if questions.is_empty() {
            return None;
        }
        let seen = reached.hosts.get(&edge.name);
        let place = Place {
            router: report.and_then(router),
            networks: networks(inventory, &reached.facts()),
            edge: edge.name.clone(),
        };
        let network = Network::new(seen.map(|host| host.session.clone()));
        Some(look(&network, &questions, &place).await)
    }
}

/// Every name with every port that the router is to forward for it. A wildcard is no name that could be looked up.
fn questions(inventory: &Inventory) -> Vec<Question> {
    let mut questions = Vec::new();
    if let Some((_, ingress)) = inventory.ingress() {
        for name in ingress.hosts.iter().filter(|name| !name.starts_with("*.")) {
            let [plain, secure] = Ingress::PORTS;
            let of = |port, tls| Question { name: name.clone(), port, purpose: Purpose::Web { tls } };
            questions.extend(ingress.tls.as_ref().map(|_| of(secure, true)));
            questions.push(of(plain, false));
        }
    }
    if let Some((_, openvpn)) = inventory.openvpn() {
        let name = openvpn.remote.clone();
        questions.push(Question { name, port: openvpn.port, purpose: Purpose::Vpn });
    }
    questions
}

/// The router's address on the internet, as far as the service of dynamic DNS tells it.
fn router(report: &Report) -> Option<IpAddr> {
    match report.outside {
        Some(Outside::BehindNat { router } | Outside::Differs { router, .. }) => Some(router),
        Some(Outside::Direct) | None => {
            let mut published = report.names.iter().filter_map(|name| name.published.ipv4);
            published.next().map(IpAddr::V4).filter(|address| !is_of_home(*address))
        }
    }
}

/// Those the inventory calls home, and those its hosts are in.
fn networks(inventory: &Inventory, facts: &std::collections::BTreeMap<String, Facts>) -> Vec<IpNet> {
    let firewall = inventory.edge.as_ref().map(|edge| &edge.firewall);
    let mut networks = firewall.and_then(|firewall| firewall.lan.clone()).unwrap_or_default();
    for host in &inventory.hosts {
        let Some(facts) = facts.get(&host.name) else { continue };
        let Ok(address) = node_address(host, facts, &inventory.cluster) else { continue };
        let own = facts.addresses.iter().find(|own| own.address == address);
        networks.extend(own.and_then(|own| IpNet::new(own.address.parse().ok()?, own.prefix).ok()));
    }
    networks
}
