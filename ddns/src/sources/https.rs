//! Services that answer with the address they were asked from.

use std::net::IpAddr;
use std::sync::Arc;

use async_trait::async_trait;

use super::Source;
use crate::address::Family;
use crate::configuration::{HttpsFormat, HttpsSource, ServerUrl};
use crate::http::{self, Clients};

const TRACE: &str = "https://www.cloudflare.com/cdn-cgi/trace";

/// One of them.
pub(super) struct Https {
    operator: String,
    ipv4: Option<String>,
    ipv6: Option<String>,
    format: HttpsFormat,
    clients: Arc<Clients>,
}

impl Https {
    pub(super) fn new(source: &HttpsSource, clients: &Arc<Clients>) -> Self {
        let known = |operator: &str, ipv4: &str, ipv6: &str, format| Self {
            clients: Arc::clone(clients),
            operator: operator.to_owned(),
            ipv4: Some(ipv4.to_owned()),
            ipv6: Some(ipv6.to_owned()),
            format,
        };
        let text = |url: &Option<ServerUrl>| url.as_ref().map(|url| url.url().to_string());
        match source {
            HttpsSource::Cloudflare => known("cloudflare", TRACE, TRACE, HttpsFormat::Trace),
            HttpsSource::Ipify => {
                known("ipify", "https://api4.ipify.org/", "https://api6.ipify.org/", HttpsFormat::Address)
            }
            HttpsSource::Desec => known(
                "desec",
                "https://checkipv4.dedyn.io/",
                "https://checkipv6.dedyn.io/",
                HttpsFormat::Address,
            ),
            HttpsSource::Other { operator, ipv4, ipv6, format } => Self {
                operator: operator.clone(),
                ipv4: text(ipv4),
                ipv6: text(ipv6),
                format: *format,
                clients: Arc::clone(clients),
            },
        }
    }

    fn url(&self, family: Family) -> Option<&str> {
        match family {
            Family::Ipv4 => self.ipv4.as_deref(),
            Family::Ipv6 => self.ipv6.as_deref(),
        }
    }
}

#[async_trait]
impl Source for Https {
    fn operator(&self) -> &str {
        &self.operator
    }

    fn speaks(&self, family: Family) -> bool {
        self.url(family).is_some()
    }

    async fn look(&self, family: Family, from: Option<IpAddr>) -> Result<IpAddr, String> {
        let url = self.url(family).ok_or_else(|| format!("no {family} here"))?;
        let client = self.clients.get(Some(family), from).map_err(|error| error.to_string())?;
        let reply = http::send(client.get(url)).await.map_err(|error| error.to_string())?;
        if reply.status != 200 {
            return Err(format!("HTTP status {}", reply.status));
        }
        read(&reply.body, self.format, family)
    }
}

/// The address in an answer: the whole of it must be one, so that a page of HTML never becomes a record.
fn read(body: &str, format: HttpsFormat, family: Family) -> Result<IpAddr, String> {
    let word = match format {
        HttpsFormat::Address => body.trim(),
        HttpsFormat::Trace => {
            body.lines().find_map(|line| line.strip_prefix("ip=")).unwrap_or_default().trim()
        }
    };
    let address: IpAddr = word.parse().map_err(|_| "the answer is no address".to_owned())?;
    if Family::of(address) == family {
        Ok(address)
    } else {
        Err(format!("asked for {family}, answered {address}"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_an_answer_that_is_an_address_counts() {
        let ipv4 = |body, format| read(body, format, Family::Ipv4);
        assert_eq!(ipv4("84.20.10.1\n", HttpsFormat::Address), Ok("84.20.10.1".parse().unwrap()));
        assert_eq!(
            ipv4("fl=1\nip=84.20.10.1\nts=2\n", HttpsFormat::Trace),
            Ok("84.20.10.1".parse().unwrap())
        );
        assert!(ipv4("<html>84.20.10.1</html>", HttpsFormat::Address).is_err());
        assert!(ipv4("fl=1\n", HttpsFormat::Trace).is_err());
        assert!(ipv4("2a01:4f8::1", HttpsFormat::Address).unwrap_err().contains("asked for IPv4"));
    }
}
