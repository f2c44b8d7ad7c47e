//! Who keeps the records, one file each. A provider turns its own words into an [`Answer`]; what follows from that is the
//! machine's business. None ever deletes a record.

mod cloudflare;
mod desec;
mod duckdns;
mod dyndns2;
mod rfc2136;

use std::time::Duration;

use async_trait::async_trait;
use sha2::{Digest as _, Sha256};

use crate::address::Addresses;
use crate::configuration::{self, DomainName, Name};
use crate::http::{Clients, HttpError, Reply};
use crate::machine::{Answer, Scope};
use crate::secret::{Redaction, Secret};

/// Sends an update.
#[async_trait]
pub trait Provider: Send + Sync {
    /// Has the records of the name hold these addresses. `all` are the addresses of every family that is known, `changed`
    /// those that the records do not hold yet; where one request carries both families, `all` are sent.
    async fn update(&self, name: &DomainName, all: &Addresses, changed: &Addresses) -> Answer;
}

/// A provider that is ready to be asked.
pub struct Prepared {
    provider: Box<dyn Provider>,
    redaction: Redaction,
    /// Names with the same text share an account: a refusal of the account holds for all of them.
    pub account: String,
    /// Digest of everything the user said about the name, the secret included.
    pub configuration: String,
}

impl Prepared {
    /// Makes the provider of a name.
    ///
    /// # Errors
    /// A sentence without a full stop: what about the configuration or this machine stands in the way.
    pub fn new(entry: &Name, secret: Secret, clients: &Clients) -> Result<Self, String> {
        let (account, user) = account(entry);
        let mut digest = Sha256::new();
        let zone = match &entry.provider {
            configuration::Provider::Rfc2136 { zone, .. } => zone.as_str(),
            configuration::Provider::Cloudflare { zone, .. } => zone.as_ref().map_or("", DomainName::as_str),
            _ => "",
        };
        for part in [entry.name.as_str(), &account, zone, secret.expose()] {
            digest.update((part.len() as u64).to_be_bytes());
            digest.update(part.as_bytes());
        }
        let configuration =
            digest.finalize().iter().take(16).fold(String::new(), |text, byte| text + &format!("{byte:02x}"));
        let redaction = Redaction::new(user.as_deref(), &secret);
        let provider: Box<dyn Provider> = match &entry.provider {
            configuration::Provider::Rfc2136 { server, zone, key, ttl } => {
                Box::new(rfc2136::Rfc2136::new(server, zone, &key.name, &secret, *ttl)?)
            }
            configuration::Provider::Cloudflare { zone, server, .. } => {
                Box::new(cloudflare::Cloudflare::new(server.as_ref(), zone.clone(), secret, clients)?)
            }
            configuration::Provider::Duckdns { server, .. } => {
                Box::new(duckdns::DuckDns::new(server.as_ref(), secret, clients)?)
            }
            configuration::Provider::Desec { server, .. } => {
                Box::new(desec::Desec::new(server.as_ref(), secret, clients)?)
            }
            configuration::Provider::NoIp(one) => dyndns2::boxed(dyndns2::NO_IP, one, user, secret, clients)?,
            configuration::Provider::Dynu(one) => dyndns2::boxed(dyndns2::DYNU, one, user, secret, clients)?,
            configuration::Provider::Ovh(one) => dyndns2::boxed(dyndns2::OVH, one, user, secret, clients)?,
            configuration::Provider::HurricaneElectric(one) => {
                dyndns2::boxed(dyndns2::HURRICANE_ELECTRIC, one, user, secret, clients)?
            }
            configuration::Provider::Dynv6(one) => {
                dyndns2::boxed(dyndns2::DYNV6, one, user, secret, clients)?
            }
            configuration::Provider::Dyndns2(one) => {
                dyndns2::boxed(dyndns2::ANY, one, user, secret, clients)?
            }
        };
        Ok(Self { provider, redaction, account, configuration })
    }

    /// Sends one update; no text of the answer holds a secret, whatever the server repeated.
    pub async fn update(&self, name: &DomainName, all: &Addresses, changed: &Addresses) -> Answer {
        let mut answer = self.provider.update(name, all, changed).await;
        if let Answer::Transient { reason, .. } | Answer::Fatal { reason, .. } = &mut answer {
            *reason = self.redaction.apply(reason);
        }
        answer
    }
}

/// What tells accounts apart, and the user that is sent to the provider.
fn account(entry: &Name) -> (String, Option<String>) {
    use configuration::Provider as P;
    let word = entry.provider.word();
    let server = entry.provider.server().map(|server| server.url().to_string()).unwrap_or_default();
    let (place, user) = match &entry.provider {
        P::Rfc2136 { server, key, .. } => (format!("{server} {}", key.name), None),
        P::Cloudflare { .. } | P::Duckdns { .. } | P::Desec { .. } => (server, None),
        P::HurricaneElectric(one) => {
            (server, Some(one.username.clone().unwrap_or_else(|| entry.name.to_string())))
        }
        P::Dynv6(one) => (server, Some(one.username.clone().unwrap_or_else(|| "none".to_owned()))),
        P::NoIp(one) | P::Dynu(one) | P::Ovh(one) | P::Dyndns2(one) => (server, one.username.clone()),
    };
    let reference = entry.provider.secret();
    (format!("{word} {place} {} {reference:?}", user.as_deref().unwrap_or_default()), user)
}

fn transient(reason: String) -> Answer {
    Answer::Transient { reason, at_least: None, retry_after: None, scope: Scope::Name }
}

fn fatal(reason: String, scope: Scope) -> Answer {
    Answer::Fatal { reason, scope }
}

fn no_answer(error: &HttpError) -> Answer {
    transient(format!("no answer: {error}"))
}

/// Too many requests: for the whole account, and as long as it says.
fn too_many(reply: &Reply, at_least: Duration) -> Answer {
    Answer::Transient {
        reason: format!("too many requests (HTTP status 429): {}", excerpt(&reply.body)),
        at_least: Some(at_least),
        retry_after: reply.retry_after,
        scope: Scope::Account,
    }
}

/// The server's trouble, or something else than the server: a captive portal, a proxy.
fn not_understood(reply: &Reply) -> Answer {
    Answer::Transient {
        reason: match reply.status {
            500.. => {
                format!("the server has trouble (HTTP status {}): {}", reply.status, excerpt(&reply.body))
            }
            300..400 => format!(
                "it redirects elsewhere (HTTP status {}), which is not followed with a secret",
                reply.status
            ),
            status => format!(
                "HTTP status {status} with an answer that is none of this protocol: {}",
                excerpt(&reply.body)
            ),
        },
        at_least: None,
        retry_after: reply.retry_after,
        scope: Scope::Name,
    }
}

/// A body on one line. It is cut where its secrets are masked: a cut before that might leave a part of one.
fn excerpt(body: &str) -> String {
    let words: Vec<&str> = body.split_whitespace().collect();
    let text = words.join(" ");
    if text.is_empty() { "nothing more was said".to_owned() } else { format!("`{text}`") }
}
