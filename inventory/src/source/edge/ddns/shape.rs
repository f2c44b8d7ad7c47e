//! The shape of `edge.ddns` for the schema. The readers beside it read the same.
#![expect(dead_code, clippy::large_enum_variant, reason = "the shape of a value for the schema")]

use schemars::JsonSchema;

use super::super::super::secret_reference::Shape as Secret;

/// Names that follow the address the internet sees: a list of them, or a mapping with what holds for all of them.
#[derive(JsonSchema)]
#[schemars(untagged)]
pub(crate) enum Ddns {
    /// Names alone; everything else has defaults.
    Names(#[schemars(length(min = 1))] Vec<DdnsName>),
    /// Names, and what holds for all of them.
    Whole(DdnsService),
}

/// Names, and what holds for all of them.
#[derive(JsonSchema)]
#[schemars(deny_unknown_fields)]
pub(crate) struct DdnsService {
    /// What is kept up to date.
    #[schemars(length(min = 1))]
    names: Vec<DdnsName>,
    /// Who says what the address is. A new one counts when two independent operators agree on it.
    #[schemars(default, with = "DdnsSources")]
    sources: Option<DdnsSources>,
    /// How often.
    #[schemars(default, with = "DdnsIntervals")]
    intervals: Option<DdnsIntervals>,
    /// Ranges that would be refused as addresses of a name, and are public where you are.
    #[schemars(default, with = "Vec<String>")]
    allow: Option<Vec<String>>,
}

/// A name that follows the address.
#[derive(JsonSchema)]
#[schemars(deny_unknown_fields)]
pub(crate) struct DdnsName {
    /// The whole name in DNS, such as `home.example.org`.
    name: String,
    /// Which records it gets.
    #[schemars(default, with = "Vec<AddressFamily>", length(min = 1), extend("default" = ["ipv4"]))]
    families: Option<Vec<AddressFamily>>,
    /// Who keeps the record.
    provider: DdnsProvider,
}

#[derive(JsonSchema)]
#[schemars(rename_all = "lowercase")]
pub(crate) enum AddressFamily {
    Ipv4,
    Ipv6,
}

/// Who keeps a record: one of these.
#[derive(JsonSchema)]
#[schemars(rename_all = "snake_case")]
pub(crate) enum DdnsProvider {
    /// Any DNS server that takes signed updates: BIND, Knot, `PowerDNS`, dynv6.
    Rfc2136(Rfc2136),
    /// Cloudflare.
    Cloudflare(Cloudflare),
    /// Duck DNS.
    Duckdns(DdnsToken),
    /// deSEC, dedyn.io.
    Desec(DdnsToken),
    /// No-IP.
    NoIp(DdnsAccount),
    /// Dynu.
    Dynu(DdnsAccount),
    /// OVH's `DynHost`; IPv4 alone.
    Ovh(DdnsAccount),
    /// Hurricane Electric: the password is the record's key.
    HurricaneElectric(DdnsAccount),
    /// dynv6, IPv4 alone: the password is the HTTP token.
    Dynv6(DdnsAccount),
    /// Any other server that speaks dyndns2.
    Dyndns2(DdnsAccount),
}

/// A DNS server that takes signed updates.
#[derive(JsonSchema)]
#[schemars(deny_unknown_fields)]
pub(crate) struct Rfc2136 {
    /// `HOST` or `HOST:PORT`; port 53 unless said otherwise.
    server: String,
    /// The zone the name is in.
    zone: String,
    /// What signs the update.
    key: TsigKey,
    /// Seconds others may keep the address.
    #[schemars(default, with = "u32", range(min = 1), extend("default" = 60))]
    ttl: Option<u32>,
}

/// A TSIG key, for hmac-sha256.
#[derive(JsonSchema)]
#[schemars(deny_unknown_fields)]
pub(crate) struct TsigKey {
    /// As the server knows it.
    name: String,
    /// The shared secret, in base64.
    secret: Secret,
}

/// Cloudflare's API.
#[derive(JsonSchema)]
#[schemars(deny_unknown_fields)]
pub(crate) struct Cloudflare {
    /// The zone the name is in. Without it: the nearest one that the token sees.
    #[schemars(default, with = "String")]
    zone: Option<String>,
    /// An API token with the permissions Zone.Zone Read and Zone.DNS Edit.
    token: Secret,
    /// Where the API is, if not at Cloudflare.
    #[schemars(default, with = "String")]
    server: Option<String>,
}

/// A provider with a token.
#[derive(JsonSchema)]
#[schemars(deny_unknown_fields)]
pub(crate) struct DdnsToken {
    /// The account's token.
    token: Secret,
    /// Where updates go, if not to the provider's own place.
    #[schemars(default, with = "String")]
    server: Option<String>,
}

/// A provider that speaks dyndns2.
#[derive(JsonSchema)]
#[schemars(deny_unknown_fields)]
pub(crate) struct DdnsAccount {
    /// The account's user.
    #[schemars(default, with = "String")]
    username: Option<String>,
    /// Its password or update key.
    password: Secret,
    /// Where updates go, if not to the provider's own place; needed for `dyndns2`.
    #[schemars(default, with = "String")]
    server: Option<String>,
}

/// Who is asked what the address is.
#[derive(JsonSchema)]
#[schemars(deny_unknown_fields)]
pub(crate) struct DdnsSources {
    /// How the router is asked, in this order.
    #[schemars(default, with = "Vec<RouterProtocol>")]
    router: Option<Vec<RouterProtocol>>,
    /// Where the router is, when it is not found by itself.
    #[schemars(default, with = "DdnsGateway")]
    gateway: Option<DdnsGateway>,
    /// Services that answer with the address they were asked from.
    #[schemars(default, with = "Vec<HttpsSource>")]
    https: Option<Vec<HttpsSource>>,
    /// The same over DNS.
    #[schemars(default, with = "Vec<DnsSource>")]
    dns: Option<Vec<DnsSource>>,
    /// The interface whose IPv6 address is published; that of the IPv6 default route unless said otherwise.
    #[schemars(default, with = "String")]
    interface: Option<String>,
}

#[derive(JsonSchema)]
#[schemars(rename_all = "snake_case")]
pub(crate) enum RouterProtocol {
    Upnp,
    NatPmp,
}

/// Where the router answers: `ADDRESS:PORT`.
#[derive(JsonSchema)]
#[schemars(deny_unknown_fields)]
pub(crate) struct DdnsGateway {
    /// Where `UPnP` devices are searched.
    #[schemars(default, with = "String")]
    upnp: Option<String>,
    /// Where NAT-PMP is spoken.
    #[schemars(default, with = "String")]
    nat_pmp: Option<String>,
}

/// A service over HTTPS.
#[derive(JsonSchema)]
#[schemars(rename_all = "snake_case")]
pub(crate) enum HttpsSource {
    Cloudflare,
    Ipify,
    Desec,
    /// Another one.
    Other(OtherHttps),
}

/// A service over HTTPS that is not known here.
#[derive(JsonSchema)]
#[schemars(deny_unknown_fields)]
pub(crate) struct OtherHttps {
    /// Who runs it: two sources of one operator are one voice.
    operator: String,
    /// The URL for IPv4.
    #[schemars(default, with = "String")]
    ipv4: Option<String>,
    /// The URL for IPv6.
    #[schemars(default, with = "String")]
    ipv6: Option<String>,
    /// What it answers with.
    #[schemars(default, with = "HttpsFormat")]
    format: Option<HttpsFormat>,
}

#[derive(JsonSchema)]
#[schemars(rename_all = "snake_case")]
pub(crate) enum HttpsFormat {
    Address,
    Trace,
}

/// A service over DNS.
#[derive(JsonSchema)]
#[schemars(rename_all = "snake_case")]
pub(crate) enum DnsSource {
    Opendns,
    Google,
    /// Another one.
    Other(OtherDns),
}

/// A service over DNS that is not known here.
#[derive(JsonSchema)]
#[schemars(deny_unknown_fields)]
pub(crate) struct OtherDns {
    /// Who runs it.
    operator: String,
    /// `ADDRESS:PORT` of the server for IPv4.
    #[schemars(default, with = "String")]
    ipv4: Option<String>,
    /// `ADDRESS:PORT` of the server for IPv6.
    #[schemars(default, with = "String")]
    ipv6: Option<String>,
    /// The name that is asked for.
    name: String,
    /// Whether the answer is a text instead of an address.
    #[schemars(default, with = "bool")]
    text: Option<bool>,
}

/// How often: `30s`, `5m`, `1h`.
#[derive(JsonSchema)]
#[schemars(deny_unknown_fields)]
pub(crate) struct DdnsIntervals {
    /// The router and the interface are looked at; at least 10 s.
    #[schemars(default, with = "String", extend("default" = "30s"))]
    router: Option<String>,
    /// The services on the internet are asked; at least a minute.
    #[schemars(default, with = "String", extend("default" = "5m"))]
    echo: Option<String>,
    /// The first term after a failure; at least a minute.
    #[schemars(default, with = "String", extend("default" = "60s"))]
    retry: Option<String>,
}
