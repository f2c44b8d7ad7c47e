//! Certificates of servers inside the cluster, and how templates see them.

use std::collections::BTreeMap;

use garboard_protocol::{Digest, Secret};
use serde_json::{Value, json};

/// A certificate and its key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Certificate {
    /// PEM.
    pub certificate: String,
    /// PEM, PKCS#8.
    pub key: Secret,
}

/// What the laptop's authority for servers inside the cluster has signed. Its own key is not here: no host ever gets it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ServingMaterial {
    /// The authority's certificate, PEM.
    pub authority: String,
    /// Of each kubelet, by the name of its host.
    pub kubelets: BTreeMap<String, Certificate>,
    /// Of metrics-server.
    pub metrics_server: Certificate,
}

fn texts(certificate: Option<&Certificate>) -> (&str, &str) {
    certificate.map_or(("", ""), |one| (one.certificate.as_str(), one.key.expose()))
}

/// The variable `serving` of one host, or of the cluster; `docs/playbooks.md` tells its fields. Empty where nobody needs it.
pub(crate) fn variable(material: Option<&ServingMaterial>, host: Option<&str>) -> Value {
    let authority = material.map(|material| material.authority.as_str()).unwrap_or_default();
    if let Some(host) = host {
        let (certificate, key) = texts(material.and_then(|material| material.kubelets.get(host)));
        return json!({ "authority": authority, "certificate": certificate, "key": key });
    }
    let (certificate, key) = texts(material.map(|material| &material.metrics_server));
    json!({
        "authority": authority,
        "authority_digest": Digest::of(authority.as_bytes()).to_string(),
        "metrics_server": { "certificate": certificate, "key": key },
    })
}
