//! How Traefik is told to show names by DNS (DNS-01): what lego, its library, wants to know of each provider.

use garboard_inventory::{Challenge, DdnsProvider, DnsChallenge};
use garboard_protocol::{Digest, Secret};
use serde_json::{Value, json};

/// Where the file with the provider's secret is, in Traefik's container.
const FOLDER: &str = "/etc/traefik/provider";
/// Its name there, and in the Secret.
const FILE: &str = "secret";

/// The field `dns` of `edge.ingress.acme`; all of it is empty where names are not shown by DNS. Names of variables are those of
/// lego 4.33 (`providers/dns/*/*.toml`), which Traefik 3.6.12 is built with; `NAME_FILE` is the file that holds `NAME`.
pub(crate) fn variable(challenge: Option<&Challenge>, secret: Option<&Secret>) -> Value {
    let challenge = match challenge {
        Some(Challenge::Dns(challenge)) => Some(challenge),
        _ => None,
    };
    let secret = secret.filter(|_| challenge.is_some()).map(Secret::expose).unwrap_or_default();
    let settings = challenge.and_then(|challenge| settings(&challenge.provider)).unwrap_or_default();
    json!({
        "provider": challenge.map(|challenge| challenge.provider.word()).unwrap_or_default(),
        "folder": FOLDER,
        "file": FILE,
        "secret": secret,
        // A secret that changed has Traefik start anew: it reads the file once.
        "digest": if secret.is_empty() { String::new() } else { Digest::of(secret.as_bytes()).to_string() },
        "environment": settings.iter().map(|(name, value)| json!({ "name": name, "value": value })).collect::<Vec<_>>(),
        "resolvers": challenge.map(|challenge| challenge.resolvers.as_slice()).unwrap_or_default(),
        "delay": challenge.map(|challenge| challenge.delay).unwrap_or_default(),
    })
}

/// The name whose record shows that this host is yours: that of a wildcard is that of the name it stands for, and Duck DNS has one record
/// for a name and all below it.
pub(crate) fn record(challenge: &DnsChallenge, host: &str) -> String {
    let name = host.strip_prefix("*.").unwrap_or(host);
    match &challenge.provider {
        DdnsProvider::Duckdns(_) => {
            let start = name.rmatch_indices('.').nth(2).map_or(0, |(dot, _)| dot + 1);
            name[start..].to_owned()
        }
        _ => name.to_owned(),
    }
}

/// The environment of the process. `None`: no provider of the inventory's that writes TXT records.
fn settings(provider: &DdnsProvider) -> Option<Vec<(&'static str, String)>> {
    let secret = |variable| (variable, format!("{FOLDER}/{FILE}"));
    Some(match provider {
        DdnsProvider::Rfc2136 { server, key, .. } => vec![
            ("RFC2136_NAMESERVER", server.clone()),
            ("RFC2136_TSIG_ALGORITHM", "hmac-sha256.".to_owned()),
            ("RFC2136_TSIG_KEY", key.name.clone()),
            secret("RFC2136_TSIG_SECRET_FILE"),
        ],
        DdnsProvider::Cloudflare { server, .. } => {
            let mut settings = vec![secret("CF_DNS_API_TOKEN_FILE")];
            settings.extend(server.clone().map(|server| ("CLOUDFLARE_BASE_URL", server)));
            settings
        }
        DdnsProvider::Duckdns(_) => vec![secret("DUCKDNS_TOKEN_FILE")],
        DdnsProvider::Desec(_) => vec![secret("DESEC_TOKEN_FILE")],
        _ => return None,
    })
}
