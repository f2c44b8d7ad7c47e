//! `edge.ddns:`, a list of names, or a mapping with them and with what holds for all of them.

mod name;
mod provider;
mod shape;
mod sources;

use ipnet::IpNet;

use super::super::field::{Field, given};
use super::super::section::Keys;
use super::list::distinct;
use crate::fault::{Fault, Faults, quote};
use crate::span::{Given, Span};
use crate::syntax;
use crate::yaml::Value;

pub(crate) use name::Name;
pub(crate) use provider::{Kind, Provider};
pub(crate) use shape::Ddns as Shape;
pub(crate) use sources::Sources;

#[cfg(test)]
pub(in crate::source) use {
    name::KEYS as NAME_KEYS,
    provider::{ACCOUNT, CLOUDFLARE, KEYS as PROVIDER_KEYS, RFC2136, TOKEN, TSIG},
    sources::{DNS, GATEWAY_KEYS, HTTPS, KEYS as SOURCES_KEYS},
};

/// Names that follow the address the internet sees: the service `garboard-ddns` on the edge host.
#[derive(Debug)]
pub(crate) struct Ddns {
    /// What is kept up to date; those that are no mapping were reported.
    pub(crate) names: Vec<Name>,
    /// Whether a name was reported as none.
    pub(crate) is_incomplete: bool,
    /// Who says what the address is.
    pub(crate) sources: Sources,
    /// How often: router, echo, retry; in seconds.
    pub(crate) intervals: [Given<u32>; 3],
    /// Ranges that would be refused as addresses of a name.
    pub(crate) allow: Given<Vec<IpNet>>,
    /// Where the word `ddns` stands.
    pub(crate) key: Span,
}

/// Of [`Ddns::intervals`], in its order.
pub(crate) const INTERVALS: [&str; 3] = ["router", "echo", "retry"];

const EXAMPLE: &str = "ddns: [ { name: home.example.org, provider: { cloudflare: { token: { file: ~/.secrets/cloudflare } } } } ]";

pub(in crate::source) static KEYS: Keys = Keys {
    example: "ddns: { names: [ … ], intervals: { echo: 10m } }",
    known: &["names", "sources", "intervals", "allow"],
    later: &[],
    elsewhere: &[
        ("name", "did you mean `names`? A list of names may also stand directly under `ddns:`"),
        ("provider", "each entry of `names` has its own"),
        ("interval", "did you mean `intervals`?"),
        ("metrics", "they are in `/run/garboard-ddns/metrics.prom` on the edge host, for everybody to read"),
    ],
};

pub(in crate::source) static INTERVAL_KEYS: Keys =
    Keys { example: "intervals: { echo: 10m }", known: &INTERVALS, later: &[], elsewhere: &[] };

impl Ddns {
    /// Reads either form; `None` where it is neither.
    pub(super) fn read(field: &Field<'_>, faults: &mut Faults) -> Option<Self> {
        match &field.node.value {
            Value::Sequence(_) => {
                let (names, is_incomplete) = names(field, faults)?;
                Some(Self {
                    names,
                    is_incomplete,
                    sources: Sources::default(),
                    intervals: [Given::Absent, Given::Absent, Given::Absent],
                    allow: Given::Absent,
                    key: field.key,
                })
            }
            Value::Mapping(_) => Self::long(field, faults),
            Value::Scalar { .. } => field.expected(
                "a list of names, or a mapping with `names`",
                &format!("write it like `{EXAMPLE}`"),
                faults,
            ),
        }
    }

    fn long(field: &Field<'_>, faults: &mut Faults) -> Option<Self> {
        let section = field.section(&KEYS, faults)?;
        let list = section.require("names", "names: [ { name: home.example.org, provider: … } ]", faults);
        let sources = section.get("sources").map(|field| Sources::read(&field, faults)).unwrap_or_default();
        let intervals = match section.get("intervals") {
            None => [Given::Absent, Given::Absent, Given::Absent],
            Some(field) => match field.section(&INTERVAL_KEYS, faults) {
                None => [Given::Faulty, Given::Faulty, Given::Faulty],
                Some(section) => INTERVALS
                    .map(|word| given(section.get(word), |field| field.parsed(syntax::interval, faults))),
            },
        };
        let allow = given(section.get("allow"), |field| {
            distinct(field, "a list of networks", "allow: [100.64.0.0/10]", syntax::network, faults)
        });
        let (names, is_incomplete) =
            list.and_then(|field| names(&field, faults)).unwrap_or((Vec::new(), true));
        Some(Self { names, is_incomplete, sources, intervals, allow, key: field.key })
    }
}

/// All that are mappings, and whether one was not.
fn names(field: &Field<'_>, faults: &mut Faults) -> Option<(Vec<Name>, bool)> {
    let Value::Sequence(items) = &field.node.value else {
        return field.expected("a list of names", &format!("write it like `{EXAMPLE}`"), faults);
    };
    if items.is_empty() {
        let message = format!("{} is empty: there is nothing to keep up to date", quote(&field.path));
        faults.push(
            Fault::new(field.span(), message).help("name what should lead to your home, or remove `ddns`"),
        );
        return None;
    }
    let mut names = Vec::new();
    for (index, item) in items.iter().enumerate() {
        let path = format!("{}[{index}]", field.path);
        let item = Field { path, key: item.as_ref().span, node: item.as_ref() };
        names.extend(Name::read(&item, faults));
    }
    let is_incomplete = names.len() < items.len();
    Some((names, is_incomplete))
}
