//! Where the API server is reached: `HOST` or `HOST:PORT`

use std::net::IpAddr;

use super::address::port;
use super::name::is_domain;
use crate::fault::{Flaw, quote};

/// The port the API server listens on (kubeadm's default).
pub(crate) const API_PORT: u16 = 6443;

/// An endpoint as the user wrote it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct WrittenEndpoint {
    /// Name or IPv4 address.
    pub(crate) host: String,
    /// Its port; [`API_PORT`] where none was written.
    pub(crate) port: u16,
}

/// Name or IPv4 address, with or without a port.
pub(crate) fn endpoint(text: &str) -> Result<WrittenEndpoint, Flaw> {
    let no_endpoint = |because: &str| Flaw::new(format!("{} is no endpoint: {because}", quote(text)));
    if let Some((_, rest)) = text.split_once("://") {
        let bare = rest.split('/').next().unwrap_or(rest);
        return Err(no_endpoint("it goes without a scheme").help(format!("write {}", quote(bare))));
    }
    if text.contains('/') {
        return Err(no_endpoint("it has no path").help("write it like `k8s.home.arpa:6443`"));
    }
    if text.starts_with('[') || text.parse::<std::net::Ipv6Addr>().is_ok() {
        return Err(no_endpoint("IPv6 is not in this version").help("write a name or an IPv4 address"));
    }
    let (host, port) = match text.split_once(':') {
        Some((host, number)) => match port(number) {
            Ok(port) => (host, port),
            Err(_) => {
                return Err(no_endpoint("a port is a number from 1 to 65535")
                    .help(format!("write `{host}:{API_PORT}`")));
            }
        },
        None => (text, API_PORT),
    };
    let numeric = host.chars().all(|character| character.is_ascii_digit() || character == '.');
    if numeric && host.parse::<IpAddr>().is_err() || !is_domain(host) || host != host.to_lowercase() {
        return Err(no_endpoint("a host is a name in lower case or an IPv4 address")
            .help("write it like `k8s.home.arpa:6443`"));
    }
    Ok(WrittenEndpoint { host: host.strip_suffix('.').unwrap_or(host).to_owned(), port })
}

#[cfg(test)]
mod tests {
    use super::endpoint;

    #[test]
    fn an_endpoint_is_a_host_with_or_without_a_port() {
        let read = |text| endpoint(text).map(|endpoint| format!("{}:{}", endpoint.host, endpoint.port));
        assert_eq!(read("k8s.home.arpa").unwrap(), "k8s.home.arpa:6443");
        assert_eq!(read("10.0.0.1:443").unwrap(), "10.0.0.1:443");
        for bad in
            ["", ":6443", "https://a:6443", "a:b:c", "a:0", "a/b", "[::1]:6443", "::1", "10.0.0", "K8s.lan"]
        {
            assert!(endpoint(bad).is_err(), "{bad:?} was taken");
        }
        assert_eq!(endpoint("https://a:6443/x").unwrap_err().help.unwrap(), "write `a:6443`");
    }
}
