//! Name servers that answer a certain question with the address it came from. Plain DNS can be forged by whoever is on the
//! way; the quorum is what makes that harmless.

use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use async_trait::async_trait;
use hickory_proto::rr::{RData, RecordType};
use hickory_resolver::TokioResolver;
use hickory_resolver::config::{ConnectionConfig, NameServerConfig, ResolveHosts, ResolverConfig};
use hickory_resolver::net::runtime::TokioRuntimeProvider;

use super::Source;
use crate::address::Family;
use crate::configuration::DnsSource;

const TIMEOUT: Duration = Duration::from_secs(3);

/// One of them.
pub(super) struct Dns {
    operator: String,
    ipv4: Option<SocketAddr>,
    ipv6: Option<SocketAddr>,
    name: String,
    text: bool,
}

impl Dns {
    pub(super) fn new(source: &DnsSource) -> Self {
        let known = |operator: &str, ipv4: [u8; 4], ipv6: [u16; 8], name: &str, text| Self {
            operator: operator.to_owned(),
            ipv4: Some(SocketAddr::new(ipv4.into(), 53)),
            ipv6: Some(SocketAddr::new(ipv6.into(), 53)),
            name: name.to_owned(),
            text,
        };
        match source {
            // resolver1.opendns.com
            DnsSource::Opendns => {
                let ipv6 = [0x2620, 0x119, 0x35, 0, 0, 0, 0, 0x35];
                known("opendns", [208, 67, 222, 222], ipv6, "myip.opendns.com.", false)
            }
            // ns1.google.com
            DnsSource::Google => {
                let ipv6 = [0x2001, 0x4860, 0x4802, 0x32, 0, 0, 0, 0xa];
                known("google", [216, 239, 32, 10], ipv6, "o-o.myaddr.l.google.com.", true)
            }
            DnsSource::Other { operator, ipv4, ipv6, name, text } => Self {
                operator: operator.clone(),
                ipv4: *ipv4,
                ipv6: *ipv6,
                name: format!("{name}."),
                text: *text,
            },
        }
    }

    fn server(&self, family: Family) -> Option<SocketAddr> {
        match family {
            Family::Ipv4 => self.ipv4,
            Family::Ipv6 => self.ipv6,
        }
    }
}

#[async_trait]
impl Source for Dns {
    fn operator(&self) -> &str {
        &self.operator
    }

    fn speaks(&self, family: Family) -> bool {
        self.server(family).is_some()
    }

    async fn look(&self, family: Family, from: Option<IpAddr>) -> Result<IpAddr, String> {
        // The server's address pins the family.
        let server = self.server(family).ok_or_else(|| format!("no {family} here"))?;
        let mut connection = ConnectionConfig::udp();
        connection.port = server.port();
        connection.bind_addr = from.map(|from| SocketAddr::new(from, 0));
        let server = NameServerConfig::new(server.ip(), true, vec![connection]);
        let configuration = ResolverConfig::from_name_servers(vec![server]);
        let mut builder = TokioResolver::builder_with_config(configuration, TokioRuntimeProvider::default());
        let options = builder.options_mut();
        options.cache_size = 0;
        options.timeout = TIMEOUT;
        options.attempts = 1;
        options.use_hosts_file = ResolveHosts::Never;
        let resolver = builder.build().map_err(|error| error.to_string())?;
        let wanted = match (self.text, family) {
            (true, _) => RecordType::TXT,
            (false, Family::Ipv4) => RecordType::A,
            (false, Family::Ipv6) => RecordType::AAAA,
        };
        let answer = resolver.lookup(self.name.as_str(), wanted).await.map_err(|error| error.to_string())?;
        answer
            .answers()
            .iter()
            .find_map(|record| address(&record.data, family))
            .ok_or_else(|| "the answer holds no address".to_owned())
    }
}

fn address(data: &RData, family: Family) -> Option<IpAddr> {
    let found = match data {
        RData::A(address) => IpAddr::V4(address.0),
        RData::AAAA(address) => IpAddr::V6(address.0),
        RData::TXT(text) => {
            let first = text.txt_data.first()?;
            std::str::from_utf8(first).ok()?.trim().parse().ok()?
        }
        _ => return None,
    };
    (Family::of(found) == family).then_some(found)
}
