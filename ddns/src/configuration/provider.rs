//! Who keeps the record of a name: one key each, with what that provider needs.

use serde::Deserialize;

use super::{DomainName, ServerUrl};
use crate::secret::SecretReference;

/// One provider; the key is its name.
#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum Provider {
    /// Any DNS server that takes signed updates (RFC 2136): BIND, Knot, `PowerDNS`, dynv6.
    Rfc2136 {
        /// `HOST` or `HOST:PORT`; port 53 unless said otherwise. An IPv6 address stands in brackets.
        server: String,
        /// The zone the name is in.
        zone: DomainName,
        /// What signs the update.
        key: TsigKey,
        /// Seconds others may keep the address.
        #[serde(default = "one_minute")]
        ttl: u32,
    },
    /// Cloudflare's API, version 4.
    Cloudflare {
        /// The zone the name is in; without it, the nearest one that the token sees.
        zone: Option<DomainName>,
        /// An API token with the permissions Zone.Zone Read and Zone.DNS Edit for that zone.
        token: SecretReference,
        /// Where the API is.
        server: Option<ServerUrl>,
    },
    /// Duck DNS.
    Duckdns {
        /// The account's token.
        token: SecretReference,
        /// Where updates go.
        server: Option<ServerUrl>,
    },
    /// deSEC, dedyn.io.
    Desec {
        /// A token that may write this name.
        token: SecretReference,
        /// Where updates go.
        server: Option<ServerUrl>,
    },
    /// No-IP.
    NoIp(Dyndns2),
    /// Dynu.
    Dynu(Dyndns2),
    /// OVH's `DynHost`.
    Ovh(Dyndns2),
    /// Hurricane Electric: the password is the record's key, the user its name unless said otherwise.
    HurricaneElectric(Dyndns2),
    /// dynv6's dyndns2 interface, IPv4 alone: the password is the HTTP token.
    Dynv6(Dyndns2),
    /// Any other server that speaks dyndns2.
    Dyndns2(Dyndns2),
}

fn one_minute() -> u32 {
    60
}

/// The key of an RFC 2136 update: HMAC-SHA-256.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TsigKey {
    /// As the server knows it.
    pub name: String,
    /// The shared secret, in base64, as in the server's own configuration.
    pub secret: SecretReference,
}

/// What a dyndns2 provider needs.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Dyndns2 {
    /// The account's user.
    pub username: Option<String>,
    /// Its password or update key.
    pub password: SecretReference,
    /// Where updates go; needed for `dyndns2`.
    pub server: Option<ServerUrl>,
}

impl Provider {
    /// The key in the configuration.
    pub fn word(&self) -> &'static str {
        match self {
            Self::Rfc2136 { .. } => "rfc2136",
            Self::Cloudflare { .. } => "cloudflare",
            Self::Duckdns { .. } => "duckdns",
            Self::Desec { .. } => "desec",
            Self::NoIp(_) => "no_ip",
            Self::Dynu(_) => "dynu",
            Self::Ovh(_) => "ovh",
            Self::HurricaneElectric(_) => "hurricane_electric",
            Self::Dynv6(_) => "dynv6",
            Self::Dyndns2(_) => "dyndns2",
        }
    }

    /// The one secret it needs.
    pub fn secret(&self) -> &SecretReference {
        match self {
            Self::Rfc2136 { key, .. } => &key.secret,
            Self::Cloudflare { token, .. } | Self::Duckdns { token, .. } | Self::Desec { token, .. } => token,
            Self::NoIp(account)
            | Self::Dynu(account)
            | Self::Ovh(account)
            | Self::HurricaneElectric(account)
            | Self::Dynv6(account)
            | Self::Dyndns2(account) => &account.password,
        }
    }

    /// The server the user named, if he did, for HTTP.
    pub fn server(&self) -> Option<&ServerUrl> {
        match self {
            Self::Rfc2136 { .. } => None,
            Self::Cloudflare { server, .. } | Self::Duckdns { server, .. } | Self::Desec { server, .. } => {
                server.as_ref()
            }
            Self::NoIp(account)
            | Self::Dynu(account)
            | Self::Ovh(account)
            | Self::HurricaneElectric(account)
            | Self::Dynv6(account)
            | Self::Dyndns2(account) => account.server.as_ref(),
        }
    }
}
