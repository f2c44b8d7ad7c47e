//! The ingress, resolved, and what follows from it for others: the firewall, certificates, the forwards of a router.

use std::net::SocketAddr;
use std::path::PathBuf;

use serde::Serialize;

use super::DdnsProvider;

/// An ingress controller on the edge host: Traefik, on the host's own network.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Ingress {
    /// Names that lead to the edge host, in the order of the file; `*.example.org` stands for every name one level below.
    pub hosts: Vec<String>,
    /// Where the controller looks for `Ingress` objects, and for the Secrets that they name. Nowhere else.
    pub namespaces: Vec<String>,
    /// Where certificates come from, besides those that `Ingress` objects name.
    pub tls: Option<Tls>,
    /// Whether plain HTTP is answered with the way to HTTPS.
    pub redirect: bool,
}

impl Ingress {
    /// The name of its class, which is the cluster's default.
    pub const CLASS: &'static str = "traefik";
    /// The namespace it runs in.
    pub const NAMESPACE: &'static str = "traefik";
    /// TCP ports that are open to everybody: HTTP and HTTPS.
    pub const PORTS: [u16; 2] = [80, 443];

    /// How names are shown by DNS, where they are.
    pub fn by_dns(&self) -> Option<&DnsChallenge> {
        match &self.tls {
            Some(Tls::Acme(Acme { challenge: Challenge::Dns(challenge), .. })) => Some(challenge),
            _ => None,
        }
    }
}

/// Where the certificates of `hosts` come from.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Tls {
    /// From an authority that speaks ACME, such as Let's Encrypt.
    Acme(Acme),
    /// From a Secret of type `kubernetes.io/tls` in the controller's namespace; somebody else puts it there and renews it.
    Secret(String),
    /// From an authority that the laptop keeps; devices have to be told to trust it.
    OwnCa,
}

/// An account at an authority that speaks ACME (RFC 8555).
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Acme {
    /// Where it writes to, about certificates that are about to end.
    pub email: String,
    /// The URL of its directory. `None`: that of Let's Encrypt.
    pub server: Option<String>,
    /// Certificates (PEM) by which the server is known, where it is none of those that everybody knows.
    pub ca: Option<PathBuf>,
    /// How it is shown that the names are yours.
    pub challenge: Challenge,
}

/// How an ACME server is shown that a name is yours.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Challenge {
    /// By an answer on port 80 of the name (HTTP-01).
    Http,
    /// By a TXT record beside the name (DNS-01).
    Dns(DnsChallenge),
}

/// Who writes the record, and who is asked whether it is there.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct DnsChallenge {
    /// The one of `edge.ddns` whose account keeps the zones of all names.
    pub provider: DdnsProvider,
    /// Name servers that know the zones as the internet does; at least one.
    pub resolvers: Vec<SocketAddr>,
    /// Seconds between the record and the first look for it.
    pub delay: u32,
}
