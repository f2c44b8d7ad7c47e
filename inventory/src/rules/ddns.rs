//! What dynamic DNS must not be told although each value is good: the same that `garboard-ddns` itself refuses.

use std::collections::BTreeSet;

use crate::edge::{AddressFamily, DdnsIntervals, DdnsSources, DnsSource, HttpsSource};
use crate::fault::{Fault, Faults};
use crate::source::Inventory;
use crate::source::ddns::{Ddns, INTERVALS, Kind, Name, Provider};
use crate::span::{Given, Span};
use crate::syntax::is_in_zone;

/// Below these, in seconds, services on the internet would be asked more often than they put up with.
const FLOORS: [u32; 3] = [10, 60, 60];

pub(super) fn check(inventory: &Inventory, faults: &mut Faults) {
    let Some(ddns) = inventory.edge.as_ref().and_then(|edge| edge.ddns.as_ref()) else { return };
    for (index, name) in ddns.names.iter().enumerate() {
        twice(&ddns.names[..index], name, faults);
        if let Some(provider) = &name.provider {
            of_provider(name, provider, faults);
        }
    }
    for family in [AddressFamily::Ipv4, AddressFamily::Ipv6] {
        too_few_voices(ddns, family, faults);
    }
    for ((word, floor), given) in INTERVALS.into_iter().zip(FLOORS).zip(&ddns.intervals) {
        let Some(interval) = given.valid().filter(|interval| interval.value < floor) else { continue };
        let message = format!("`edge.ddns.intervals.{word}` is shorter than {floor} s");
        let default = DdnsIntervals::default();
        let usual = [default.router, default.echo, default.retry];
        let usual =
            INTERVALS.iter().zip(usual).find(|(one, _)| **one == word).map_or(floor, |(_, usual)| usual);
        faults.push(
            Fault::new(interval.span, message)
                .help(format!("services on the internet do not put up with more; the default is {usual} s")),
        );
    }
}

fn twice(earlier: &[Name], name: &Name, faults: &mut Faults) {
    let Some(written) = name.name.valid() else { return };
    let same = earlier.iter().filter_map(|one| one.name.valid()).find(|one| one.value == written.value);
    if let Some(first) = same {
        faults.push(
            Fault::new(written.span, format!("`{}` is named twice", written.value))
                .related(first.span, "first named here")
                .help("keep one: two entries would fight over one record"),
        );
    }
}

fn of_provider(name: &Name, provider: &Provider, faults: &mut Faults) {
    let kind = &provider.kind;
    if let (Some(written), Some(zone)) = (name.name.valid(), provider.zone.valid())
        && !is_in_zone(&written.value, &zone.value)
    {
        faults.push(
            Fault::new(zone.span, format!("`{}` is not in the zone `{}`", written.value, zone.value))
                .related(written.span, "this name")
                .help("the zone is what the provider keeps, such as `example.org` for `home.example.org`"),
        );
    }
    if let (Kind::Duckdns, Some(written)) = (kind.value, name.name.valid()) {
        let labels = written.value.strip_suffix(".duckdns.org").map(|before| before.split('.').count());
        if labels != Some(1) {
            faults.push(
                Fault::new(written.span, format!("`{}` is not one of Duck DNS", written.value))
                    .related(kind.span, "its provider")
                    .help("they are all like `home.duckdns.org`"),
            );
        }
    }
    let needs_user = matches!(kind.value, Kind::NoIp | Kind::Dynu | Kind::Ovh | Kind::Dyndns2);
    if needs_user && provider.username == Given::Absent {
        faults.push(Fault::new(kind.span, "this provider needs `username`").help("add `username: NAME`"));
    }
    if kind.value == Kind::Dyndns2 && provider.server == Given::Absent {
        faults
            .push(Fault::new(kind.span, "`dyndns2` needs `server`").help(
                "add the URL that updates go to, such as `server: https://dyn.example.org/nic/update`",
            ));
    }
    let families = name.families.valid();
    if let Some(families) = families.filter(|families| families.value.contains(&AddressFamily::Ipv6)) {
        let why = match kind.value {
            Kind::Ovh => "OVH's DynHost is documented for IPv4 alone",
            Kind::Dynv6 => "dynv6 takes IPv6 by `rfc2136` alone, at `server: ns1.dynv6.com`",
            _ => return,
        };
        faults.push(
            Fault::new(families.span, "this provider takes no IPv6")
                .related(kind.span, "the provider")
                .help(why),
        );
    }
}

/// A change needs two that agree; with fewer operators none could ever be believed.
fn too_few_voices(ddns: &Ddns, family: AddressFamily, faults: &mut Faults) {
    let wants = |name: &Name| match &name.families {
        Given::Absent => family == AddressFamily::Ipv4,
        Given::Faulty => false,
        Given::Valid(families) => families.value.contains(&family),
    };
    if !ddns.names.iter().any(wants) {
        return;
    }
    let default = DdnsSources::default();
    let written = &ddns.sources;
    let (Some(router), Some(https), Some(servers)) = (
        written.router.value_or(|| default.router),
        written.https.value_or(|| default.https),
        written.dns.value_or(|| default.dns),
    ) else {
        return;
    };
    let mut voices: BTreeSet<String> = BTreeSet::new();
    match family {
        AddressFamily::Ipv6 => voices.extend(["the interface".to_owned()]),
        AddressFamily::Ipv4 if !router.is_empty() => voices.extend(["the router".to_owned()]),
        AddressFamily::Ipv4 => {}
    }
    let speaks = |ipv4: bool, ipv6: bool| if family == AddressFamily::Ipv4 { ipv4 } else { ipv6 };
    voices.extend(https.iter().filter_map(|source| match source {
        HttpsSource::Cloudflare => Some("cloudflare".to_owned()),
        HttpsSource::Ipify => Some("ipify".to_owned()),
        HttpsSource::Desec => Some("desec".to_owned()),
        HttpsSource::Other { operator, ipv4, ipv6, .. } => {
            speaks(ipv4.is_some(), ipv6.is_some()).then(|| operator.clone())
        }
    }));
    voices.extend(servers.iter().filter_map(|source| match source {
        DnsSource::Opendns => Some("opendns".to_owned()),
        DnsSource::Google => Some("google".to_owned()),
        DnsSource::Other { operator, ipv4, ipv6, .. } => {
            speaks(ipv4.is_some(), ipv6.is_some()).then(|| operator.clone())
        }
    }));
    if voices.len() >= 2 {
        return;
    }
    let who = match voices.first() {
        None => "nobody".to_owned(),
        Some(one) => format!("only {one}"),
    };
    let word = if family == AddressFamily::Ipv4 { "IPv4" } else { "IPv6" };
    let places: [Option<Span>; 3] = [
        written.https.valid().map(|list| list.span),
        written.dns.valid().map(|list| list.span),
        written.router.valid().map(|list| list.span),
    ];
    let place = places.into_iter().flatten().next().unwrap_or(ddns.key);
    faults.push(
        Fault::new(place, format!("`edge.ddns.sources` has {who} for {word}"))
            .help("a new address counts when two independent operators agree on it: name one more"),
    );
}
