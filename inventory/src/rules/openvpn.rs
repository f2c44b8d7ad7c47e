//! The tunnel's network keeps clear of all others, and its users fit into it.

use std::net::{IpAddr, Ipv4Addr};

use ipnet::Ipv4Net;

use super::hosts::node_ip;
use crate::defaults;
use crate::fault::{Fault, Faults};
use crate::source::{Inventory, OpenVpn};
use crate::span::Span;

/// Network, server and broadcast address are no user's.
const TAKEN: usize = 3;

pub(super) fn check(inventory: &Inventory, faults: &mut Faults) {
    let Some(openvpn) = inventory.edge.as_ref().and_then(|edge| edge.openvpn.as_ref()) else { return };
    routes(openvpn, faults);
    user_routes(openvpn, faults);
    let Some(network) = openvpn.network.value_or(defaults::vpn_network) else { return };
    let span = openvpn.network.valid().map_or(openvpn.key, |written| written.span);
    let tunnel = Tunnel { network, span, written: openvpn.network.valid().is_some() };
    if let Some(cluster) = &inventory.cluster {
        let networks = [
            ("pod_cidr", &cluster.pod_cidr, defaults::pod_cidr as fn() -> Ipv4Net),
            ("service_cidr", &cluster.service_cidr, defaults::service_cidr),
        ];
        for (key, given, default) in networks {
            let Some(other) = given.value_or(default) else { continue };
            let place = given.valid().map(|written| written.span);
            tunnel.apart(other, &format!("`cluster.{key}`"), place, faults);
        }
    }
    for route in openvpn.routes.valid().iter().flat_map(|routes| &routes.value) {
        tunnel.apart(route.value, "the route", Some(route.span), faults);
    }
    for (name, host) in &inventory.hosts {
        let address = host
            .address
            .valid()
            .and_then(|address| Some((address.value.parse::<IpAddr>().ok()?, address.span)));
        if let Some((IpAddr::V4(address), place)) = node_ip(host).or(address)
            && network.contains(&address)
        {
            let what = format!("the address {address} of `{}` lies in {}", name.value, tunnel.described());
            faults.push(
                Fault::new(place, what)
                    .related(span, "this network")
                    .help("choose an `edge.openvpn.network` that none of your machines is in"),
            );
        }
    }
    users_fit(openvpn, &tunnel, faults);
}

/// The addresses inside the tunnel.
struct Tunnel {
    network: Ipv4Net,
    span: Span,
    written: bool,
}

impl Tunnel {
    fn described(&self) -> String {
        let default = if self.written { "" } else { ", the default" };
        format!("`edge.openvpn.network` ({}{default})", self.network)
    }

    fn apart(&self, other: Ipv4Net, what: &str, place: Option<Span>, faults: &mut Faults) {
        if !self.network.contains(&other) && !other.contains(&self.network) {
            return;
        }
        let mut fault = Fault::new(self.span, format!("{} and {what} ({other}) overlap", self.described()));
        if let Some(place) = place {
            fault = fault.related(place, "the other one");
        }
        faults.push(fault.help("choose a network that is used nowhere else, such as `10.88.0.0/24`"));
    }
}

/// No route twice, none that leads the tunnel's own packets into the tunnel.
fn routes(openvpn: &OpenVpn, faults: &mut Faults) {
    let Some(routes) = openvpn.routes.valid() else { return };
    let remote = openvpn.remote.valid();
    let remote_address = remote.and_then(|remote| remote.value.parse::<Ipv4Addr>().ok());
    for (index, route) in routes.value.iter().enumerate() {
        let mut earlier = routes.value[..index].iter();
        if let Some(first) = earlier.find(|first| first.value.contains(&route.value)) {
            faults.push(
                Fault::new(route.span, format!("`{}` is routed already", route.value))
                    .related(first.span, "here")
                    .help("keep the wider one"),
            );
        }
        if let (Some(remote), Some(address)) = (remote, remote_address)
            && route.value.contains(&address)
        {
            faults.push(
                Fault::new(route.span, format!("the route `{}` holds `remote` itself", route.value))
                    .related(remote.span, "this address")
                    .help("`remote` is the address that the router has on the internet side"),
            );
        }
    }
}

/// What a user reaches is a part of what the VPN leads to, and named once.
fn user_routes(openvpn: &OpenVpn, faults: &mut Faults) {
    let (Some(routes), Some(users)) = (openvpn.routes.valid(), openvpn.users.valid()) else { return };
    for user in &users.value {
        let Some(own) = user.value.routes.valid() else { continue };
        for (index, route) in own.value.iter().enumerate() {
            if !routes.value.iter().any(|whole| whole.value.contains(&route.value)) {
                let message = format!(
                    "`{}` of the user `{}` lies in no route of the VPN",
                    route.value, user.value.name.value
                );
                faults.push(
                    Fault::new(route.span, message)
                        .related(routes.span, "these are its routes")
                        .help("add it to `edge.openvpn.routes`, or take it out here"),
                );
            }
            let mut earlier = own.value[..index].iter();
            if let Some(first) =
                earlier.find(|first| first.value.contains(&route.value) || route.value.contains(&first.value))
            {
                faults.push(
                    Fault::new(route.span, format!("`{}` and `{}` overlap", route.value, first.value))
                        .related(first.span, "the other one")
                        .help("keep the wider one"),
                );
            }
        }
    }
}

fn users_fit(openvpn: &OpenVpn, tunnel: &Tunnel, faults: &mut Faults) {
    let Some(users) = openvpn.users.valid() else { return };
    let addresses = 1_usize << (32 - tunnel.network.prefix_len());
    let room = addresses - TAKEN;
    if users.value.len() > room {
        let message = format!("{} has {room} addresses for {} users", tunnel.described(), users.value.len());
        faults.push(
            Fault::new(tunnel.span, message)
                .related(users.span, "these users")
                .help("choose a wider network, such as `10.8.0.0/16`"),
        );
    }
}
