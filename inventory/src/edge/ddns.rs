//! Names that follow the address the internet sees, resolved. What is serialised here has the words of `garboard-ddns`'
//! own configuration (`docs/ddns.md`), but for the secrets.

use std::net::SocketAddr;

use ipnet::IpNet;
use serde::{Serialize, Serializer};

use crate::secret::SecretReference;

/// What `garboard-ddns` looks after on the edge host.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Ddns {
    /// What is kept up to date; at least one, in the order of the file.
    pub names: Vec<DdnsName>,
    /// Who says what the address is.
    pub sources: DdnsSources,
    /// How often.
    pub intervals: DdnsIntervals,
    /// Ranges that would be refused as addresses of a name, and are public where the user is. Canonical.
    pub allow: Vec<IpNet>,
}

/// One name.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct DdnsName {
    /// As in DNS: lower case, without the last dot.
    pub name: String,
    /// Which records it gets; at least one.
    pub families: Vec<AddressFamily>,
    /// Who keeps the record.
    pub provider: DdnsProvider,
}

/// Of addresses.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum AddressFamily {
    /// `A` records.
    Ipv4,
    /// `AAAA` records.
    Ipv6,
}

/// Who keeps a record, with what that provider needs.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum DdnsProvider {
    /// Any DNS server that takes signed updates (RFC 2136).
    Rfc2136 {
        /// `HOST` or `HOST:PORT`.
        server: String,
        /// The zone the name is in.
        zone: String,
        /// What signs the update.
        key: TsigKey,
        /// Seconds others may keep the address.
        ttl: u32,
    },
    /// Cloudflare's API.
    Cloudflare {
        /// The zone the name is in; without it the nearest one that the token sees.
        #[serde(skip_serializing_if = "Option::is_none")]
        zone: Option<String>,
        /// An API token.
        token: SecretReference,
        /// Where the API is, if it is not the provider's own.
        #[serde(skip_serializing_if = "Option::is_none")]
        server: Option<String>,
    },
    /// Duck DNS.
    Duckdns(DdnsToken),
    /// deSEC.
    Desec(DdnsToken),
    /// No-IP.
    NoIp(DdnsAccount),
    /// Dynu.
    Dynu(DdnsAccount),
    /// OVH's `DynHost`.
    Ovh(DdnsAccount),
    /// Hurricane Electric.
    HurricaneElectric(DdnsAccount),
    /// dynv6.
    Dynv6(DdnsAccount),
    /// Any other server that speaks dyndns2.
    Dyndns2(DdnsAccount),
}

/// The key of an RFC 2136 update: HMAC-SHA-256.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct TsigKey {
    /// As the server knows it.
    pub name: String,
    /// The shared secret, in base64.
    pub secret: SecretReference,
}

/// What providers with a token need.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct DdnsToken {
    /// The account's token.
    pub token: SecretReference,
    /// Where updates go, if it is not the provider's own.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub server: Option<String>,
}

/// What providers that speak dyndns2 need.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct DdnsAccount {
    /// The account's user.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub username: Option<String>,
    /// Its password or update key.
    pub password: SecretReference,
    /// Where updates go, if it is not the provider's own.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub server: Option<String>,
}

/// Who is asked what the address is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct DdnsSources {
    /// How the router is asked, in this order.
    pub router: Vec<RouterProtocol>,
    /// Where the router is, when it is not found by itself.
    pub gateway: DdnsGateway,
    /// Services that answer with the address they were asked from.
    pub https: Vec<HttpsSource>,
    /// The same over DNS.
    pub dns: Vec<DnsSource>,
    /// The interface whose IPv6 address is published; that of the IPv6 default route unless said otherwise.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub interface: Option<String>,
}

/// A protocol that routers speak.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum RouterProtocol {
    /// `UPnP` Internet Gateway Device.
    Upnp,
    /// NAT-PMP.
    NatPmp,
}

/// Where the router answers.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct DdnsGateway {
    /// Where the search for `UPnP` devices goes, instead of the multicast group.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub upnp: Option<SocketAddr>,
    /// Where NAT-PMP is spoken, instead of the default gateway.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub nat_pmp: Option<SocketAddr>,
}

/// A service over HTTPS.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum HttpsSource {
    /// Cloudflare's trace.
    Cloudflare,
    /// ipify.
    Ipify,
    /// deSEC's.
    Desec,
    /// Another one.
    Other {
        /// Who runs it: two sources of one operator are one voice.
        operator: String,
        /// For IPv4.
        #[serde(skip_serializing_if = "Option::is_none")]
        ipv4: Option<String>,
        /// For IPv6.
        #[serde(skip_serializing_if = "Option::is_none")]
        ipv6: Option<String>,
        /// What it answers with.
        format: HttpsFormat,
    },
}

/// What a service answers with.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum HttpsFormat {
    /// The address and nothing else.
    #[default]
    Address,
    /// Lines of `key=value`, one of them `ip=`.
    Trace,
}

/// A service over DNS.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum DnsSource {
    /// `OpenDNS`.
    Opendns,
    /// Google.
    Google,
    /// Another one.
    Other {
        /// Who runs it.
        operator: String,
        /// The server for IPv4.
        #[serde(skip_serializing_if = "Option::is_none")]
        ipv4: Option<SocketAddr>,
        /// The server for IPv6.
        #[serde(skip_serializing_if = "Option::is_none")]
        ipv6: Option<SocketAddr>,
        /// The name that is asked for.
        name: String,
        /// Whether the answer is a text instead of an address.
        text: bool,
    },
}

/// How often something is done, in seconds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct DdnsIntervals {
    /// The router and the interface are looked at.
    #[serde(serialize_with = "in_seconds")]
    pub router: u32,
    /// The services on the internet are asked.
    #[serde(serialize_with = "in_seconds")]
    pub echo: u32,
    /// The first term after a failure.
    #[serde(serialize_with = "in_seconds")]
    pub retry: u32,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde's form")]
fn in_seconds<S: Serializer>(seconds: &u32, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_str(&format_args!("{seconds}s"))
}

impl Default for DdnsSources {
    fn default() -> Self {
        Self {
            router: vec![RouterProtocol::Upnp, RouterProtocol::NatPmp],
            gateway: DdnsGateway::default(),
            https: vec![HttpsSource::Cloudflare, HttpsSource::Ipify, HttpsSource::Desec],
            dns: vec![DnsSource::Opendns, DnsSource::Google],
            interface: None,
        }
    }
}

impl Default for DdnsIntervals {
    fn default() -> Self {
        Self { router: 30, echo: 300, retry: 60 }
    }
}

impl DdnsProvider {
    /// Its key, in the inventory and in the service's configuration.
    pub fn word(&self) -> &'static str {
        match self {
            Self::Rfc2136 { .. } => "rfc2136",
            Self::Cloudflare { .. } => "cloudflare",
            Self::Duckdns(_) => "duckdns",
            Self::Desec(_) => "desec",
            Self::NoIp(_) => "no_ip",
            Self::Dynu(_) => "dynu",
            Self::Ovh(_) => "ovh",
            Self::HurricaneElectric(_) => "hurricane_electric",
            Self::Dynv6(_) => "dynv6",
            Self::Dyndns2(_) => "dyndns2",
        }
    }

    /// The one secret it needs, and the keys that lead to it below [`Self::word`].
    pub fn secret(&self) -> (&SecretReference, &'static [&'static str]) {
        match self {
            Self::Rfc2136 { key, .. } => (&key.secret, &["key", "secret"]),
            Self::Cloudflare { token, .. } => (token, &["token"]),
            Self::Duckdns(one) | Self::Desec(one) => (&one.token, &["token"]),
            Self::NoIp(one)
            | Self::Dynu(one)
            | Self::Ovh(one)
            | Self::HurricaneElectric(one)
            | Self::Dynv6(one)
            | Self::Dyndns2(one) => (&one.password, &["password"]),
        }
    }

    /// Where updates go, if the user says so: a URL, but `HOST[:PORT]` for RFC 2136.
    pub fn server(&self) -> Option<&str> {
        match self {
            Self::Rfc2136 { server, .. } => Some(server),
            Self::Cloudflare { server, .. } => server.as_deref(),
            Self::Duckdns(one) | Self::Desec(one) => one.server.as_deref(),
            Self::NoIp(one)
            | Self::Dynu(one)
            | Self::Ovh(one)
            | Self::HurricaneElectric(one)
            | Self::Dynv6(one)
            | Self::Dyndns2(one) => one.server.as_deref(),
        }
    }
}
