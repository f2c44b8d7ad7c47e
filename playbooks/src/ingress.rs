//! What the ingress needs of the laptop, and how templates see it.

use garboard_inventory::{Acme, Challenge, Host, Ingress, Tls};
use garboard_protocol::Secret;
use serde_json::{Value, json};

use crate::acme_dns;
use crate::serving::Certificate;

/// The playbooks of the ingress: on the edge host, and in the cluster. They run where the inventory has `edge.ingress`.
pub(crate) const PLAYBOOKS: [&str; 2] = ["ingress-host", "ingress"];

/// The Secret with the certificate of the laptop's own authority.
const OWN_CA: &str = "own-ca";

/// What the ingress needs beside the inventory.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct IngressMaterial {
    /// Certificates (PEM) by which the ACME server is known, where the inventory names a file with them.
    pub trusted: Option<String>,
    /// From the laptop's own authority, where the inventory wants that.
    pub certificate: Option<Certificate>,
    /// What the provider of `edge.ddns` knows its user by, where names are shown by DNS.
    pub provider_secret: Option<Secret>,
}

/// The field `ingress` of the variable `edge`; `docs/playbooks.md` tells its fields. All of them are there, also where nobody wants an
/// ingress: conditions may ask.
pub(crate) fn variable(ingress: Option<(&Host, &Ingress)>, material: Option<&IngressMaterial>) -> Value {
    let ingress = ingress.map(|(_, ingress)| ingress);
    let tls = ingress.and_then(|ingress| ingress.tls.as_ref());
    let account = match tls {
        Some(Tls::Acme(account)) => Some(account),
        _ => None,
    };
    let secret = match tls {
        Some(Tls::Secret(name)) => name.as_str(),
        Some(Tls::OwnCa) => OWN_CA,
        _ => "",
    };
    let source = match tls {
        Some(Tls::Acme(_)) => "acme",
        Some(Tls::Secret(_)) => "secret",
        Some(Tls::OwnCa) => "own_ca",
        None => "none",
    };
    let certificate = material.and_then(|material| material.certificate.as_ref());
    let challenge = account.map(|account| &account.challenge);
    let trusted = account.and_then(|account| account.ca.as_ref().and(material?.trusted.as_deref()));
    json!({
        "class": Ingress::CLASS,
        "hosts": ingress.map(|ingress| ingress.hosts.as_slice()).unwrap_or_default(),
        "namespaces": ingress.map(|ingress| ingress.namespaces.as_slice()).unwrap_or_default(),
        "redirect": ingress.is_some_and(|ingress| ingress.redirect),
        "tls": source,
        "secret": secret,
        "certificate": certificate.map(|one| one.certificate.as_str()).unwrap_or_default(),
        "key": certificate.map(|one| one.key.expose()).unwrap_or_default(),
        "acme": {
            "email": account.map(|account| account.email.as_str()).unwrap_or_default(),
            "server": account.and_then(|account| account.server.as_deref()).unwrap_or_default(),
            "trusted": trusted.unwrap_or_default(),
            "challenge": if matches!(challenge, Some(Challenge::Dns(_))) { "dns" } else { "http" },
            "certificates": ingress.zip(account).map(|(ingress, account)| certificates(ingress, account)),
            "dns": acme_dns::variable(challenge, material.and_then(|material| material.provider_secret.as_ref())),
        },
    })
}

/// The names of each certificate: one a name, but names that are shown by the same TXT record share one, so that the challenges
/// come one after the other and none takes the record away from another.
fn certificates(ingress: &Ingress, account: &Acme) -> Vec<Value> {
    let record = |host: &str| match &account.challenge {
        Challenge::Http => host.to_owned(),
        Challenge::Dns(challenge) => acme_dns::record(challenge, host),
    };
    let mut groups: Vec<(String, Vec<&str>)> = Vec::new();
    for host in &ingress.hosts {
        let record = record(host);
        match groups.iter_mut().find(|(known, _)| *known == record) {
            Some((_, names)) => names.push(host),
            None => groups.push((record, vec![host])),
        }
    }
    groups.iter().map(|(_, names)| json!({ "main": names[0], "others": names[1..] })).collect()
}
