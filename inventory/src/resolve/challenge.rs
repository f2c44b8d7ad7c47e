//! How an ACME server is shown that names are yours: which account of `edge.ddns` writes the record.

use std::net::{Ipv4Addr, SocketAddr};

use crate::edge::{Challenge, Ddns, DdnsName, DdnsProvider, DnsChallenge};
use crate::fault::{Fault, Faults, quote};
use crate::source::ddns as written;
use crate::source::{self, Ingress};
use crate::span::{Given, Span, Spanned};
use crate::syntax::is_in_zone;

/// Two operators that answer everybody: a resolver at home may know the names by other addresses.
const RESOLVERS: [Ipv4Addr; 2] = [Ipv4Addr::new(1, 1, 1, 1), Ipv4Addr::new(9, 9, 9, 9)];
const BY_HTTP: &str = "or write `challenge: http`";

/// `kept` is `edge.ddns` as written and resolved, name by name.
pub(super) fn resolve(
    ingress: &Ingress,
    challenge: &Given<source::Challenge>,
    kept: Option<(&written::Ddns, &Ddns)>,
    faults: &mut Faults,
) -> Option<Challenge> {
    let (asked, place) = match challenge {
        Given::Faulty => return None,
        Given::Absent | Given::Valid(Spanned { value: source::Challenge::Http, .. }) => {
            return Some(Challenge::Http);
        }
        Given::Valid(Spanned { value: source::Challenge::Dns(asked), span }) => (asked, *span),
    };
    let Some((written, ddns)) = kept else {
        faults.push(
            Fault::new(place, "`challenge: dns` needs `edge.ddns`, whose provider writes the record")
                .help(format!("add `ddns: [ {{ name: home.example.org, provider: … }} ]`, {BY_HTTP}")),
        );
        return None;
    };
    let hosts = ingress.hosts.value_or(Vec::new)?;
    let provider = account(&hosts, written, ddns, place, faults);
    let resolvers = || RESOLVERS.map(|address| SocketAddr::new(address.into(), 53)).to_vec();
    Some(Challenge::Dns(DnsChallenge {
        resolvers: asked.resolvers.value_or(resolvers)?,
        delay: asked.delay.value_or(|| 0)?,
        provider: provider?,
    }))
}

/// The one account that keeps the zones of all hosts. lego, by which Traefik writes records, has one for a whole process.
fn account(
    hosts: &[Spanned<String>],
    written: &written::Ddns,
    ddns: &Ddns,
    place: Span,
    faults: &mut Faults,
) -> Option<DdnsProvider> {
    let places =
        written.names.iter().map(|name| name.provider.as_ref().map_or(written.key, |one| one.kind.span));
    let kept: Vec<(&DdnsName, Span)> = ddns.names.iter().zip(places).collect();
    let mut all_can = true;
    for host in hosts {
        let keepers: Vec<_> = kept.iter().filter(|(name, _)| keeps(name, &host.value)).collect();
        let Some((first, first_place)) = keepers.first() else {
            all_can = false;
            faults.push(
                Fault::new(host.span, format!("{} is in no zone that `edge.ddns` keeps", quote(&host.value)))
                    .related(place, "the provider is to show that it is yours")
                    .help(format!("add a name of its zone to `edge.ddns`, {BY_HTTP}")),
            );
            continue;
        };
        if keepers.iter().any(|(name, _)| obstacle(&name.provider).is_none()) {
            continue;
        }
        all_can = false;
        let why = obstacle(&first.provider).unwrap_or_default();
        let word = first.provider.word();
        faults.push(
            Fault::new(*first_place, format!("`{word}` cannot show by DNS that {} is yours: {why}", quote(&host.value)))
                .related(place, "asked for here")
                .help("write `challenge: http`, or keep the name where TXT records can be written: `rfc2136`, `cloudflare`, `duckdns`, `desec`"),
        );
    }
    if !all_can {
        return None;
    }
    let able = || kept.iter().filter(|(name, _)| obstacle(&name.provider).is_none());
    let of_all = able().find(|(candidate, _)| {
        let same = || able().filter(|(name, _)| is_same_account(&name.provider, &candidate.provider));
        hosts.iter().all(|host| same().any(|(name, _)| keeps(name, &host.value)))
    });
    let Some((one, _)) = of_all else {
        let fault = Fault::new(
            place,
            "the zones of `hosts` are kept by several accounts of `edge.ddns`, and Traefik writes records with one alone",
        );
        let fault = able().fold(fault, |fault, (name, place)| {
            fault.related(*place, format!("the account of `{}`", name.name))
        });
        faults.push(fault.help(format!(
            "name the hosts of one account, and let the `Ingress` objects of the others name Secrets, {BY_HTTP}"
        )));
        return None;
    };
    Some(one.provider.clone())
}

/// Whether the zone of a name that is kept holds this host, as far as it can be told.
fn keeps(kept: &DdnsName, host: &str) -> bool {
    is_in_zone(host.strip_prefix("*.").unwrap_or(host), zone(kept))
}

/// The zone where it is said or known, else the widest one that could be.
fn zone(kept: &DdnsName) -> &str {
    match &kept.provider {
        DdnsProvider::Rfc2136 { zone, .. } | DdnsProvider::Cloudflare { zone: Some(zone), .. } => zone,
        // One TXT record for a name and all below it.
        DdnsProvider::Duckdns(_) => &kept.name,
        // `dedyn.io` is deSEC's own, and gives each customer a name in it.
        DdnsProvider::Desec(_) if is_in_zone(&kept.name, "dedyn.io") => last_labels(&kept.name, 3),
        _ => last_labels(&kept.name, 2),
    }
}

fn last_labels(name: &str, count: usize) -> &str {
    name.rmatch_indices('.').nth(count - 1).map_or(name, |(dot, _)| &name[dot + 1..])
}

/// Why no record can be written there with what `edge.ddns` has. Providers of lego 4.33, which Traefik 3.6.12 is built with.
fn obstacle(provider: &DdnsProvider) -> Option<&'static str> {
    match provider {
        DdnsProvider::Rfc2136 { .. } | DdnsProvider::Cloudflare { .. } => None,
        DdnsProvider::Duckdns(one) | DdnsProvider::Desec(one) => one
            .server
            .as_ref()
            .map(|_| "Traefik asks the provider's own server, and `server` names another one"),
        DdnsProvider::NoIp(_) | DdnsProvider::Dyndns2(_) => Some("dyndns2 writes addresses alone"),
        DdnsProvider::Dynu(_) => {
            Some("dyndns2 writes addresses alone; Dynu's other records take a key of its API")
        }
        DdnsProvider::Ovh(_) => Some("an account of DynHost writes addresses alone"),
        DdnsProvider::HurricaneElectric(_) => Some("the key of a record writes that record alone"),
        DdnsProvider::Dynv6(_) => Some(
            "dyndns2 writes addresses alone; dynv6 takes TXT records by `rfc2136`, at `server: ns1.dynv6.com`",
        ),
    }
}

fn is_same_account(one: &DdnsProvider, other: &DdnsProvider) -> bool {
    let key = |provider: &DdnsProvider| match provider {
        DdnsProvider::Rfc2136 { key, .. } => Some(key.name.clone()),
        _ => None,
    };
    one.word() == other.word()
        && one.secret() == other.secret()
        && one.server() == other.server()
        && key(one) == key(other)
}

#[cfg(test)]
mod tests {
    use super::last_labels;

    #[test]
    fn a_zone_that_nobody_names_is_taken_as_wide_as_it_can_be() {
        assert_eq!(last_labels("a.home.example.org", 2), "example.org");
        assert_eq!(last_labels("www.home.dedyn.io", 3), "home.dedyn.io");
        assert_eq!(last_labels("example.org", 3), "example.org");
    }
}
