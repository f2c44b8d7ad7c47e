//! What the ingress needs of the laptop, and how templates see it.

use garboard_inventory::{Host, Ingress, Tls};
use serde_json::{Value, json};

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
        },
    })
}
