//! Who faces the internet, and which tier each host stands in.

use super::hosts::node_ip;
use crate::fault::{Fault, Faults};
use crate::host::{Role, Zone};
use crate::source::{Host, Inventory};
use crate::span::{Given, Span};

/// One edge host, a worker in the public tier, with an `edge:`; no control plane in the public tier; and where packets are
/// filtered by tier, every host with an address that the file tells.
pub(super) fn check(inventory: &Inventory, faults: &mut Faults) {
    let edges: Vec<(&str, &Host, Span)> = inventory
        .hosts
        .iter()
        .filter_map(|(name, host)| {
            let edge = host.edge.valid().filter(|edge| edge.value)?;
            Some((name.value.as_str(), host, edge.span))
        })
        .collect();
    both_or_none(inventory, &edges, faults);
    if let [(first, _, first_span), (second, _, second_span), ..] = edges.as_slice() {
        faults.push(
            Fault::new(*second_span, "more than one edge host is not in this version")
                .related(*first_span, "the first one")
                .help(format!("keep `{first}`, and remove `edge: true` of `{second}`")),
        );
    }
    for (name, host, span) in &edges {
        if host.role.valid().is_some_and(|role| role.value == Role::ControlPlane) {
            faults
                .push(Fault::new(*span, format!("the control plane `{name}` cannot be the edge host")).help(
                "what faces the internet is expected to be taken one day: make it a worker, `role: worker`",
            ));
        }
        if let Some(zone) = host.zone.valid().filter(|zone| zone.value != Zone::Public) {
            faults.push(
                Fault::new(zone.span, format!("the edge host `{name}` stands in the zone `public`"))
                    .related(*span, "it faces the internet")
                    .help("write `zone: public`, or leave it out"),
            );
        }
    }
    for (name, host) in &inventory.hosts {
        let zone = host.zone.valid().filter(|zone| zone.value == Zone::Public);
        let is_control_plane = host.role.valid().is_some_and(|role| role.value == Role::ControlPlane);
        if let Some(zone) = zone
            && is_control_plane
        {
            faults.push(
                Fault::new(
                    zone.span,
                    format!("the control plane `{}` cannot stand in the zone `public`", name.value),
                )
                .help("other hosts let nothing in from there but what a worker needs: write `zone: private`"),
            );
        }
    }
    addresses_are_known(inventory, faults);
}

/// `edge:` and a host with `edge: true` go together.
fn both_or_none(inventory: &Inventory, edges: &[(&str, &Host, Span)], faults: &mut Faults) {
    let undecided = inventory.hosts.iter().any(|(_, host)| host.edge == Given::Faulty);
    match (&inventory.edge, edges.first()) {
        (Some(edge), None) if !undecided => {
            faults.push(
                Fault::new(edge.key, "`edge` is there, and no host has `edge: true`")
                    .help("give the worker that faces the internet `edge: true`"),
            );
        }
        (None, Some((name, _, span))) => faults.push(
            Fault::new(*span, format!("`{name}` is the edge host, and there is no `edge:`"))
                .help("add `edge: { firewall: {} }` at the top: all of it has defaults"),
        ),
        _ => {}
    }
}

/// A packet is known by its sender's address: one that only the host itself tells would be missing while it is away, and with it
/// the rule.
fn addresses_are_known(inventory: &Inventory, faults: &mut Faults) {
    let is_public = |host: &Host| {
        let is_edge = host.edge.valid().is_some_and(|edge| edge.value);
        is_edge || host.zone.valid().is_some_and(|zone| zone.value == Zone::Public)
    };
    let Some((public, _)) = inventory.hosts.iter().find(|(_, host)| is_public(host)) else { return };
    for (name, host) in &inventory.hosts {
        let Some(address) = host.address.valid() else { continue };
        if host.node_ip == Given::Faulty || node_ip(host).is_some() {
            continue;
        }
        faults.push(
            Fault::new(
                address.span,
                format!(
                    "`{}` has a name for its address, and firewalls need its address in the cluster",
                    name.value
                ),
            )
            .related(
                public.span,
                "this host stands in the zone `public`, so that packets are filtered by their sender",
            )
            .help("add its `node_ip`, such as `node_ip: 192.168.1.12`"),
        );
    }
}
