//! The edge host's router, asked by this machine. By its address, and not by a search: who answers a search may be another router.

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use garboard_ddns::address::Family;
use garboard_ddns::configuration::{Gateway, RouterProtocol, Sources};
use garboard_ddns::http::Clients;
use garboard_ddns::sources;
use garboard_inventory::{DdnsSources, RouterProtocol as Asked};
use tokio::time::timeout;

use super::{Reached, Run};
use crate::check::Row;
use crate::check::router::{RouterAnswer, concerns, row};

/// RFC 6886, 3; `UPnP` Device Architecture, 1.3.3.
const NAT_PMP: u16 = 5351;
const SEARCH: u16 = 1900;
/// A search takes three seconds where nobody answers.
const PATIENCE: Duration = Duration::from_secs(5);

impl Run {
    /// What the router says of its outer address; nothing where nothing is to be reached from the internet, or no router is known.
    pub async fn router_row(&self, reached: &Reached) -> Option<Row> {
        let inventory = self.inventory();
        let edge = inventory.hosts.iter().find(|host| host.edge && concerns(inventory))?;
        let gateway = reached.hosts.get(&edge.name)?.facts.gateway?;
        let ddns = inventory.ddns().map(|(_, ddns)| ddns);
        let ways = ways(ddns.map(|ddns| &ddns.sources), gateway.into());
        if ways.router.is_empty() {
            return None;
        }
        let answer = ask(&ways).await;
        let allowed = ddns.map(|ddns| ddns.allow.as_slice()).unwrap_or_default();
        Some(row(&edge.name, &gateway.to_string(), &answer, allowed))
    }
}

/// How the service of dynamic DNS would ask, but always the edge host's own gateway.
fn ways(written: Option<&DdnsSources>, gateway: IpAddr) -> Sources {
    let default = DdnsSources::default();
    let written = written.unwrap_or(&default);
    let router = written.router.iter().map(|asked| match asked {
        Asked::Upnp => RouterProtocol::Upnp,
        Asked::NatPmp => RouterProtocol::NatPmp,
    });
    Sources {
        router: router.collect(),
        gateway: Gateway {
            upnp: written.gateway.upnp.or(Some(SocketAddr::new(gateway, SEARCH))),
            nat_pmp: written.gateway.nat_pmp.or(Some(SocketAddr::new(gateway, NAT_PMP))),
        },
        ..Sources::default()
    }
}

async fn ask(ways: &Sources) -> RouterAnswer {
    let sources = sources::router(ways, &Arc::new(Clients::default()));
    let looks = sources.iter().map(|source| timeout(PATIENCE, source.look(Family::Ipv4, None)));
    let mut reasons = Vec::new();
    for look in futures::future::join_all(looks).await {
        match look {
            Ok(Ok(address)) => return RouterAnswer::Address(address),
            Ok(Err(reason)) => reasons.push(reason),
            Err(_) => reasons.push(format!("nothing for {} s", PATIENCE.as_secs())),
        }
    }
    let none = reasons.iter().find(|reason| reason.contains(sources::NO_ADDRESS));
    none.cloned().map_or(RouterAnswer::Nothing(reasons), RouterAnswer::NoAddress)
}
