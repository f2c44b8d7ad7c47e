//! Who is asked what the address is.

use std::net::SocketAddr;

use serde::Deserialize;

use super::{DomainName, ServerUrl};

/// All sources; a list that is left out holds the defaults.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Sources {
    /// How the router is asked, in this order.
    pub router: Vec<RouterProtocol>,
    /// Where the router is, when it is not found by itself.
    pub gateway: Gateway,
    /// Services that answer with the address they were asked from.
    pub https: Vec<HttpsSource>,
    /// The same over DNS.
    pub dns: Vec<DnsSource>,
    /// The interface whose IPv6 address is published; that of the IPv6 default route unless said otherwise.
    pub interface: Option<String>,
}

impl Default for Sources {
    fn default() -> Self {
        Self {
            router: vec![RouterProtocol::Upnp, RouterProtocol::NatPmp],
            gateway: Gateway::default(),
            https: vec![HttpsSource::Cloudflare, HttpsSource::Ipify, HttpsSource::Desec],
            dns: vec![DnsSource::Opendns, DnsSource::Google],
            interface: None,
        }
    }
}

/// A protocol that routers speak.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RouterProtocol {
    /// `UPnP` Internet Gateway Device, versions 1 and 2.
    Upnp,
    /// NAT-PMP (RFC 6886).
    NatPmp,
}

/// Where the router answers.
#[derive(Debug, Clone, Copy, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Gateway {
    /// Where the search for `UPnP` devices goes; `239.255.255.250:1900` unless said otherwise.
    pub upnp: Option<SocketAddr>,
    /// Where NAT-PMP is spoken; port 5351 of the default gateway unless said otherwise.
    pub nat_pmp: Option<SocketAddr>,
}

/// A service over HTTPS.
#[expect(clippy::large_enum_variant, reason = "a handful of them is read once")]
#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum HttpsSource {
    /// `www.cloudflare.com/cdn-cgi/trace`.
    Cloudflare,
    /// `api4.ipify.org`, `api6.ipify.org`.
    Ipify,
    /// `checkipv4.dedyn.io`, `checkipv6.dedyn.io`: three questions a minute.
    Desec,
    /// Another one.
    Other {
        /// Who runs it: two sources of one operator are one voice.
        operator: String,
        /// For IPv4.
        ipv4: Option<ServerUrl>,
        /// For IPv6.
        ipv6: Option<ServerUrl>,
        /// What it answers with.
        #[serde(default)]
        format: HttpsFormat,
    },
}

/// What a service answers with.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum HttpsFormat {
    /// The address and nothing else.
    #[default]
    Address,
    /// Lines of `key=value`, one of them `ip=`.
    Trace,
}

/// A service over DNS.
#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum DnsSource {
    /// `myip.opendns.com` at resolver1.opendns.com.
    Opendns,
    /// The text `o-o.myaddr.l.google.com` at ns1.google.com, the only one that answers with the asker's own address.
    Google,
    /// Another one.
    Other {
        /// Who runs it.
        operator: String,
        /// The server for IPv4.
        ipv4: Option<SocketAddr>,
        /// The server for IPv6.
        ipv6: Option<SocketAddr>,
        /// The name that is asked for.
        name: DomainName,
        /// Whether the answer is a text instead of an address.
        #[serde(default)]
        text: bool,
    },
}
