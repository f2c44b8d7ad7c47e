//! `edge.firewall:`

use ipnet::IpNet;
use schemars::JsonSchema;

use super::super::field::{Field, given};
use super::super::section::Keys;
use super::list::distinct;
use crate::fault::{Fault, Faults, quote};
use crate::span::{Given, Spanned};
use crate::syntax;

/// The edge host's packet filter.
#[derive(Debug, Default, JsonSchema)]
#[schemars(deny_unknown_fields)]
pub(crate) struct Firewall {
    /// Networks at home: their machines reach every port of the edge host, and it reaches them only as far as the cluster needs.
    /// Without it: the network in which the control plane stands.
    #[schemars(default, with = "Vec<String>")]
    pub(crate) lan: Given<Vec<IpNet>>,
    /// TCP ports that are open to everybody, such as 80 and 443.
    #[schemars(default, with = "Vec<u16>", extend("items" = { "type": "integer", "minimum": 1, "maximum": 65535 }))]
    pub(crate) public_tcp: Given<Vec<u16>>,
    /// UDP ports that are open to everybody.
    #[schemars(default, with = "Vec<u16>", extend("items" = { "type": "integer", "minimum": 1, "maximum": 65535 }))]
    pub(crate) public_udp: Given<Vec<u16>>,
    /// Machines and networks at home that the edge host may reach on every port, such as a server of packages.
    #[schemars(default, with = "Vec<String>")]
    pub(crate) reach: Given<Vec<IpNet>>,
}

pub(in crate::source) static KEYS: Keys = Keys {
    example: "firewall: { lan: [192.168.1.0/24] }",
    known: &["lan", "public_tcp", "public_udp", "reach"],
    later: &[],
    elsewhere: &[
        ("ports", "write `public_tcp` or `public_udp`"),
        ("tcp", "did you mean `public_tcp`?"),
        ("udp", "did you mean `public_udp`?"),
        (
            "allow",
            "networks go into `lan`, ports that are open to everybody into `public_tcp` and `public_udp`",
        ),
    ],
};

impl Firewall {
    /// Of a section that is none.
    pub(super) fn faulty() -> Self {
        Self {
            lan: Given::Faulty,
            public_tcp: Given::Faulty,
            public_udp: Given::Faulty,
            reach: Given::Faulty,
        }
    }

    /// Reads the section; every field that is wrong is faulty.
    pub(super) fn read(field: &Field<'_>, faults: &mut Faults) -> Self {
        let Some(section) = field.section(&KEYS, faults) else { return Self::faulty() };
        Self {
            lan: given(section.get("lan"), |field| lan(field, faults)),
            public_tcp: given(section.get("public_tcp"), |field| ports(field, faults)),
            public_udp: given(section.get("public_udp"), |field| ports(field, faults)),
            reach: given(section.get("reach"), |field| {
                distinct(
                    field,
                    "a list of addresses and networks",
                    "reach: [192.168.1.5]",
                    syntax::addresses,
                    faults,
                )
            }),
        }
    }
}

/// At least one network: an empty list would lock everybody out.
fn lan(field: &Field<'_>, faults: &mut Faults) -> Option<Spanned<Vec<IpNet>>> {
    let networks = distinct(field, "a list of networks", "lan: [192.168.1.0/24]", syntax::network, faults)?;
    if networks.value.is_empty() {
        faults.push(
            Fault::new(
                networks.span,
                format!("{} is empty: nobody could log in to the edge host", quote(&field.path)),
            )
            .help("name the networks at home, or remove the key: then it is the one of the control plane"),
        );
        return None;
    }
    Some(networks)
}

fn ports(field: &Field<'_>, faults: &mut Faults) -> Option<Spanned<Vec<u16>>> {
    distinct(field, "a list of ports", "public_tcp: [80, 443]", syntax::public_port, faults)
}
