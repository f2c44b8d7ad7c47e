//! `edge.ingress.tls.acme.challenge:`

use std::net::{IpAddr, SocketAddr};

use schemars::JsonSchema;

use super::super::field::{Field, given};
use super::super::section::Keys;
use super::list::distinct;
use crate::fault::{Fault, Faults, Flaw, quote};
use crate::span::{Given, Spanned};
use crate::syntax;
use crate::yaml::Value;

/// How an ACME server is shown that a name is yours.
#[derive(Debug, Clone)]
pub(crate) enum Challenge {
    /// By an answer on port 80.
    Http,
    /// By a record in DNS.
    Dns(DnsChallenge),
}

/// The same for the schema.
#[derive(JsonSchema)]
#[schemars(rename = "Challenge", untagged)]
#[expect(dead_code, reason = "the shape of a value for the schema")]
pub(crate) enum Shape {
    /// A word alone.
    Word(Word),
    /// By DNS, with settings.
    Settings(DnsShape),
}

/// By an answer on port 80 (`http`), or by a record that the provider of `edge.ddns` writes (`dns`).
#[derive(JsonSchema)]
#[schemars(rename = "ChallengeWord", rename_all = "snake_case")]
#[expect(dead_code, reason = "the shape of a value for the schema")]
pub(crate) enum Word {
    Http,
    Dns,
}

#[derive(JsonSchema)]
#[schemars(rename = "ChallengeByDns", deny_unknown_fields)]
#[expect(dead_code, reason = "the shape of a value for the schema")]
pub(crate) struct DnsShape {
    dns: DnsChallenge,
}

/// A record that the provider of `edge.ddns` writes, and how it is looked for before the authority looks.
#[derive(Debug, Clone, Default, JsonSchema)]
#[schemars(deny_unknown_fields)]
pub(crate) struct DnsChallenge {
    /// Name servers (`ADDRESS` or `ADDRESS:PORT`) that know the zones as the internet does.
    #[schemars(default, with = "Vec<String>", length(min = 1), extend("default" = ["1.1.1.1", "9.9.9.9"]))]
    pub(crate) resolvers: Given<Vec<SocketAddr>>,
    /// How long to wait before the record is looked for the first time; without it: not at all.
    #[schemars(default, with = "String")]
    pub(crate) delay: Given<u32>,
}

const FORMS: &str =
    "write `challenge: http`, `challenge: dns` or `challenge: { dns: { resolvers: [1.1.1.1] } }`";

static FORM: Keys = Keys {
    example: "challenge: { dns: { resolvers: [1.1.1.1] } }",
    known: &["dns"],
    later: &[],
    elsewhere: &[
        ("http", "write `challenge: http`"),
        ("resolvers", "it belongs under `dns:`"),
        ("delay", "it belongs under `dns:`"),
        ("provider", "remove it: it is the provider of `edge.ddns`"),
    ],
};

pub(in crate::source) static KEYS: Keys = Keys {
    example: "dns: { resolvers: [1.1.1.1] }",
    known: &["resolvers", "delay"],
    later: &[],
    elsewhere: &[
        ("provider", "remove it: it is the provider of `edge.ddns`"),
        ("token", "remove it: it is that of `edge.ddns`"),
        ("resolver", "did you mean `resolvers`?"),
    ],
};

/// Reads a word, or a mapping with settings.
pub(super) fn read(field: &Field<'_>, faults: &mut Faults) -> Option<Spanned<Challenge>> {
    if !matches!(field.node.value, Value::Mapping(_)) {
        return field.parsed(
            |text| match text {
                "http" | "http-01" => Ok(Challenge::Http),
                "dns" | "dns-01" => Ok(Challenge::Dns(DnsChallenge::default())),
                other => {
                    Err(Flaw::new(format!("{} is no challenge of this version", quote(other))).help(FORMS))
                }
            },
            faults,
        );
    }
    let inside = field.section(&FORM, faults)?.require("dns", FORM.example, faults)?;
    let section = inside.section(&KEYS, faults)?;
    let dns = DnsChallenge {
        resolvers: given(section.get("resolvers"), |field| resolvers(field, faults)),
        delay: given(section.get("delay"), |field| field.parsed(syntax::interval, faults)),
    };
    Some(Spanned::new(Challenge::Dns(dns), inside.key))
}

fn resolvers(field: &Field<'_>, faults: &mut Faults) -> Option<Spanned<Vec<SocketAddr>>> {
    let resolvers =
        distinct(field, "a list of addresses", "resolvers: [1.1.1.1, 9.9.9.9]", resolver, faults)?;
    if resolvers.value.is_empty() {
        let message = format!("{} is empty: nobody could be asked", quote(&field.path));
        faults.push(Fault::new(resolvers.span, message).help("remove it: then they are 1.1.1.1 and 9.9.9.9"));
        return None;
    }
    Some(resolvers)
}

fn resolver(text: &str) -> Result<SocketAddr, Flaw> {
    let address = text.parse::<IpAddr>().map(|address| SocketAddr::new(address, 53));
    address.or_else(|_| text.parse()).map_err(|_| {
        Flaw::new(format!("{} is no address of a name server", quote(text)))
            .help("write it like `1.1.1.1`, `192.0.2.53:5353` or `[2001:db8::53]:53`")
    })
}
