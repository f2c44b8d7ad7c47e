//! `edge.ingress.tls:`

use schemars::JsonSchema;

use super::super::field::{Field, given};
use super::super::path::path;
use super::super::section::Keys;
use super::challenge::{self, Challenge};
use crate::fault::{Fault, Faults, Flaw, quote};
use crate::span::{Given, Span, Spanned};
use crate::syntax;
use crate::yaml::Value;

/// Where certificates come from; exactly one of these.
#[derive(Debug, Clone)]
pub(crate) enum Tls {
    /// From an authority that speaks ACME.
    Acme(Acme),
    /// From a Secret.
    Secret(String),
    /// From an authority of the laptop's.
    OwnCa,
}

/// The same for the schema.
#[derive(JsonSchema)]
#[schemars(rename = "Tls", rename_all = "snake_case")]
#[expect(dead_code, reason = "the shape of a value for the schema")]
pub(crate) enum Shape {
    /// Certificates from an authority that speaks ACME, such as Let's Encrypt: made and renewed by themselves.
    Acme(Acme),
    /// A Secret of type `kubernetes.io/tls` in the namespace `traefik`, which you put there and renew.
    Secret(String),
    /// Certificates from an authority that this machine keeps, for names at home. Devices have to be told to trust it.
    OwnCa,
}

/// An account at an authority that speaks ACME.
#[derive(Debug, Clone, JsonSchema)]
#[schemars(deny_unknown_fields)]
pub(crate) struct Acme {
    /// Where the authority writes to, about certificates that are about to end.
    #[schemars(with = "String")]
    pub(crate) email: Given<String>,
    /// How it is shown that the names are yours.
    #[schemars(default, with = "challenge::Shape", extend("default" = "http"))]
    pub(crate) challenge: Given<Challenge>,
    /// The URL of the authority's directory; Let's Encrypt's if left out.
    #[schemars(default, with = "String")]
    pub(crate) server: Given<String>,
    /// A file with the certificates (PEM) by which the server is known, where it has one of its own kind.
    #[schemars(default, with = "String")]
    pub(crate) ca: Given<String>,
    /// Where the word `acme` stands.
    #[schemars(skip)]
    pub(crate) key: Span,
}

const FORMS: &str = "`tls: { acme: { email: you@example.org } }`, `tls: { secret: NAME }` or `tls: own_ca`";

pub(in crate::source) static KEYS: Keys = Keys {
    example: "tls: { acme: { email: you@example.org } }",
    known: &["acme", "secret"],
    later: &[],
    elsewhere: &[
        ("email", "it belongs under `acme:`"),
        ("letsencrypt", "did you mean `acme`?"),
        ("challenge", "it belongs under `acme:`"),
        ("own_ca", "write `tls: own_ca`"),
    ],
};

pub(in crate::source) static ACME_KEYS: Keys = Keys {
    example: "acme: { email: you@example.org }",
    known: &["email", "challenge", "server", "ca"],
    later: &[],
    elsewhere: &[
        ("url", "did you mean `server`?"),
        ("dns", "it belongs under `challenge:`"),
        ("resolvers", "write `challenge: { dns: { resolvers: … } }`"),
    ],
};

/// Reads the section; every field that is wrong is faulty.
pub(super) fn read(field: &Field<'_>, faults: &mut Faults) -> Option<Spanned<Tls>> {
    if let Value::Scalar { text, .. } = &field.node.value
        && text == "own_ca"
    {
        return Some(Spanned::new(Tls::OwnCa, field.span()));
    }
    let section = field.section(&KEYS, faults)?;
    let fields: Vec<_> = KEYS.known.iter().filter_map(|key| section.get(key)).collect();
    let [one] = fields.as_slice() else {
        faults.push(
            Fault::new(
                field.key,
                format!("{} must name exactly one source of certificates", quote(&field.path)),
            )
            .help(format!("write {FORMS}")),
        );
        return None;
    };
    let tls = match one.path.rsplit('.').next() {
        Some("acme") => Tls::Acme(Acme::read(one, faults)?),
        _ => Tls::Secret(one.parsed(secret, faults)?.value),
    };
    Some(Spanned::new(tls, one.key))
}

impl Acme {
    fn read(field: &Field<'_>, faults: &mut Faults) -> Option<Self> {
        let section = field.section(&ACME_KEYS, faults)?;
        let email = section.require("email", "email: you@example.org", faults);
        Some(Self {
            email: email.map_or(Given::Faulty, |field| field.parsed(mailbox, faults).into()),
            challenge: given(section.get("challenge"), |field| challenge::read(field, faults)),
            server: given(section.get("server"), |field| field.parsed(server, faults)),
            ca: given(section.get("ca"), |field| field.parsed(path, faults)),
            key: field.key,
        })
    }
}

fn mailbox(text: &str) -> Result<String, Flaw> {
    let (name, domain) = text.split_once('@').unwrap_or_default();
    let fine = |character: char| character.is_ascii_graphic() && !"\"'`\\<>,;:".contains(character);
    if name.is_empty() || !name.chars().all(fine) || !syntax::is_domain(domain) || !domain.contains('.') {
        return Err(
            Flaw::new(format!("{} is no mail address", quote(text))).help("write it like `you@example.org`")
        );
    }
    Ok(text.to_owned())
}

fn server(text: &str) -> Result<String, Flaw> {
    let rest = text.strip_prefix("https://").unwrap_or_default();
    let clean =
        text.chars().all(|character| character.is_ascii_graphic() && !"\"'\\`<>{}".contains(character));
    if rest.is_empty() || rest.starts_with('/') || !clean {
        return Err(Flaw::new(format!("{} is no URL of an ACME directory", quote(text)))
            .help("write it like `https://acme-staging-v02.api.letsencrypt.org/directory`"));
    }
    Ok(text.to_owned())
}

fn secret(text: &str) -> Result<String, Flaw> {
    if text.contains('/') {
        return Err(Flaw::new(format!("{} holds a namespace", quote(text)))
            .help("write the name alone; the Secret lies in the namespace `traefik`"));
    }
    if text.is_empty() || !syntax::is_domain(text) || text.ends_with('.') {
        return Err(Flaw::new(format!("{} cannot be the name of a Secret", quote(text)))
            .help("use lower case letters, digits, `-` and `.`"));
    }
    Ok(text.to_owned())
}
