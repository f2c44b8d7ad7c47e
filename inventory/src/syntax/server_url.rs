//! Where a server is asked: HTTPS, or HTTP on the very machine that asks.

use std::net::IpAddr;

use crate::fault::{Flaw, quote};

/// The URL of a server that gets a secret or whose word counts.
pub(crate) fn server_url(text: &str) -> Result<String, Flaw> {
    let example = "write it like `https://dyn.example.org/nic/update`";
    let Some((scheme, rest)) = text.split_once("://") else {
        return Err(Flaw::new(format!("{} is no URL", quote(text))).help(example));
    };
    if rest.split(['/', '?', '#']).next().is_some_and(|authority| authority.contains('@')) {
        // Not repeated: what stands before the `@` may be a password.
        return Err(Flaw::new("this URL has a user or a password in it")
            .help("secrets are references, such as `{ file: PATH }`; write the URL without it"));
    }
    let Some(host) = url_host(text) else {
        return Err(Flaw::new(format!("{} names no server", quote(text))).help(example));
    };
    if text.contains(|one: char| one.is_whitespace() || one.is_control()) {
        return Err(Flaw::new(format!("{} is no URL", quote(text))).help(example));
    }
    let is_own = host.parse::<IpAddr>().is_ok_and(|address| address.is_loopback());
    match (scheme.to_ascii_lowercase().as_str(), is_own) {
        ("https", _) | ("http", true) => Ok(text.to_owned()),
        ("http", false) => Err(Flaw::new(format!(
            "{} is not encrypted: whoever is on the way could read the secret and forge the answer",
            quote(text)
        ))
        .help(format!("write `https://{rest}`"))),
        _ => Err(Flaw::new(format!("{} URLs are not spoken", quote(scheme))).help(example)),
    }
}

/// The host of a URL, without the brackets of an IPv6 address; nothing where there is none.
pub(crate) fn url_host(text: &str) -> Option<&str> {
    let (_, rest) = text.split_once("://")?;
    let authority = rest.split(['/', '?', '#']).next()?;
    let (host, port) = match authority.strip_prefix('[') {
        Some(ipv6) => ipv6.split_once(']')?,
        None => authority.find(':').map_or((authority, ""), |at| authority.split_at(at)),
    };
    let good_port = match port.strip_prefix(':') {
        Some(port) => port.parse::<u16>().is_ok_and(|port| port > 0),
        None => port.is_empty(),
    };
    (!host.is_empty() && good_port).then_some(host)
}

#[cfg(test)]
mod tests {
    use super::{server_url, url_host};

    #[test]
    fn plain_http_is_refused_but_on_the_machine_itself() {
        for good in [
            "https://dyn.example.org/nic/update",
            "http://127.0.0.1:8080/",
            "http://[::1]:8080/x",
            "https://[2001:db8::1]/",
        ] {
            assert!(server_url(good).is_ok(), "{good}");
        }
        for bad in [
            "http://dyn.example.org/",
            "http://localhost/",
            "ftp://dyn.example.org/",
            "dyn.example.org",
            "https://",
            "https:///x",
            "https://a:b/",
            "https://a b/",
        ] {
            assert!(server_url(bad).is_err(), "{bad}");
        }
        let flaw = server_url("https://me:hunter2@dyn.example.org/").unwrap_err();
        assert!(!format!("{flaw:?}").contains("hunter2"), "{flaw:?}");
        assert_eq!(url_host("https://dyn.example.org:8443/x?y"), Some("dyn.example.org"));
    }
}
