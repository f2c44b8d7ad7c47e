//! What a configuration must not say although its form is right; all at once.

use std::collections::BTreeSet;
use std::net::SocketAddr;
use std::time::Duration;

use super::{Configuration, DnsSource, HttpsSource, Name, Provider};
use crate::address::Family;

/// Below these, services on the internet would be asked more often than they put up with; deSEC answers its echo three times
/// a minute, and the first term after a failure is a minute by custom.
const FLOORS: [(&str, Duration); 3] = [
    ("router", Duration::from_secs(10)),
    ("echo", Duration::from_mins(1)),
    ("retry", Duration::from_mins(1)),
];

pub(super) fn violations(configuration: &Configuration) -> Vec<String> {
    let mut problems = Vec::new();
    if configuration.names.is_empty() {
        problems.push("`names` is empty: there is nothing to keep up to date".to_owned());
    }
    let mut seen = BTreeSet::new();
    for name in &configuration.names {
        if !seen.insert(&name.name) {
            problems.push(format!(
                "`{}` is in `names` twice: two entries would fight over one record",
                name.name
            ));
        }
        problems.extend(of_name(name));
    }
    for family in configuration.families() {
        problems.extend(too_few_voices(configuration, family));
    }
    let intervals =
        [configuration.intervals.router, configuration.intervals.echo, configuration.intervals.retry];
    for ((word, floor), interval) in FLOORS.into_iter().zip(intervals) {
        if interval.length() < floor && !stays_here(configuration) {
            problems.push(format!(
                "`intervals.{word}` is shorter than {} s, which is more often than services on the internet allow",
                floor.as_secs()
            ));
        }
    }
    problems
}

fn of_name(entry: &Name) -> Vec<String> {
    let name = &entry.name;
    let mut problems = Vec::new();
    if entry.families.is_empty() {
        problems.push(format!("`{name}` has no `families`: say `ipv4`, `ipv6` or both"));
    }
    let wants_ipv6 = entry.families.contains(&Family::Ipv6);
    let (needs_user, no_ipv6) = match &entry.provider {
        Provider::Rfc2136 { zone, server, .. } => {
            if server.is_empty() {
                problems.push(format!("`{name}`: `rfc2136.server` is empty"));
            }
            problems.extend(outside(entry, zone));
            (None, None)
        }
        Provider::Cloudflare { zone, .. } => {
            problems.extend(zone.as_ref().and_then(|zone| outside(entry, zone)));
            (None, None)
        }
        Provider::Duckdns { .. } => {
            let labels = name.as_str().strip_suffix(".duckdns.org").map(|before| before.split('.').count());
            if labels != Some(1) {
                problems
                    .push(format!("`{name}` is not one of Duck DNS, which are all like `home.duckdns.org`"));
            }
            (None, None)
        }
        Provider::Desec { .. } | Provider::HurricaneElectric(_) => (None, None),
        Provider::NoIp(account) | Provider::Dynu(account) => (Some(account), None),
        Provider::Ovh(account) => (Some(account), Some("OVH's DynHost is documented for IPv4 alone")),
        Provider::Dynv6(_) => (None, Some("dynv6 takes IPv6 by `rfc2136` alone (ns1.dynv6.com)")),
        Provider::Dyndns2(account) => {
            if account.server.is_none() {
                problems.push(format!("`{name}`: `dyndns2` needs `server`, the URL updates go to"));
            }
            (Some(account), None)
        }
    };
    if needs_user.is_some_and(|account| account.username.is_none()) {
        problems.push(format!("`{name}`: `{}` needs `username`", entry.provider.word()));
    }
    if let Some(why) = no_ipv6.filter(|_| wants_ipv6) {
        problems.push(format!("`{name}`: no IPv6 here, {why}"));
    }
    problems
}

fn outside(entry: &Name, zone: &super::DomainName) -> Option<String> {
    (!entry.name.is_in(zone)).then(|| format!("`{}` is not in the zone `{zone}`", entry.name))
}

/// A change needs two that agree; with fewer operators none could ever be believed.
fn too_few_voices(configuration: &Configuration, family: Family) -> Option<String> {
    let sources = &configuration.sources;
    let mut voices: BTreeSet<&str> = BTreeSet::new();
    match family {
        Family::Ipv4 if !sources.router.is_empty() => {
            voices.insert("the router");
        }
        Family::Ipv4 => {}
        Family::Ipv6 => {
            voices.insert("the interface");
        }
    }
    for source in &sources.https {
        match source {
            HttpsSource::Cloudflare => voices.insert("cloudflare"),
            HttpsSource::Ipify => voices.insert("ipify"),
            HttpsSource::Desec => voices.insert("desec"),
            HttpsSource::Other { operator, ipv4, ipv6, .. } => {
                let speaks = if family == Family::Ipv4 { ipv4.is_some() } else { ipv6.is_some() };
                speaks && voices.insert(operator)
            }
        };
    }
    for source in &sources.dns {
        match source {
            DnsSource::Opendns => voices.insert("opendns"),
            DnsSource::Google => voices.insert("google"),
            DnsSource::Other { operator, ipv4, ipv6, .. } => {
                let speaks = if family == Family::Ipv4 { ipv4.is_some() } else { ipv6.is_some() };
                speaks && voices.insert(operator)
            }
        };
    }
    (voices.len() < 2).then(|| {
        let list: Vec<&str> = voices.into_iter().collect();
        format!(
            "`sources` has {} for {family}: a new address counts when two independent operators agree on it",
            if list.is_empty() { "nobody".to_owned() } else { format!("only {}", list.join(", ")) }
        )
    })
}

/// Whether every server that would be asked is on this machine: nobody else minds how often it is asked.
fn stays_here(configuration: &Configuration) -> bool {
    let loopback = |address: &Option<SocketAddr>| address.is_none_or(|address| address.ip().is_loopback());
    let sources = &configuration.sources;
    let https = sources.https.iter().all(|source| match source {
        HttpsSource::Other { ipv4, ipv6, .. } => {
            [ipv4, ipv6].into_iter().flatten().all(super::ServerUrl::is_loopback)
        }
        _ => false,
    });
    let dns = sources.dns.iter().all(|source| match source {
        DnsSource::Other { ipv4, ipv6, .. } => loopback(ipv4) && loopback(ipv6),
        _ => false,
    });
    let providers = configuration.names.iter().all(|name| match &name.provider {
        Provider::Rfc2136 { server, .. } => {
            server.parse::<SocketAddr>().is_ok_and(|address| address.ip().is_loopback())
        }
        other => other.server().is_some_and(super::ServerUrl::is_loopback),
    });
    https && dns && providers
}
