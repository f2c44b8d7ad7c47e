//! `edge:`

pub(super) mod firewall;
pub(super) mod ingress;
mod list;
pub(super) mod openvpn;
pub(super) mod tls;

use schemars::JsonSchema;

use super::field::Field;
use super::section::Keys;
use crate::fault::Faults;
use crate::span::Span;

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
    /// Where the word `edge` stands.
    #[schemars(skip)]
    pub(crate) key: Span,
}

pub(super) static KEYS: Keys = Keys {
    example: "edge: { firewall: { lan: [192.168.1.0/24] } }",
    known: &["firewall", "ingress", "openvpn"],
    later: &[(
        "ddns",
        "remove it, and install `garboard-ddns` by hand (docs/ddns.md); many routers have it, too",
    )],
    elsewhere: &[
        ("vpn", "did you mean `openvpn`?"),
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
            return Self { firewall: Firewall::faulty(), ingress: None, openvpn: None, key };
        };
        let firewall =
            section.get("firewall").map_or_else(Firewall::default, |field| Firewall::read(&field, faults));
        let ingress = section.get("ingress").and_then(|field| Ingress::read(&field, faults));
        let openvpn = section.get("openvpn").and_then(|field| OpenVpn::read(&field, faults));
        Self { firewall, ingress, openvpn, key }
    }
}
