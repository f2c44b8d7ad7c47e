//! A network or a machine at home that users of the VPN reach.

use std::net::Ipv4Addr;

use ipnet::Ipv4Net;

use crate::fault::{Flaw, quote};
use crate::syntax;

/// A route as written: nothing that no packet can be routed to, and not all there is.
pub(super) fn route(text: &str) -> Result<Ipv4Net, Flaw> {
    let example = Ipv4Net::new_assert(Ipv4Addr::new(192, 168, 1, 0), 24);
    let network = syntax::ipv4_network(text, example)?;
    if network.prefix_len() == 0 {
        return Err(Flaw::new("all traffic through the VPN is not in this version")
            .help("name the networks at home, such as `192.168.1.0/24`"));
    }
    let first = network.network();
    if first.is_unspecified() || first.is_loopback() || first.is_multicast() || first.is_link_local() {
        return Err(Flaw::new(format!("{} cannot be routed to", quote(text)))
            .help("name a network at home, such as `192.168.1.0/24`"));
    }
    Ok(network)
}
