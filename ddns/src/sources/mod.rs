//! Who says what this network's address is, one file each.

mod dns;
mod https;
mod interface;
mod nat_pmp;
mod route;
mod upnp;

use std::net::IpAddr;
use std::sync::Arc;

use async_trait::async_trait;

use crate::address::Family;
use crate::configuration::{RouterProtocol, Sources};
use crate::http::Clients;

pub use interface::{InterfaceAddresses, interface_addresses};

/// One source.
#[async_trait]
pub trait Source: Send + Sync {
    /// Who runs it; two sources of one operator are one voice.
    fn operator(&self) -> &str;

    /// Whether it knows the addresses of this family.
    fn speaks(&self, family: Family) -> bool;

    /// The address it sees, asked from `from` if given, over that very family.
    ///
    /// # Errors
    /// A sentence without a full stop, for the log.
    async fn look(&self, family: Family, from: Option<IpAddr>) -> Result<IpAddr, String>;
}

/// What the reason says of a router that answers and has no outer address to tell.
pub const NO_ADDRESS: &str = "the router has no outer address";
/// The operator of all that the router says.
pub const ROUTER: &str = "router";
/// The operator of what this machine's own interface says.
pub const INTERFACE: &str = "interface";

/// The ways to ask the router, in their order.
pub fn router(sources: &Sources, clients: &Arc<Clients>) -> Vec<Box<dyn Source>> {
    let one = |protocol: &RouterProtocol| -> Box<dyn Source> {
        match protocol {
            RouterProtocol::Upnp => Box::new(upnp::Upnp::new(sources.gateway.upnp, Arc::clone(clients))),
            RouterProtocol::NatPmp => Box::new(nat_pmp::NatPmp::new(sources.gateway.nat_pmp)),
        }
    };
    sources.router.iter().map(one).collect()
}

/// The services on the internet.
pub fn echoes(sources: &Sources, clients: &Arc<Clients>) -> Vec<Box<dyn Source>> {
    let https =
        sources.https.iter().map(|source| Box::new(https::Https::new(source, clients)) as Box<dyn Source>);
    let dns = sources.dns.iter().map(|source| Box::new(dns::Dns::new(source)) as Box<dyn Source>);
    https.chain(dns).collect()
}
