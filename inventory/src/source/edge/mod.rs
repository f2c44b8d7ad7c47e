//! `edge:`

pub(super) mod openvpn;

use schemars::JsonSchema;

use super::field::Field;
use super::section::Keys;
use crate::fault::Faults;
use crate::span::Span;

pub(crate) use openvpn::OpenVpn;

/// What the host that faces the internet offers. One host has `edge: true`.
#[derive(Debug, JsonSchema)]
#[schemars(deny_unknown_fields)]
pub(crate) struct Edge {
    /// A VPN into the network at home.
    #[schemars(default, with = "OpenVpn")]
    pub(crate) openvpn: Option<OpenVpn>,
    /// Where the word `edge` stands.
    #[schemars(skip)]
    pub(crate) key: Span,
}

pub(super) static KEYS: Keys = Keys {
    example: "edge: { openvpn: { remote: home.example.org, routes: [192.168.1.0/24], users: [alice] } }",
    known: &["openvpn"],
    later: &[
        ("firewall", "remove it: the firewall comes with a later version"),
        ("ingress", "remove it: the ingress comes with a later version"),
        ("ddns", "remove it: dynamic DNS comes with a later version"),
    ],
    elsewhere: &[("vpn", "did you mean `openvpn`?")],
};

impl Edge {
    /// Reads the section.
    pub(super) fn read(field: &Field<'_>, faults: &mut Faults) -> Option<Self> {
        let section = field.section(&KEYS, faults)?;
        let openvpn = section.get("openvpn").map(|field| OpenVpn::read(&field, faults));
        Some(Self { openvpn: openvpn.flatten(), key: field.key })
    }
}
