//! `edge.ddns.sources:`, who says what the address is.

use std::net::SocketAddr;

use super::super::super::field::{Field, given};
use super::super::super::section::{Keys, list};
use super::super::list::distinct;
use crate::edge::{DnsSource, HttpsFormat, HttpsSource, RouterProtocol};
use crate::fault::{Fault, Faults, Flaw, quote};
use crate::span::{Given, Spanned};
use crate::suggestion::nearest;
use crate::syntax;
use crate::yaml::Value;

/// All sources.
#[derive(Debug, Default)]
pub(crate) struct Sources {
    pub(crate) router: Given<Vec<RouterProtocol>>,
    pub(crate) gateway: Gateway,
    pub(crate) https: Given<Vec<HttpsSource>>,
    pub(crate) dns: Given<Vec<DnsSource>>,
    pub(crate) interface: Given<String>,
}

/// Where the router answers.
#[derive(Debug, Default)]
pub(crate) struct Gateway {
    pub(crate) upnp: Given<SocketAddr>,
    pub(crate) nat_pmp: Given<SocketAddr>,
}

pub(in crate::source) static KEYS: Keys = Keys {
    example: "sources: { router: [upnp], https: [ipify, desec] }",
    known: &["router", "gateway", "https", "dns", "interface"],
    later: &[],
    elsewhere: &[
        ("upnp", "write `router: [upnp]`"),
        ("nat_pmp", "write `router: [nat_pmp]`"),
        ("http", "did you mean `https`?"),
    ],
};

pub(in crate::source) static GATEWAY_KEYS: Keys = Keys {
    example: "gateway: { nat_pmp: 192.168.1.1:5351 }",
    known: &["upnp", "nat_pmp"],
    later: &[],
    elsewhere: &[],
};

static HTTPS_SOURCE: Keys = Keys {
    example: "{ other: { operator: me, ipv4: https://ip.example.org/ } }",
    known: &["other"],
    later: &[],
    elsewhere: &[],
};

static DNS_SOURCE: Keys = Keys {
    example: "{ other: { operator: me, ipv4: 192.0.2.53:53, name: me.example.org } }",
    known: &["other"],
    later: &[],
    elsewhere: &[],
};

pub(in crate::source) static HTTPS: Keys = Keys {
    example: "other: { operator: me, ipv4: https://ip.example.org/ }",
    known: &["operator", "ipv4", "ipv6", "format"],
    later: &[],
    elsewhere: &[("url", "write `ipv4` or `ipv6`")],
};

pub(in crate::source) static DNS: Keys = Keys {
    example: "other: { operator: me, ipv4: 192.0.2.53:53, name: me.example.org }",
    known: &["operator", "ipv4", "ipv6", "name", "text"],
    later: &[],
    elsewhere: &[("server", "write `ipv4` or `ipv6`")],
};

impl Sources {
    pub(super) fn read(field: &Field<'_>, faults: &mut Faults) -> Self {
        let Some(section) = field.section(&KEYS, faults) else {
            return Self {
                router: Given::Faulty,
                gateway: Gateway { upnp: Given::Faulty, nat_pmp: Given::Faulty },
                https: Given::Faulty,
                dns: Given::Faulty,
                interface: Given::Faulty,
            };
        };
        Self {
            router: given(section.get("router"), |field| {
                distinct(field, "a list of protocols", "router: [upnp, nat_pmp]", protocol, faults)
            }),
            gateway: section.get("gateway").map(|field| gateway(&field, faults)).unwrap_or_default(),
            https: given(section.get("https"), |field| {
                sources(field, "https: [cloudflare, ipify]", https_word, https, faults)
            }),
            dns: given(section.get("dns"), |field| {
                sources(field, "dns: [opendns, google]", dns_word, dns, faults)
            }),
            interface: given(section.get("interface"), |field| field.parsed(interface, faults)),
        }
    }
}

fn gateway(field: &Field<'_>, faults: &mut Faults) -> Gateway {
    let Some(section) = field.section(&GATEWAY_KEYS, faults) else {
        return Gateway { upnp: Given::Faulty, nat_pmp: Given::Faulty };
    };
    Gateway {
        upnp: given(section.get("upnp"), |field| field.parsed(place, faults)),
        nat_pmp: given(section.get("nat_pmp"), |field| field.parsed(place, faults)),
    }
}

/// Words for those that are known, `{ other: … }` for others.
fn sources<T: PartialEq>(
    field: &Field<'_>,
    example: &str,
    word: fn(&str) -> Result<T, Flaw>,
    other: fn(&Field<'_>, &mut Faults) -> Option<T>,
    faults: &mut Faults,
) -> Option<Spanned<Vec<T>>> {
    let Value::Sequence(items) = &field.node.value else {
        return field.expected("a list of sources", &format!("write it like `{example}`"), faults);
    };
    let mut read: Vec<Option<Spanned<T>>> = Vec::new();
    for (index, item) in items.iter().enumerate() {
        let item =
            Field { path: format!("{}[{index}]", field.path), key: item.as_ref().span, node: item.as_ref() };
        let source = match &item.node.value {
            Value::Mapping(_) => other(&item, faults).map(|source| Spanned::new(source, item.span())),
            _ => item.parsed(word, faults),
        };
        let twice = |source: &Spanned<T>| read.iter().flatten().find(|first| first.value == source.value);
        if let Some(first) = source.as_ref().and_then(twice) {
            let message = format!("{} is given twice", quote(&item.path));
            faults.push(
                Fault::new(item.span(), message)
                    .related(first.span, "first given here")
                    .help("keep one of the two"),
            );
        }
        read.push(source);
    }
    let all = read.into_iter().map(|source| source.map(|source| source.value)).collect::<Option<_>>()?;
    Some(Spanned::new(all, field.span()))
}

fn https(field: &Field<'_>, faults: &mut Faults) -> Option<HttpsSource> {
    let other = field.section(&HTTPS_SOURCE, faults)?.require("other", HTTPS.example, faults)?;
    let section = other.section(&HTTPS, faults)?;
    let operator = section.require("operator", "operator: NAME", faults);
    let (ipv4, ipv6) = (section.get("ipv4"), section.get("ipv6"));
    neither(&other, ipv4.as_ref().or(ipv6.as_ref()), faults)?;
    let operator = operator.and_then(|field| field.parsed(operator_name, faults));
    let ipv4 = optional(ipv4.as_ref(), syntax::server_url, faults);
    let ipv6 = optional(ipv6.as_ref(), syntax::server_url, faults);
    let format = optional(section.get("format").as_ref(), format, faults);
    Some(HttpsSource::Other {
        operator: operator?.value,
        ipv4: ipv4?,
        ipv6: ipv6?,
        format: format?.unwrap_or_default(),
    })
}

fn dns(field: &Field<'_>, faults: &mut Faults) -> Option<DnsSource> {
    let other = field.section(&DNS_SOURCE, faults)?.require("other", DNS.example, faults)?;
    let section = other.section(&DNS, faults)?;
    let operator = section.require("operator", "operator: NAME", faults);
    let name = section.require("name", "name: me.example.org", faults);
    let (ipv4, ipv6) = (section.get("ipv4"), section.get("ipv6"));
    neither(&other, ipv4.as_ref().or(ipv6.as_ref()), faults)?;
    let operator = operator.and_then(|field| field.parsed(operator_name, faults));
    let name = name.and_then(|field| field.parsed(syntax::domain_name, faults));
    let ipv4 = optional(ipv4.as_ref(), |text| place_of(text, true), faults);
    let ipv6 = optional(ipv6.as_ref(), |text| place_of(text, false), faults);
    let text = match section.get("text") {
        None => Some(false),
        Some(field) => field.boolean(faults).map(|text| text.value),
    };
    Some(DnsSource::Other {
        operator: operator?.value,
        ipv4: ipv4?,
        ipv6: ipv6?,
        name: name?.value,
        text: text?,
    })
}

fn neither(field: &Field<'_>, one: Option<&Field<'_>>, faults: &mut Faults) -> Option<()> {
    if one.is_none() {
        let message = format!("{} has neither `ipv4` nor `ipv6`", quote(&field.path));
        faults.push(Fault::new(field.key, message).help("say where it is asked, for one family or both"));
    }
    one.map(|_| ())
}

/// Nothing where it is faulty.
#[expect(clippy::option_option, reason = "faulty, absent and given are three things")]
fn optional<T>(
    field: Option<&Field<'_>>,
    parse: impl FnOnce(&str) -> Result<T, Flaw>,
    faults: &mut Faults,
) -> Option<Option<T>> {
    match field {
        None => Some(None),
        Some(field) => field.parsed(parse, faults).map(|spanned| Some(spanned.value)),
    }
}

fn protocol(text: &str) -> Result<RouterProtocol, Flaw> {
    match text {
        "upnp" => Ok(RouterProtocol::Upnp),
        "nat_pmp" => Ok(RouterProtocol::NatPmp),
        _ => Err(unknown(text, "protocol of routers", &["upnp", "nat_pmp"])),
    }
}

fn https_word(text: &str) -> Result<HttpsSource, Flaw> {
    match text {
        "cloudflare" => Ok(HttpsSource::Cloudflare),
        "ipify" => Ok(HttpsSource::Ipify),
        "desec" => Ok(HttpsSource::Desec),
        _ => Err(unknown(text, "source that is known here", &["cloudflare", "ipify", "desec"])),
    }
}

fn dns_word(text: &str) -> Result<DnsSource, Flaw> {
    match text {
        "opendns" => Ok(DnsSource::Opendns),
        "google" => Ok(DnsSource::Google),
        _ => Err(unknown(text, "source that is known here", &["opendns", "google"])),
    }
}

fn format(text: &str) -> Result<HttpsFormat, Flaw> {
    match text {
        "address" => Ok(HttpsFormat::Address),
        "trace" => Ok(HttpsFormat::Trace),
        _ => Err(unknown(text, "format of an answer", &["address", "trace"])),
    }
}

fn unknown(text: &str, what: &str, words: &[&'static str]) -> Flaw {
    let flaw = Flaw::new(format!("{} is no {what}", quote(text)));
    match nearest(text, words.iter().copied()) {
        Some(word) => flaw.help(format!("did you mean `{word}`?")),
        None => flaw.help(format!("known here: {}", list(words))),
    }
}

fn operator_name(text: &str) -> Result<String, Flaw> {
    if text.is_empty() || text.chars().any(|one| one.is_control() || one.is_whitespace()) {
        return Err(Flaw::new(format!("{} is no name of an operator", quote(text))).help("write one word"));
    }
    Ok(text.to_owned())
}

fn interface(text: &str) -> Result<String, Flaw> {
    // IFNAMSIZ; what `ip link` takes.
    let good = (1..=15).contains(&text.len())
        && text.chars().all(|one| one.is_ascii_graphic() && one != '/' && one != ':');
    if good {
        Ok(text.to_owned())
    } else {
        Err(Flaw::new(format!("{} is no name of an interface", quote(text))).help("write it like `eth0`"))
    }
}

fn place(text: &str) -> Result<SocketAddr, Flaw> {
    text.parse().map_err(|_| {
        Flaw::new(format!("{} is no address with a port", quote(text)))
            .help("write it like `192.168.1.1:5351` or `[2001:db8::1]:53`")
    })
}

fn place_of(text: &str, ipv4: bool) -> Result<SocketAddr, Flaw> {
    let place = place(text)?;
    if place.is_ipv4() == ipv4 {
        return Ok(place);
    }
    let (found, other) = if ipv4 { ("IPv6", "ipv6") } else { ("IPv4", "ipv4") };
    Err(Flaw::new(format!("{} is an {found} address", quote(text))).help(format!("write it under `{other}`")))
}
