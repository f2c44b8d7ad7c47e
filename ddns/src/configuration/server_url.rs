//! Where a server is asked: HTTPS, or HTTP on this very machine.

use std::net::IpAddr;

use reqwest::Url;
use serde::de::{Deserialize, Deserializer, Error};

/// The URL of a server that gets a secret or whose word counts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ServerUrl(Url);

impl ServerUrl {
    /// Reads one.
    ///
    /// # Errors
    /// What is wrong with it, and that plain HTTP would show the secret to everybody on the way.
    pub fn new(text: &str) -> Result<Self, String> {
        let url: Url = text.parse().map_err(|error| format!("this is no URL: {error}"))?;
        if !url.username().is_empty() || url.password().is_some() {
            return Err("a URL with a user or a password in it; secrets are references to files".to_owned());
        }
        match (url.scheme(), is_loopback(&url)) {
            ("https", _) | ("http", true) => Ok(Self(url)),
            ("http", false) => Err(format!(
                "`{url}` is not encrypted: whoever is on the way could read the secret and forge the answer; say `https://`"
            )),
            (other, _) => Err(format!("`{other}` URLs are not spoken; say `https://`")),
        }
    }

    /// The URL.
    pub fn url(&self) -> &Url {
        &self.0
    }

    /// Whether it leads to this machine.
    pub fn is_loopback(&self) -> bool {
        is_loopback(&self.0)
    }
}

fn is_loopback(url: &Url) -> bool {
    let host = url.host_str().unwrap_or_default();
    let host = host.strip_prefix('[').and_then(|host| host.strip_suffix(']')).unwrap_or(host);
    host.parse::<IpAddr>().is_ok_and(|address| address.is_loopback())
}

impl<'de> Deserialize<'de> for ServerUrl {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Self::new(&String::deserialize(deserializer)?).map_err(D::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn plain_http_is_refused_but_on_this_machine() {
        assert!(ServerUrl::new("http://dyn.example.org/nic/update").unwrap_err().contains("not encrypted"));
        // A name can be made to mean anything.
        assert!(ServerUrl::new("http://localhost:8080/").is_err());
        assert!(ServerUrl::new("http://127.0.0.1:8080/").is_ok_and(|url| url.is_loopback()));
        assert!(ServerUrl::new("http://[::1]:8080/").is_ok());
        assert!(ServerUrl::new("https://dyn.example.org/nic/update").is_ok_and(|url| !url.is_loopback()));
        let said = ServerUrl::new("https://me:canary@dyn.example.org/").unwrap_err();
        assert!(!said.contains("canary"), "{said}");
        assert!(ServerUrl::new("ftp://dyn.example.org/").is_err());
    }
}
