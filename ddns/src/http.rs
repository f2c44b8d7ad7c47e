//! HTTP as this service needs it: one question, one bounded answer, no redirects, no proxy, the family pinned in the socket.

use std::collections::BTreeMap;
use std::error::Error as _;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use hickory_resolver::TokioResolver;
use hickory_resolver::config::LookupIpStrategy;
use jiff::Timestamp;
use reqwest::dns::{Addrs, Name, Resolve, Resolving};
use reqwest::header::RETRY_AFTER;
use reqwest::{Client, RequestBuilder};

use crate::address::Family;

const CONNECT: Duration = Duration::from_secs(5);
const WHOLE: Duration = Duration::from_secs(15);
/// No answer that is meant for us is longer.
const LARGEST: usize = 256 * 1024;
/// "NameOfProgram/Version contact", as No-IP asks for and Dyn's guidelines do.
pub const USER_AGENT: &str =
    concat!("garboard-ddns/", env!("CARGO_PKG_VERSION"), " (+", env!("CARGO_PKG_REPOSITORY"), ")");

/// An answer, whatever its status.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reply {
    /// The status code.
    pub status: u16,
    /// What `Retry-After` said, counted from now.
    pub retry_after: Option<Duration>,
    /// The body, as text.
    pub body: String,
}

/// Why there was no answer. The text names no URL: a token may stand in it.
#[derive(Debug, Clone, thiserror::Error)]
#[error("{0}")]
pub struct HttpError(String);

/// The clients, each made once: reading the roots of trust of this system takes longer than a question.
#[derive(Debug, Default)]
pub struct Clients(Mutex<BTreeMap<Pinned, Client>>);

/// To which family, and from which address.
type Pinned = (Option<Family>, Option<IpAddr>);

/// Every change of the address that questions are asked from leaves one behind.
const MOST: usize = 8;

impl Clients {
    /// The client for a family, bound to it (to `from` if given); or for both.
    ///
    /// # Errors
    /// The roots of trust of this system cannot be read.
    pub fn get(&self, family: Option<Family>, from: Option<IpAddr>) -> Result<Client, HttpError> {
        let mut clients = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(client) = clients.get(&(family, from)) {
            return Ok(client.clone());
        }
        let client = client(family, from)?;
        if clients.len() >= MOST {
            clients.clear();
        }
        clients.insert((family, from), client.clone());
        Ok(client)
    }
}

/// A client. `family` pins it: names are resolved to that family alone and the socket is bound to it, to `from` if given.
///
/// # Errors
/// The roots of trust of this system cannot be read.
fn client(family: Option<Family>, from: Option<IpAddr>) -> Result<Client, HttpError> {
    // A second call finds it set, which is as good.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let any = family.map(|family| match family {
        Family::Ipv4 => IpAddr::V4(Ipv4Addr::UNSPECIFIED),
        Family::Ipv6 => IpAddr::V6(Ipv6Addr::UNSPECIFIED),
    });
    Client::builder()
        .user_agent(USER_AGENT)
        .connect_timeout(CONNECT)
        .timeout(WHOLE)
        .redirect(reqwest::redirect::Policy::none())
        .no_proxy()
        // Each question is asked minutes apart, and after a change of address no old connection lives.
        .pool_max_idle_per_host(0)
        .local_address(from.or(any))
        .dns_resolver(std::sync::Arc::new(Names { family }))
        .build()
        .map_err(|error| {
            HttpError(format!(
                "no HTTPS here: {} (is the package `ca-certificates` installed?)",
                chain(&error)
            ))
        })
}

/// Sends one request.
///
/// # Errors
/// No answer, or one that is too long.
pub async fn send(request: RequestBuilder) -> Result<Reply, HttpError> {
    let failed = |error: reqwest::Error| HttpError(chain(&error.without_url()));
    let mut response = request.send().await.map_err(failed)?;
    let status = response.status().as_u16();
    let retry_after =
        response.headers().get(RETRY_AFTER).and_then(|value| value.to_str().ok()).and_then(retry_after);
    let mut bytes = Vec::new();
    while let Some(chunk) = response.chunk().await.map_err(failed)? {
        bytes.extend_from_slice(&chunk);
        if bytes.len() > LARGEST {
            return Err(HttpError("the answer is longer than 256 KiB".to_owned()));
        }
    }
    Ok(Reply { status, retry_after, body: String::from_utf8_lossy(&bytes).into_owned() })
}

/// Seconds, or a date (RFC 9110, 10.2.3).
fn retry_after(value: &str) -> Option<Duration> {
    if let Ok(seconds) = value.trim().parse() {
        return Some(Duration::from_secs(seconds));
    }
    let at = jiff::fmt::rfc2822::parse(value).ok()?.timestamp();
    Duration::try_from(at.duration_since(Timestamp::now())).ok()
}

fn chain(error: &reqwest::Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(inner) = source {
        text.push_str(": ");
        text.push_str(&inner.to_string());
        source = inner.source();
    }
    text
}

/// Names by hickory, so that nothing depends on this machine's libc.
#[derive(Debug, Clone, Copy)]
struct Names {
    family: Option<Family>,
}

impl Resolve for Names {
    fn resolve(&self, name: Name) -> Resolving {
        let family = self.family;
        Box::pin(async move {
            let found = addresses(name.as_str(), family).await?;
            Ok(Box::new(found.into_iter().map(|address| SocketAddr::new(address, 0))) as Addrs)
        })
    }
}

/// The addresses of a name, by `/etc/hosts` and the servers of `/etc/resolv.conf` as it is now (a lease may have changed it).
///
/// # Errors
/// The configuration of this system cannot be read, or the name has no address.
pub async fn addresses(
    name: &str,
    family: Option<Family>,
) -> Result<Vec<IpAddr>, hickory_resolver::net::NetError> {
    let mut builder = TokioResolver::builder_tokio()?;
    let options = builder.options_mut();
    options.cache_size = 0;
    options.ip_strategy = match family {
        None => LookupIpStrategy::Ipv4AndIpv6,
        Some(Family::Ipv4) => LookupIpStrategy::Ipv4Only,
        Some(Family::Ipv6) => LookupIpStrategy::Ipv6Only,
    };
    Ok(builder.build()?.lookup_ip(name).await?.iter().collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn retry_after_is_seconds_or_a_date() {
        assert_eq!(retry_after("120"), Some(Duration::from_mins(2)));
        assert_eq!(retry_after("Thu, 01 Jan 1970 00:00:00 GMT"), None);
        assert!(
            retry_after("Fri, 31 Dec 2100 23:59:59 GMT").is_some_and(|term| term > Duration::from_hours(1))
        );
        assert_eq!(retry_after("soon"), None);
    }
}
