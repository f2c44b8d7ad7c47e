//! The configuration file: YAML, strict. Its format is in `docs/ddns.md`.

mod domain_name;
mod interval;
mod load;
mod provider;
mod rules;
mod server_url;
mod sources;

use std::path::PathBuf;

use ipnet::IpNet;
use serde::Deserialize;

use crate::address::Family;

pub use domain_name::DomainName;
pub use interval::Interval;
pub use load::{ConfigurationError, load};
pub use provider::{Dyndns2, Provider, TsigKey};
pub use server_url::ServerUrl;
pub use sources::{DnsSource, Gateway, HttpsFormat, HttpsSource, RouterProtocol, Sources};

/// The whole file.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Configuration {
    /// What is kept up to date; at least one.
    pub names: Vec<Name>,
    /// Who says what the address is.
    #[serde(default)]
    pub sources: Sources,
    /// How often.
    #[serde(default)]
    pub intervals: Intervals,
    /// Where the metrics go; `metrics.prom` in the runtime folder unless said otherwise.
    pub metrics: Option<PathBuf>,
    /// Ranges that would be refused as addresses of a name, and are public where the user is.
    #[serde(default)]
    pub allow: Vec<IpNet>,
}

/// One name.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Name {
    /// As in DNS, without the last dot.
    pub name: DomainName,
    /// Which records it gets.
    #[serde(default = "ipv4_alone")]
    pub families: Vec<Family>,
    /// Who keeps the record.
    pub provider: Provider,
}

fn ipv4_alone() -> Vec<Family> {
    vec![Family::Ipv4]
}

/// How often something is done.
#[derive(Debug, Clone, Copy, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Intervals {
    /// The router and the interface are looked at.
    pub router: Interval,
    /// The services on the internet are asked; up to a fifth more, by chance.
    pub echo: Interval,
    /// The first term after a failure; it doubles with each.
    pub retry: Interval,
}

impl Default for Intervals {
    fn default() -> Self {
        Self { router: Interval::seconds(30), echo: Interval::seconds(300), retry: Interval::seconds(60) }
    }
}

impl Configuration {
    /// The families that any name wants.
    pub fn families(&self) -> impl Iterator<Item = Family> + '_ {
        Family::BOTH.into_iter().filter(|family| self.names.iter().any(|name| name.families.contains(family)))
    }
}
