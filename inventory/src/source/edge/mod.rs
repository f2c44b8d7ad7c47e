//! `edge:`

pub(super) mod challenge;
pub(crate) mod ddns;
pub(super) mod firewall;
pub(super) mod ingress;
mod list;
pub(super) mod openvpn;
mod route;
pub(super) mod tls;
mod user;

use schemars::JsonSchema;

use super::field::Field;
use super::section::Keys;
use crate::fault::Faults;
use crate::span::Span;

pub(crate) use challenge::Challenge;
pub(crate) use ddns::Ddns;
pub(crate) use firewall::Firewall;
pub(crate) use ingress::Ingress;
pub(crate) use openvpn::OpenVpn;
pub(crate) use tls::Tls;

/// What faces the internet: one host has `edge: true`.
#[derive(Debug, JsonSchema)]
#[schemars(deny_unknown_fields)]
pub(crate) struct Edge {
    /// What the edge host lets in, and what it may reach inside.
    #[schemars(default)]
    pub(crate) firewall: Firewall,
    /// What answers HTTP and HTTPS.
    #[schemars(default, with = "Ingress")]
    pub(crate) ingress: Option<Ingress>,
    /// A VPN into the network at home.
    #[schemars(default, with = "OpenVpn")]
    pub(crate) openvpn: Option<OpenVpn>,
    /// Names that follow the address the internet sees: a list, or a mapping with `names`.
    #[schemars(default, with = "ddns::Shape")]
    pub(crate) ddns: Option<Ddns>,
    /// Whether `ddns` is there and is neither.
    #[schemars(skip)]
    pub(crate) ddns_is_faulty: bool,
    /// Where the word `edge` stands.
    #[schemars(skip)]
    pub(crate) key: Span,
}

pub(super) static KEYS: Keys = Keys {
    example: "edge: { firewall: { lan: [192.168.1.0/24] } }",
    known: &["firewall", "ingress", "openvpn", "ddns"],
    later: &[],
    elsewhere: &[
        ("vpn", "did you mean `openvpn`?"),
        ("dyndns", "did you mean `ddns`?"),
        ("dns", "did you mean `ddns`?"),
        ("lan", "it belongs under `firewall:`"),
        ("public_tcp", "it belongs under `firewall:`"),
        ("public_udp", "it belongs under `firewall:`"),
        ("reach", "it belongs under `firewall:`"),
        ("host", "the host itself says `edge: true`"),
        ("hosts", "the host itself says `edge: true`; names that lead to it belong under `ingress:`"),
        ("tls", "it belongs under `ingress:`"),
    ],
};

impl Edge {
    /// Reads the section; every field that is wrong is faulty.
    pub(super) fn read(field: &Field<'_>, faults: &mut Faults) -> Self {
        let key = field.key;
        let Some(section) = field.section(&KEYS, faults) else {
            return Self {
                firewall: Firewall::faulty(),
                ingress: None,
                openvpn: None,
                ddns: None,
                ddns_is_faulty: false,
                key,
            };
        };
        let firewall =
            section.get("firewall").map_or_else(Firewall::default, |field| Firewall::read(&field, faults));
        let ingress = section.get("ingress").and_then(|field| Ingress::read(&field, faults));
        let openvpn = section.get("openvpn").and_then(|field| OpenVpn::read(&field, faults));
        let field = section.get("ddns");
        let ddns = field.as_ref().and_then(|field| Ddns::read(field, faults));
        let ddns_is_faulty = field.is_some() && ddns.is_none();
        Self { firewall, ingress, openvpn, ddns, ddns_is_faulty, key }
    }
}
