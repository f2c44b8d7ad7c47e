//! What dynamic DNS needs of the laptop, and how templates see it.

use std::net::{IpAddr, SocketAddr};

use garboard_inventory::{
    Ddns, DdnsName, DdnsProvider, DnsChallenge, DnsSource, HttpsSource, RouterProtocol, SecretReference,
};
use garboard_protocol::Secret;
use garboard_protocol::facts::Facts;
use serde_json::{Map, Value, json};

/// The playbook of `garboard-ddns`; it runs where the inventory has `edge.ddns`.
pub const DDNS: &str = "ddns";

/// The credential that the unit hands over; the file behind it holds all secrets.
const CREDENTIAL: &str = "secrets";

/// The secrets of providers, as they were found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DdnsMaterial(Vec<(SecretReference, Secret)>);

impl DdnsMaterial {
    /// Of these, each reference once.
    pub fn new(secrets: Vec<(SecretReference, Secret)>) -> Self {
        Self(secrets)
    }

    /// The references of all names, each once, in the order of the file.
    pub fn references(ddns: &Ddns) -> Vec<&SecretReference> {
        let mut references = Vec::new();
        for name in &ddns.names {
            let (reference, _) = name.provider.secret();
            if !references.contains(&reference) {
                references.push(reference);
            }
        }
        references
    }

    /// The variable `ddns`; `docs/playbooks.md` tells its fields.
    pub(crate) fn variable(&self, ddns: &Ddns) -> Value {
        let names: Vec<Value> = ddns.names.iter().map(|name| self.name(name)).collect();
        json!({
            "names": names,
            "sources": ddns.sources,
            "intervals": ddns.intervals,
            "allow": ddns.allow,
            "secrets": self.file(),
        })
    }

    /// A name as `garboard-ddns` reads it. Names with one secret say so by the same entry: they share an account.
    fn name(&self, name: &DdnsName) -> Value {
        let mut value = json!(name);
        let (reference, keys) = name.provider.secret();
        let place = self.0.iter().position(|(known, _)| known == reference).unwrap_or(self.0.len());
        let mut inside = &mut value["provider"][name.provider.word()];
        for key in keys {
            inside = &mut inside[key];
        }
        *inside = json!({ "entry": { "credential": CREDENTIAL, "name": entry(place) } });
        value
    }

    /// The file with all secrets: a JSON object, an entry a line.
    fn file(&self) -> String {
        let entries =
            self.0.iter().enumerate().map(|(place, (_, secret))| (entry(place), json!(secret.expose())));
        format!("{:#}", Value::Object(entries.collect::<Map<_, _>>()))
    }
}

fn entry(place: usize) -> String {
    (place + 1).to_string()
}

/// What the edge host's own filter has to let out to home, and in from there, for the service to ask: the router at
/// `facts.gateway`, and every server that the inventory names by its address. A server that it names by a name is looked
/// up when it is asked, and stays the business of `firewall.reach`.
/// The same for an ingress that shows names by DNS: it asks from the same host.
pub(crate) fn filter(ddns: Option<&Ddns>, challenge: Option<&DnsChallenge>, facts: Option<&Facts>) -> Value {
    let Some(ddns) = ddns else { return json!({ "reach": [], "searched_routers": [] }) };
    let gateway = facts.and_then(|facts| facts.gateway).map(IpAddr::V4);
    let sources = &ddns.sources;
    let asks = |protocol| sources.router.contains(&protocol);
    let mut reach: Vec<Value> = Vec::new();
    let mut add = |address: IpAddr, protocol: &str, ports: String| {
        let family = if address.is_ipv4() { "ip" } else { "ip6" };
        let place = json!({ "family": family, "address": address, "protocol": protocol, "ports": ports });
        if !address.is_loopback() && !reach.contains(&place) {
            reach.push(place);
        }
    };
    if asks(RouterProtocol::NatPmp) {
        match (sources.gateway.nat_pmp, gateway) {
            (Some(named), _) => add(named.ip(), "udp", named.port().to_string()),
            (None, Some(gateway)) => add(gateway, "udp", "5351".to_owned()),
            (None, None) => {}
        }
    }
    let mut searched: Vec<IpAddr> = Vec::new();
    if asks(RouterProtocol::Upnp) {
        match (sources.gateway.upnp, gateway) {
            (Some(named), _) => {
                add(named.ip(), "udp", named.port().to_string());
                add(named.ip(), "tcp", CONTROL.to_owned());
            }
            (None, Some(gateway)) => {
                add(gateway, "tcp", CONTROL.to_owned());
                searched.push(gateway);
            }
            (None, None) => {}
        }
    }
    for source in &sources.dns {
        if let DnsSource::Other { ipv4, ipv6, .. } = source {
            for server in [ipv4, ipv6].into_iter().flatten() {
                add(server.ip(), "udp", server.port().to_string());
            }
        }
    }
    for source in &sources.https {
        if let HttpsSource::Other { ipv4, ipv6, .. } = source {
            for server in [ipv4, ipv6].into_iter().flatten().filter_map(|url| of_url(url)) {
                add(server.ip(), "tcp", server.port().to_string());
            }
        }
    }
    for name in &ddns.names {
        let server = name.provider.server();
        if let Some(server) = server.and_then(|server| of_url(server).or_else(|| of_name_server(server))) {
            add(server.ip(), "tcp", server.port().to_string());
        }
    }
    if let Some(challenge) = challenge {
        // lego sends updates by UDP.
        let server = Some(&challenge.provider).filter(|one| matches!(one, DdnsProvider::Rfc2136 { .. }));
        if let Some(server) = server.and_then(DdnsProvider::server).and_then(of_name_server) {
            add(server.ip(), "udp", server.port().to_string());
        }
        for resolver in &challenge.resolvers {
            add(resolver.ip(), "udp", resolver.port().to_string());
            add(resolver.ip(), "tcp", resolver.port().to_string());
        }
    }
    json!({ "reach": reach, "searched_routers": searched })
}

/// Where routers have the port that they are asked at; they choose it, and the web pages for their owners are below.
const CONTROL: &str = "1024-65535";

/// Of `https://192.0.2.1:8443/…`; nothing for a name.
fn of_url(url: &str) -> Option<SocketAddr> {
    let (scheme, rest) = url.split_once("://")?;
    let authority = rest.split(['/', '?', '#']).next()?;
    of_authority(authority, if scheme.eq_ignore_ascii_case("http") { 80 } else { 443 })
}

/// Of `192.0.2.53`, `192.0.2.53:5353`, `[2001:db8::53]`; nothing for a name.
fn of_name_server(server: &str) -> Option<SocketAddr> {
    of_authority(server, 53)
}

fn of_authority(authority: &str, port: u16) -> Option<SocketAddr> {
    let plain = authority.strip_prefix('[').and_then(|inner| inner.strip_suffix(']')).unwrap_or(authority);
    authority.parse().ok().or_else(|| Some(SocketAddr::new(plain.parse().ok()?, port)))
}

#[cfg(test)]
mod tests {
    use super::{of_name_server, of_url};

    #[test]
    fn only_a_server_that_is_named_by_its_address_can_be_filtered_by_it() {
        let text = |found: Option<std::net::SocketAddr>| found.map(|address| address.to_string());
        assert_eq!(text(of_url("https://192.0.2.1:8443/x")).as_deref(), Some("192.0.2.1:8443"));
        assert_eq!(text(of_url("https://[2001:db8::1]/x")).as_deref(), Some("[2001:db8::1]:443"));
        assert_eq!(text(of_url("https://dyn.example.org/x")), None);
        assert_eq!(text(of_name_server("192.0.2.53")).as_deref(), Some("192.0.2.53:53"));
        assert_eq!(text(of_name_server("[2001:db8::53]:5353")).as_deref(), Some("[2001:db8::53]:5353"));
        assert_eq!(text(of_name_server("ns1.example.org")), None);
    }
}
