//! The networks of pods and services keep clear of each other and of the hosts.

use ipnet::Ipv4Net;
use std::net::IpAddr;

use super::hosts::node_ip;
use crate::defaults;
use crate::fault::{Fault, Faults};
use crate::source::{Host, Inventory};
use crate::span::{Given, Span};

/// What each host takes of the pod network (the controller manager's default for IPv4).
const NODE_PREFIX: u8 = 24;
/// kubeadm refuses a pod network more than 16 bits wider than a node's share.
const WIDEST_POD_PREFIX: u8 = NODE_PREFIX - 16;
/// The API server refuses a service network of more than 20 bits, kubeadm one of fewer than ten addresses.
const SERVICE_PREFIXES: std::ops::RangeInclusive<u8> = 12..=28;

/// A network of the cluster with where it was written, if it was.
struct Network {
    key: &'static str,
    net: Ipv4Net,
    span: Option<Span>,
}

impl Network {
    fn new(key: &'static str, given: &Given<Ipv4Net>, default: fn() -> Ipv4Net) -> Option<Self> {
        Some(Self { key, net: given.value_or(default)?, span: given.valid().map(|written| written.span) })
    }

    fn described(&self) -> String {
        let default = if self.span.is_some() { "" } else { ", the default" };
        format!("`{}` ({}{default})", self.key, self.net)
    }
}

/// Overlaps and sizes.
pub(super) fn check(inventory: &Inventory, faults: &mut Faults) {
    let Some(cluster) = &inventory.cluster else { return };
    let pods = Network::new("pod_cidr", &cluster.pod_cidr, defaults::pod_cidr);
    let services = Network::new("service_cidr", &cluster.service_cidr, defaults::service_cidr);
    if let (Some(pods), Some(services)) = (&pods, &services) {
        apart(pods, services, faults);
    }
    for network in [&pods, &services].into_iter().flatten() {
        for (name, host) in &inventory.hosts {
            clear_of_host(network, &name.value, host, faults);
        }
    }
    if let Some(pods) = &pods {
        pods_fit(pods, inventory.hosts.len(), faults);
    }
    if let Some(services) = &services {
        services_fit(services, faults);
    }
}

fn apart(pods: &Network, services: &Network, faults: &mut Faults) {
    if !pods.net.contains(&services.net) && !services.net.contains(&pods.net) {
        return;
    }
    let Some(span) = services.span.or(pods.span) else { return };
    let mut fault = Fault::new(span, format!("{} and {} overlap", pods.described(), services.described()));
    if let Some(pods_span) = pods.span {
        fault = fault.related(pods_span, "the other one");
    }
    faults.push(
        fault.help("choose two networks that share no address, such as `10.244.0.0/16` and `10.96.0.0/12`"),
    );
}

fn clear_of_host(network: &Network, name: &str, host: &Host, faults: &mut Faults) {
    let address =
        host.address.valid().and_then(|address| Some((address.value.parse::<IpAddr>().ok()?, address.span)));
    let mut seen = None;
    for (address, span) in [address, node_ip(host)].into_iter().flatten() {
        let IpAddr::V4(ipv4) = address else { continue };
        if !network.net.contains(&ipv4) || seen == Some(span) {
            continue;
        }
        seen = Some(span);
        let message = format!("the address {address} of `{name}` lies in {}", network.described());
        let mut fault = Fault::new(span, message);
        if let Some(network_span) = network.span {
            fault = fault.related(network_span, "this network");
        }
        faults
            .push(fault.help(format!("choose a `cluster.{}` that none of your machines is in", network.key)));
    }
}

fn pods_fit(pods: &Network, hosts: usize, faults: &mut Faults) {
    let Some(span) = pods.span else { return };
    let prefix = pods.net.prefix_len();
    if prefix < WIDEST_POD_PREFIX {
        faults.push(
            Fault::new(
                span,
                format!("{} is too large, a /{WIDEST_POD_PREFIX} is the largest", pods.described()),
            )
            .help("write `10.244.0.0/16`: it is enough for 256 hosts"),
        );
        return;
    }
    let room = if prefix > NODE_PREFIX { 0 } else { 1_usize << (NODE_PREFIX - prefix) };
    if room >= hosts.max(1) {
        return;
    }
    let needed = NODE_PREFIX - u8::try_from(hosts.next_power_of_two().ilog2()).unwrap_or(NODE_PREFIX).min(16);
    let message = format!(
        "{} is too small: each host takes a /{NODE_PREFIX}, it has {room} of them for {hosts} host{}",
        pods.described(),
        if hosts == 1 { "" } else { "s" }
    );
    let larger = Ipv4Net::new(pods.net.addr(), needed).map_or(pods.net, |net| net.trunc());
    faults.push(Fault::new(span, message).help(format!("write `{larger}` or larger; it cannot grow later")));
}

fn services_fit(services: &Network, faults: &mut Faults) {
    let Some(span) = services.span.filter(|_| !SERVICE_PREFIXES.contains(&services.net.prefix_len())) else {
        return;
    };
    let (largest, smallest) = (SERVICE_PREFIXES.start(), SERVICE_PREFIXES.end());
    faults.push(
        Fault::new(span, format!("{} must be between /{largest} and /{smallest}", services.described()))
            .help("write `10.96.0.0/12`"),
    );
}
