//! How many control planes there are, and where.

use crate::fault::{Fault, Faults};
use crate::host::Role;
use crate::source::{Host, Inventory};
use crate::span::{Given, Span};
use crate::syntax::is_loopback;

/// At least one, an odd number, one in this version; none behind a loopback address.
pub(super) fn check(inventory: &Inventory, faults: &mut Faults) {
    let planes: Vec<(&str, &Host, Span)> = inventory
        .hosts
        .iter()
        .filter_map(|(name, host)| {
            let role = host.role.valid().filter(|role| role.value == Role::ControlPlane)?;
            Some((name.value.as_str(), host, role.span))
        })
        .collect();
    // A host whose role is misspelt may have been meant as the control plane.
    let undecided = inventory.hosts.iter().any(|(_, host)| host.role == Given::Faulty);
    if let Some(hosts_key) = inventory.hosts_key.filter(|_| !inventory.hosts.is_empty()) {
        if planes.is_empty() && !undecided {
            faults.push(
                Fault::new(hosts_key, "no host has `role: control_plane`")
                    .help("give one host `role: control_plane`"),
            );
        }
        if !planes.is_empty() && planes.len().is_multiple_of(2) {
            faults.push(
                Fault::new(hosts_key, format!("an even number of control planes ({})", planes.len())).help(
                    format!(
                        "etcd needs a majority: {} survive no more failures than {}",
                        planes.len(),
                        planes.len() - 1
                    ),
                ),
            );
        }
    }
    if let [(first, _, first_span), (second, _, second_span), ..] = planes.as_slice() {
        faults.push(
            Fault::new(*second_span, "more than one control plane is not in this version")
                .related(*first_span, "the first one")
                .help(format!("keep `{first}` and make `{second}` a worker: `role: worker`")),
        );
    }
    for (name, host, _) in &planes {
        if let Some(address) = host.address.valid().filter(|address| is_loopback(&address.value)) {
            faults.push(
                Fault::new(
                    address.span,
                    format!("the control plane `{name}` has the loopback address `{}`", address.value),
                )
                .help("write the address the other hosts and your kubeconfig reach it at"),
            );
        }
    }
}
