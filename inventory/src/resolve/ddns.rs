//! Names that follow the address, from the checked source.

use super::{Base, optional, secret};
use crate::edge::{
    AddressFamily, Ddns, DdnsAccount, DdnsGateway, DdnsIntervals, DdnsName, DdnsProvider, DdnsSources,
    DdnsToken, TsigKey,
};
use crate::fault::Faults;
use crate::source::ddns::{self as source, Kind};

/// Seconds others may keep an address that changes.
const TTL: u32 = 60;

pub(super) fn resolve(source: &source::Ddns, base: Option<Base<'_>>, faults: &mut Faults) -> Option<Ddns> {
    let names: Vec<_> = source.names.iter().map(|name| resolve_name(name, base, faults)).collect();
    let default = DdnsIntervals::default();
    let [router, echo, retry] = &source.intervals;
    Some(Ddns {
        names: names.into_iter().collect::<Option<Vec<_>>>().filter(|_| !source.is_incomplete)?,
        sources: resolve_sources(&source.sources)?,
        intervals: DdnsIntervals {
            router: router.value_or(|| default.router)?,
            echo: echo.value_or(|| default.echo)?,
            retry: retry.value_or(|| default.retry)?,
        },
        allow: source.allow.value_or(Vec::new)?,
    })
}

fn resolve_name(source: &source::Name, base: Option<Base<'_>>, faults: &mut Faults) -> Option<DdnsName> {
    let provider = resolve_provider(source.provider.as_ref()?, base, faults);
    Some(DdnsName {
        name: source.name.to_value()?,
        families: source.families.value_or(|| vec![AddressFamily::Ipv4])?,
        provider: provider?,
    })
}

fn resolve_provider(
    source: &source::Provider,
    base: Option<Base<'_>>,
    faults: &mut Faults,
) -> Option<DdnsProvider> {
    let reference = secret(&source.secret, base, faults)??;
    let server = optional(&source.server)?;
    let account = |password, server| -> Option<DdnsAccount> {
        Some(DdnsAccount { username: optional(&source.username)?, password, server })
    };
    Some(match source.kind.value {
        Kind::Rfc2136 => DdnsProvider::Rfc2136 {
            server: server?,
            zone: source.zone.to_value()?,
            key: TsigKey { name: source.key_name.to_value()?, secret: reference },
            ttl: source.ttl.value_or(|| TTL)?,
        },
        Kind::Cloudflare => {
            DdnsProvider::Cloudflare { zone: optional(&source.zone)?, token: reference, server }
        }
        Kind::Duckdns => DdnsProvider::Duckdns(DdnsToken { token: reference, server }),
        Kind::Desec => DdnsProvider::Desec(DdnsToken { token: reference, server }),
        Kind::NoIp => DdnsProvider::NoIp(account(reference, server)?),
        Kind::Dynu => DdnsProvider::Dynu(account(reference, server)?),
        Kind::Ovh => DdnsProvider::Ovh(account(reference, server)?),
        Kind::HurricaneElectric => DdnsProvider::HurricaneElectric(account(reference, server)?),
        Kind::Dynv6 => DdnsProvider::Dynv6(account(reference, server)?),
        Kind::Dyndns2 => DdnsProvider::Dyndns2(account(reference, server)?),
    })
}

fn resolve_sources(source: &source::Sources) -> Option<DdnsSources> {
    let default = DdnsSources::default();
    Some(DdnsSources {
        router: source.router.value_or(|| default.router)?,
        gateway: DdnsGateway {
            upnp: optional(&source.gateway.upnp)?,
            nat_pmp: optional(&source.gateway.nat_pmp)?,
        },
        https: source.https.value_or(|| default.https)?,
        dns: source.dns.value_or(|| default.dns)?,
        interface: optional(&source.interface)?,
    })
}
