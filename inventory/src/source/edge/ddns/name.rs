//! One name of `edge.ddns`.

use super::super::super::field::{Field, given};
use super::super::super::section::Keys;
use super::super::list::distinct;
use super::Provider;
use crate::edge::AddressFamily;
use crate::fault::{Fault, Faults, Flaw, quote};
use crate::span::{Given, Spanned};
use crate::syntax;

/// A name, and who keeps its record.
#[derive(Debug)]
#[expect(clippy::struct_field_names, reason = "as in the file")]
pub(crate) struct Name {
    pub(crate) name: Given<String>,
    pub(crate) families: Given<Vec<AddressFamily>>,
    /// `None`: it was reported.
    pub(crate) provider: Option<Provider>,
}

pub(in crate::source) static KEYS: Keys = Keys {
    example: "{ name: home.example.org, provider: { duckdns: { token: { file: ~/.secrets/duckdns } } } }",
    known: &["name", "families", "provider"],
    later: &[],
    elsewhere: &[
        ("names", "each entry holds one `name`"),
        ("domain", "did you mean `name`?"),
        ("hostname", "did you mean `name`?"),
        ("family", "did you mean `families`?"),
        ("ipv6", "write `families: [ipv4, ipv6]`"),
        ("token", "it belongs under the provider, such as `provider: { cloudflare: { token: … } }`"),
        ("zone", "it belongs under the provider, such as `provider: { cloudflare: { zone: … } }`"),
    ],
};

impl Name {
    pub(super) fn read(field: &Field<'_>, faults: &mut Faults) -> Option<Self> {
        let section = field.section(&KEYS, faults)?;
        let name = section.require("name", "name: home.example.org", faults);
        let provider =
            section.require("provider", "provider: { cloudflare: { token: { file: PATH } } }", faults);
        Some(Self {
            name: name.map_or(Given::Faulty, |field| field.parsed(syntax::domain_name, faults).into()),
            families: given(section.get("families"), |field| families(field, faults)),
            provider: provider.and_then(|field| Provider::read(&field, faults)),
        })
    }
}

fn families(field: &Field<'_>, faults: &mut Faults) -> Option<Spanned<Vec<AddressFamily>>> {
    let families = distinct(field, "a list of address families", "families: [ipv4, ipv6]", family, faults)?;
    if families.value.is_empty() {
        let message = format!("{} is empty: the name would have no record", quote(&field.path));
        faults.push(Fault::new(families.span, message).help("write `[ipv4]`, `[ipv6]` or both"));
        return None;
    }
    Some(families)
}

fn family(text: &str) -> Result<AddressFamily, Flaw> {
    match text {
        "ipv4" => Ok(AddressFamily::Ipv4),
        "ipv6" => Ok(AddressFamily::Ipv6),
        _ => Err(Flaw::new(format!("{} is no address family", quote(text))).help("write `ipv4` or `ipv6`")),
    }
}
