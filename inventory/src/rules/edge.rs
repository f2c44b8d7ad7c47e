//! `edge:` and the host that is it.

use crate::fault::{Fault, Faults};
use crate::host::Role;
use crate::source::{Host, Inventory};
use crate::span::Span;

/// One worker faces the internet, and only if there is something for it to offer.
pub(super) fn check(inventory: &Inventory, faults: &mut Faults) {
    let hosts: Vec<(&str, &Host, Span)> = inventory
        .hosts
        .iter()
        .filter_map(|(name, host)| {
            let edge = host.edge.valid().filter(|edge| edge.value)?;
            Some((name.value.as_str(), host, edge.span))
        })
        .collect();
    for (name, host, span) in &hosts {
        if host.role.valid().is_some_and(|role| role.value == Role::ControlPlane) {
            faults.push(
                Fault::new(*span, format!("the control plane `{name}` cannot face the internet"))
                    .help("make a worker the edge: `role: worker, edge: true`"),
            );
        }
    }
    if let [(_, _, first), (second, _, span), ..] = hosts.as_slice() {
        faults.push(
            Fault::new(*span, "more than one edge host is not in this version")
                .related(*first, "the first one")
                .help(format!("remove `edge: true` from `{second}`")),
        );
    }
    match (&inventory.edge, hosts.first()) {
        (None, Some((name, _, span))) if !inventory.edge_is_faulty => faults.push(
            Fault::new(*span, format!("`{name}` is an edge host, and there is no `edge:`"))
                .help("say what it offers under `edge:` at the top, or remove `edge: true`"),
        ),
        (Some(edge), None)
            if !inventory.hosts.iter().any(|(_, host)| host.edge == crate::span::Given::Faulty) =>
        {
            faults.push(
                Fault::new(edge.key, "no host has `edge: true`")
                    .help("give it to the worker that the router forwards to: `role: worker, edge: true`"),
            );
        }
        _ => {}
    }
}
