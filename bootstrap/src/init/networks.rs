//! Networks for pods and services that keep clear of the hosts' own.

use std::net::Ipv4Addr;

use garboard_protocol::Facts;
use ipnet::Ipv4Net;

use super::{Answers, Finding};
use crate::check::is_of_the_cluster;

/// The two networks, and why they are not the usual ones.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Networks {
    pub(super) pods: Choice,
    pub(super) services: Choice,
}

/// One network.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Choice {
    pub(super) network: Ipv4Net,
    /// What stands in the way of the usual one.
    pub(super) instead: Option<Taken>,
}

/// A network that is somebody's already.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Taken {
    /// What would have been written otherwise.
    pub(super) usual: Ipv4Net,
    /// The host's own.
    pub(super) network: Ipv4Net,
    /// Which host, by its place in the answers.
    pub(super) host: usize,
    /// The interface, where the host was looked at.
    pub(super) interface: Option<String>,
}

impl Networks {
    /// The usual ones, or the first of the same size below 10.0.0.0/8 and 172.16.0.0/12 that touch no network of a host.
    pub(super) fn of(answers: &Answers, findings: &[Finding]) -> Self {
        let taken = taken(answers, findings);
        let pods = choose(Ipv4Addr::new(10, 244, 0, 0), 16, &taken, None);
        let services = choose(Ipv4Addr::new(10, 96, 0, 0), 12, &taken, Some(pods.network));
        Self { pods, services }
    }
}

type Own = (Ipv4Net, usize, Option<String>);

/// The hosts' addresses as they were answered, and their networks as they were found.
fn taken(answers: &Answers, findings: &[Finding]) -> Vec<Own> {
    let mut taken = Vec::new();
    for (index, host) in answers.hosts.iter().enumerate() {
        if let Ok(address) = host.address.parse::<Ipv4Addr>() {
            taken.push((Ipv4Net::from(address), index, None));
        }
        let facts = findings.get(index).and_then(Finding::facts);
        taken.extend(facts.into_iter().flat_map(own).map(|(net, interface)| (net, index, Some(interface))));
    }
    // Those that were found say more than an address that was answered.
    taken.sort_by_key(|(_, _, interface)| interface.is_none());
    taken
}

fn own(facts: &Facts) -> impl Iterator<Item = (Ipv4Net, String)> {
    facts.addresses.iter().filter(|address| !is_of_the_cluster(facts, address)).filter_map(|address| {
        let net = Ipv4Net::new(address.address.parse().ok()?, address.prefix).ok()?.trunc();
        let is_apart = net.addr().is_loopback() || net.addr().is_link_local();
        (!is_apart).then(|| (net, address.interface.clone()))
    })
}

fn choose(usual: Ipv4Addr, prefix: u8, taken: &[Own], other: Option<Ipv4Net>) -> Choice {
    let usual = Ipv4Net::new_assert(usual, prefix);
    let overlap = |one: &Ipv4Net, two: &Ipv4Net| one.contains(two) || two.contains(one);
    let in_the_way = |network: &Ipv4Net| taken.iter().find(|(own, _, _)| overlap(own, network));
    let is_free = |network: &Ipv4Net| {
        in_the_way(network).is_none() && other.is_none_or(|other| !overlap(&other, network))
    };
    let Some((network, host, interface)) = in_the_way(&usual) else {
        if is_free(&usual) {
            return Choice { network: usual, instead: None };
        }
        // The pods' network had to move, and came to lie here.
        return Choice { network: first_free(prefix, is_free).unwrap_or(usual), instead: None };
    };
    let instead = Taken { usual, network: *network, host: *host, interface: interface.clone() };
    // A /16 has room for the services of any home, where there is no larger one.
    match first_free(prefix, is_free).or_else(|| first_free(prefix.max(16), is_free)) {
        Some(network) => Choice { network, instead: Some(instead) },
        // Nothing better is to be had; `check` says what overlaps.
        None => Choice { network: usual, instead: None },
    }
}

/// Private addresses of RFC 1918, the higher ones first: homes begin at the low end.
fn first_free(prefix: u8, is_free: impl Fn(&Ipv4Net) -> bool + Copy) -> Option<Ipv4Net> {
    let private = [([10, 0, 0, 0], 8), ([172, 16, 0, 0], 12), ([192, 168, 0, 0], 16)]
        .map(|(first, prefix)| Ipv4Net::new_assert(first.into(), prefix));
    private.iter().filter_map(|whole| whole.subnets(prefix).ok()).find_map(|subnets| {
        let mut subnets: Vec<_> = subnets.collect();
        subnets.reverse();
        subnets.into_iter().find(is_free)
    })
}
