//! `edge.ingress:`

use schemars::JsonSchema;

use super::super::field::{Field, given};
use super::super::section::Keys;
use super::list::list;
use super::tls::{self, Tls};
use crate::fault::{Fault, Faults, Flaw, quote};
use crate::span::{Given, Span, Spanned};
use crate::syntax;

/// What answers HTTP and HTTPS on the edge host: Traefik. Ports 80 and 443 are open to everybody with it.
#[derive(Debug, JsonSchema)]
#[schemars(deny_unknown_fields)]
pub(crate) struct Ingress {
    /// The class of `Ingress` objects that it answers for, which is the cluster's default.
    #[schemars(default, with = "Class", extend("default" = "traefik"))]
    pub(crate) class: Given<()>,
    /// Names that lead to the edge host. They get certificates, and `up` prints their URLs; what answers under them is said by
    /// `Ingress` objects.
    #[schemars(default, with = "Vec<String>")]
    pub(crate) hosts: Given<Vec<Spanned<String>>>,
    /// Namespaces whose `Ingress` objects are answered, and whose Secrets the controller may read. They are made where they are
    /// missing. Without it: `default`.
    #[schemars(default, with = "Vec<String>", length(min = 1), extend("default" = ["default"], "items" = {
        "type": "string", "maxLength": 63, "pattern": "^[a-z0-9]([-a-z0-9]*[a-z0-9])?$"
    }))]
    pub(crate) namespaces: Given<Vec<String>>,
    /// Where certificates come from, besides those that `Ingress` objects name.
    #[schemars(default, with = "tls::Shape")]
    pub(crate) tls: Given<Tls>,
    /// Whether plain HTTP is answered with the way to HTTPS; without it: where there is `tls`.
    #[schemars(default, with = "bool")]
    pub(crate) redirect: Given<bool>,
    /// Where the word `ingress` stands.
    #[schemars(skip)]
    pub(crate) key: Span,
}

#[derive(JsonSchema)]
#[schemars(rename = "IngressClass", rename_all = "snake_case")]
#[expect(dead_code, reason = "the shape of a value for the schema")]
enum Class {
    Traefik,
}

pub(in crate::source) static KEYS: Keys = Keys {
    example: "ingress: { hosts: [app1.example.org] }",
    known: &["class", "hosts", "namespaces", "tls", "redirect"],
    later: &[],
    elsewhere: &[
        ("host", "did you mean `hosts`?"),
        ("names", "did you mean `hosts`?"),
        ("namespace", "did you mean `namespaces`?"),
        ("acme", "it belongs under `tls:`"),
        ("secret", "it belongs under `tls:`"),
        ("own_ca", "write `tls: own_ca`"),
        ("email", "it belongs under `tls: { acme: … }`"),
    ],
};

impl Ingress {
    /// Reads the section; `None` where it is none.
    pub(super) fn read(field: &Field<'_>, faults: &mut Faults) -> Option<Self> {
        let section = field.section(&KEYS, faults)?;
        Some(Self {
            class: given(section.get("class"), |field| field.parsed(class, faults)),
            hosts: given(section.get("hosts"), |field| hosts(field, faults)),
            namespaces: given(section.get("namespaces"), |field| namespaces(field, faults)),
            tls: given(section.get("tls"), |field| tls::read(field, faults)),
            redirect: given(section.get("redirect"), |field| field.boolean(faults)),
            key: field.key,
        })
    }
}

fn class(text: &str) -> Result<(), Flaw> {
    match text {
        "traefik" => Ok(()),
        "nginx" | "ingress-nginx" => Err(Flaw::new("`ingress-nginx` has come to its end")
            .help("write `class: traefik`, or leave it out; no other is in this version")),
        other => Err(Flaw::new(format!("the ingress class {} is not in this version", quote(other)))
            .help("write `class: traefik`, or leave it out")),
    }
}

fn hosts(field: &Field<'_>, faults: &mut Faults) -> Option<Spanned<Vec<Spanned<String>>>> {
    let hosts = list(field, "a list of names", "hosts: [app1.example.org]", host, faults)?;
    for (index, host) in hosts.value.iter().enumerate() {
        if let Some(first) = hosts.value[..index].iter().find(|earlier| earlier.value == host.value) {
            faults.push(
                Fault::new(host.span, format!("{} is named twice", quote(&host.value)))
                    .related(first.span, "first named here")
                    .help("keep one of the two"),
            );
        }
    }
    Some(hosts)
}

fn host(text: &str) -> Result<String, Flaw> {
    if let Some((_, rest)) = text.split_once("://") {
        let name = rest.split(['/', ':']).next().unwrap_or_default();
        return Err(
            Flaw::new(format!("{} is a URL", quote(text))).help(format!("write the name alone: `{name}`"))
        );
    }
    if let Some((name, _)) = text.split_once(['/', ':']) {
        return Err(Flaw::new(format!("{} holds more than a name", quote(text))).help(format!(
            "write `{name}`; paths stand in `Ingress` objects, and the ports are 80 and 443"
        )));
    }
    syntax::public_name(text)
}

fn namespaces(field: &Field<'_>, faults: &mut Faults) -> Option<Spanned<Vec<String>>> {
    let namespaces = super::list::distinct(
        field,
        "a list of namespaces",
        "namespaces: [default]",
        syntax::namespace,
        faults,
    )?;
    if namespaces.value.is_empty() {
        let message = format!("{} is empty: no `Ingress` would be answered", quote(&field.path));
        faults.push(Fault::new(field.span(), message).help("remove it: then it is `default`"));
        return None;
    }
    Some(namespaces)
}
