//! Addresses of their own, where the person says behind which gateway.

use std::fmt;
use std::net::Ipv4Addr;
use std::str::FromStr;

use ipnet::Ipv4Net;

use super::{HostAnswer, System};
use crate::problem::{Exit, Problem};

/// The router of the hosts' network, written like `192.168.1.1/24`. It answers for names as well.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Gateway(Ipv4Net);

impl FromStr for Gateway {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let network: Option<Ipv4Net> = text.trim().parse().ok().filter(|network: &Ipv4Net| {
            let (first, last) = (network.network(), network.broadcast());
            (1..=30).contains(&network.prefix_len()) && network.addr() != first && network.addr() != last
        });
        let form =
            "write the router's address with the length of the network's prefix, like `192.168.1.1/24`";
        network.map(Self).ok_or_else(|| form.to_owned())
    }
}

impl fmt::Display for Gateway {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(formatter)
    }
}

impl Gateway {
    /// The router itself.
    pub(super) fn address(self) -> Ipv4Addr {
        self.0.addr()
    }

    /// `ADDRESS/PREFIX` for a host that has an address of its own; none for one that is found by a name.
    pub(super) fn for_host(self, address: &str) -> Option<String> {
        let address: Ipv4Addr = address.parse().ok()?;
        Some(format!("{address}/{}", self.0.prefix_len()))
    }

    pub(super) fn faults(self, system: System, hosts: &[HostAnswer]) -> Vec<Problem> {
        if !system.has_cloud_init() {
            let message = format!("the first boot of {} sets no address", system.called());
            let help =
                "leave `--gateway` out and have the router reserve the addresses, or take another system";
            return vec![Problem::new(Exit::Usage, message).help(help)];
        }
        let network = self.0.trunc();
        let mut faults = Vec::new();
        for host in hosts {
            let Ok(address) = host.address.parse::<Ipv4Addr>() else { continue };
            let wrong = if address == self.address() {
                "is the gateway's own".to_owned()
            } else if !network.contains(&address) {
                format!("is not in the gateway's network {network}")
            } else if address == network.network() || address == network.broadcast() {
                format!("means the network {network} itself")
            } else {
                continue;
            };
            let message = format!("the address {address} {wrong}");
            let help = "choose an address of that network, outside the range that the router gives away";
            faults.push(Problem::new(Exit::Usage, message).host(host.called()).help(help));
        }
        faults
    }
}
