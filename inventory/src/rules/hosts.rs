//! Two hosts are two machines.

use std::net::IpAddr;

use crate::defaults::SSH_PORT;
use crate::fault::{Fault, Faults};
use crate::host::Role;
use crate::source::{Host, Inventory, Ssh};
use crate::span::{Given, Span};
use crate::syntax::{Jump, is_loopback, same_host};

/// No address and port twice, no node address twice, no loopback address as a node's.
pub(super) fn check(inventory: &Inventory, faults: &mut Faults) {
    for (index, (name, host)) in inventory.hosts.iter().enumerate() {
        let earlier = &inventory.hosts[..index];
        let reported = earlier.iter().any(|(first_name, first)| {
            same_machine((&first_name.value, first), (&name.value, host), &inventory.ssh, faults)
        });
        if !reported {
            same_node_ip(earlier, &name.value, host, faults);
        }
        loopback(&name.value, host, faults);
    }
}

/// Behind a gateway that forwards ports one address may lead to several hosts, so the port counts too. What
/// stands on the way makes of an address what it likes: from two different ones the same address may be two hosts.
fn same_machine(first: (&str, &Host), second: (&str, &Host), common: &Ssh, faults: &mut Faults) -> bool {
    let (Some(one), Some(other)) = (first.1.address.valid(), second.1.address.valid()) else { return false };
    let (Some(port), Some(other_port)) = (port(first.1, common), port(second.1, common)) else {
        return false;
    };
    if !same_host(&one.value, &other.value) || port != other_port {
        return false;
    }
    if way(first.1, common) != way(second.1, common) {
        return false;
    }
    faults.push(
        Fault::new(
            other.span,
            format!("`{}` and `{}` have the same address `{}`", first.0, second.0, other.value),
        )
        .related(one.span, format!("the address of `{}`", first.0))
        .help("two hosts are two machines; behind a gateway give each its own `ssh: { port: … }`"),
    );
    true
}

/// The jump hosts or the proxy command on the way to a host.
fn way<'a>(host: &'a Host, common: &'a Ssh) -> (Option<&'a [Jump]>, Option<&'a str>) {
    let own = host.ssh.proxy_jump != Given::Absent || host.ssh.proxy_command != Given::Absent;
    let ssh = if own { &host.ssh } else { common };
    let jumps = ssh.proxy_jump.valid().map(|written| written.value.as_slice());
    (jumps, ssh.proxy_command.valid().map(|written| written.value.as_str()))
}

fn port(host: &Host, common: &Ssh) -> Option<u16> {
    match &host.ssh.port {
        Given::Absent => common.port.value_or(|| SSH_PORT),
        own => own.to_value(),
    }
}

/// The node's address and where it was written, as far as the file tells.
pub(super) fn node_ip(host: &Host) -> Option<(IpAddr, Span)> {
    match &host.node_ip {
        Given::Valid(written) => Some((written.value, written.span)),
        Given::Faulty => None,
        Given::Absent => {
            let address = host.address.valid()?;
            Some((address.value.parse().ok()?, address.span))
        }
    }
}

fn same_node_ip(
    earlier: &[(crate::span::Spanned<String>, Host)],
    name: &str,
    host: &Host,
    faults: &mut Faults,
) {
    let Some((address, span)) = node_ip(host) else { return };
    for (first_name, first) in earlier {
        if let Some((first_address, first_span)) = node_ip(first)
            && first_address == address
        {
            let first_name = &first_name.value;
            faults.push(
                Fault::new(
                    span,
                    format!("`{first_name}` and `{name}` have the same address `{address}` in the cluster"),
                )
                .related(first_span, format!("that of `{first_name}`"))
                .help("give each its own `node_ip`"),
            );
            return;
        }
    }
}

fn loopback(name: &str, host: &Host, faults: &mut Faults) {
    let worker = host.role.valid().is_some_and(|role| role.value == Role::Worker);
    let Some(address) = host.address.valid().filter(|address| is_loopback(&address.value)) else { return };
    if worker && host.node_ip == Given::Absent {
        faults.push(
            Fault::new(address.span, format!("`{name}` has the loopback address `{}`", address.value))
                .help("write the address the other hosts reach it at, as `address` or as `node_ip`"),
        );
    }
}
