//! `edge.openvpn:`

use std::net::Ipv4Addr;

use ipnet::Ipv4Net;
use schemars::JsonSchema;

use super::super::field::{Field, given};
use super::super::secret_reference;
use super::super::section::Keys;
use super::list::list;
use super::route::route;
use super::user::{self, User, UserShape};
use crate::defaults;
use crate::fault::{Fault, Faults, Flaw, quote};
use crate::secret::SecretReference;
use crate::span::{Given, Span, Spanned};
use crate::syntax;

/// A VPN into the network at home: `OpenVPN` from the operating system's package, on the edge host.
#[derive(Debug, JsonSchema)]
#[schemars(deny_unknown_fields)]
pub(crate) struct OpenVpn {
    /// Where clients find it from the internet: a DNS name, or an IPv4 address that never changes.
    #[schemars(with = "String")]
    pub(crate) remote: Given<String>,
    /// Its UDP port. The router forwards it to the edge host.
    #[schemars(default, with = "u16", extend("minimum" = 1, "default" = 1194))]
    pub(crate) port: Given<u16>,
    /// The addresses inside the tunnel, from a /29 to a /16; the first is the server's.
    #[schemars(default, with = "String", extend("default" = "10.8.0.0/24"))]
    pub(crate) network: Given<Ipv4Net>,
    /// Networks that clients reach through it.
    #[schemars(with = "Vec<String>", length(min = 1))]
    pub(crate) routes: Given<Vec<Spanned<Ipv4Net>>>,
    /// Name servers that clients ask while they are connected.
    #[schemars(default, with = "Vec<Ipv4Addr>")]
    pub(crate) dns: Given<Vec<Spanned<Ipv4Addr>>>,
    /// Who may have a profile: a name, or a name and what of `routes` that user reaches. A name that is removed is shut out by the next `up`.
    #[schemars(with = "Vec<UserShape>")]
    pub(crate) users: Given<Vec<Spanned<User>>>,
    /// The passphrase that the key of the VPN's authority is encrypted with on this machine: a reference, never the text itself.
    #[schemars(default, with = "secret_reference::Shape")]
    pub(crate) passphrase: Given<SecretReference>,
    /// Where the word `openvpn` stands.
    #[schemars(skip)]
    pub(crate) key: Span,
}

pub(in crate::source) static KEYS: Keys = Keys {
    example: "openvpn: { remote: home.example.org, routes: [192.168.1.0/24], users: [alice] }",
    known: &["remote", "port", "network", "routes", "dns", "users", "passphrase"],
    later: &[],
    elsewhere: &[
        ("server", "did you mean `remote`?"),
        ("host", "did you mean `remote`?"),
        ("clients", "did you mean `users`?"),
        ("user", "did you mean `users`?"),
        ("route", "did you mean `routes`?"),
        ("ca_passphrase", "did you mean `passphrase`?"),
    ],
};

impl OpenVpn {
    /// Reads the section; `None` where it is none.
    pub(super) fn read(field: &Field<'_>, faults: &mut Faults) -> Option<Self> {
        let section = field.section(&KEYS, faults)?;
        let remote = section.require("remote", "remote: home.example.org", faults);
        let routes = section.require("routes", "routes: [192.168.1.0/24]", faults);
        let users = section.require("users", "users: [alice]", faults);
        let required = |given: Given<_>, present: bool| if present { given } else { Given::Faulty };
        let has_remote = remote.is_some();
        Some(Self {
            remote: required(given(remote, |field| field.parsed(remote_name, faults)), has_remote),
            port: given(section.get("port"), |field| field.parsed(port, faults)),
            network: given(section.get("network"), |field| field.parsed(network, faults)),
            routes: routes.map_or(Given::Faulty, |field| read_routes(&field, faults).into()),
            dns: given(section.get("dns"), |field| {
                list(field, "a list of name servers", "dns: [192.168.1.1]", name_server, faults)
            }),
            users: users.map_or(Given::Faulty, |field| user::read_all(&field, faults).into()),
            passphrase: given(section.get("passphrase"), |field| secret_reference::read(field, faults)),
            key: field.key,
        })
    }
}

fn read_routes(field: &Field<'_>, faults: &mut Faults) -> Option<Spanned<Vec<Spanned<Ipv4Net>>>> {
    let routes = list(field, "a list of networks", "routes: [192.168.1.0/24]", route, faults)?;
    if routes.value.is_empty() {
        let message = format!("{} is empty: nothing could be reached", quote(&field.path));
        faults.push(
            Fault::new(field.span(), message).help("name the network at home, such as `192.168.1.0/24`"),
        );
        return None;
    }
    Some(routes)
}

fn remote_name(text: &str) -> Result<String, Flaw> {
    if let Some((host, port)) = text.rsplit_once(':')
        && port.parse::<u16>().is_ok()
    {
        return Err(Flaw::new(format!("{} holds a port", quote(text)))
            .help(format!("write `remote: {host}, port: {port}`")));
    }
    syntax::address(text).map_err(|flaw| flaw.help("write the name that leads to your router from outside"))
}

fn port(text: &str) -> Result<u16, Flaw> {
    syntax::port(text).map_err(|flaw| flaw.help("OpenVPN's own is 1194"))
}

fn network(text: &str) -> Result<Ipv4Net, Flaw> {
    let network = syntax::ipv4_network(text, defaults::vpn_network())?;
    if !(16..=29).contains(&network.prefix_len()) || !network.addr().is_private() {
        return Err(Flaw::new(format!("{} is no network for a tunnel", quote(text))).help(format!(
            "take a private one, from a /29 to a /16, such as `{}`",
            defaults::vpn_network()
        )));
    }
    Ok(network)
}

fn name_server(text: &str) -> Result<Ipv4Addr, Flaw> {
    text.parse().map_err(|_| {
        Flaw::new(format!("{} is no IPv4 address", quote(text))).help("write it like `192.168.1.1`")
    })
}
