//! Cloudflare's API, version 4. A record is changed by PATCH, so that the user's TTL, proxy setting and comment stay.

use std::net::IpAddr;
use std::time::Duration;

use async_trait::async_trait;
use reqwest::header::CONTENT_TYPE;
use reqwest::{Client, Method, Url};
use serde::Deserialize;
use serde_json::{Value, json};
use tokio::sync::Mutex;

use super::{Provider, excerpt, fatal, no_answer, not_understood, too_many, transient};
use crate::address::{Addresses, Family};
use crate::configuration::{DomainName, ServerUrl};
use crate::http::{self, Clients, Reply};
use crate::machine::{Answer, Scope};
use crate::secret::Secret;

const SERVER: &str = "https://api.cloudflare.com/client/v4";
/// How long a user who asked too much is kept out.
const FIVE_MINUTES: Duration = Duration::from_mins(5);
/// "An identical record already exists."
const IDENTICAL: i64 = 81058;

pub(super) struct Cloudflare {
    server: Url,
    zone: Option<DomainName>,
    zone_id: Mutex<Option<String>>,
    token: Secret,
    client: Client,
}

/// What every answer is wrapped in.
#[derive(Debug, Deserialize)]
struct Envelope {
    success: bool,
    #[serde(default)]
    errors: Vec<ApiError>,
    #[serde(default)]
    result: Value,
}

#[derive(Debug, Deserialize)]
struct ApiError {
    code: i64,
    message: String,
}

impl Cloudflare {
    pub(super) fn new(
        server: Option<&ServerUrl>,
        zone: Option<DomainName>,
        token: Secret,
        clients: &Clients,
    ) -> Result<Self, String> {
        let server = match server {
            Some(server) => server.url().clone(),
            None => SERVER.parse().map_err(|error| format!("`{SERVER}`: {error}"))?,
        };
        let client = clients.get(None, None).map_err(|error| error.to_string())?;
        Ok(Self { server, zone, zone_id: Mutex::new(None), token, client })
    }

    async fn ask(
        &self,
        method: Method,
        path: &[&str],
        query: &[(&str, &str)],
        body: Option<Value>,
    ) -> Result<Value, Answer> {
        let mut url = self.server.clone();
        if let Ok(mut segments) = url.path_segments_mut() {
            segments.pop_if_empty().extend(path);
        }
        if !query.is_empty() {
            url.query_pairs_mut().extend_pairs(query);
        }
        let mut request = self.client.request(method, url).bearer_auth(self.token.expose());
        if let Some(body) = body {
            request = request.header(CONTENT_TYPE, "application/json").body(body.to_string());
        }
        let reply = http::send(request).await.map_err(|error| no_answer(&error))?;
        read(&reply)
    }

    async fn zone_id(&self, name: &DomainName) -> Result<String, Answer> {
        let mut known = self.zone_id.lock().await;
        if let Some(id) = &*known {
            return Ok(id.clone());
        }
        let wanted: Vec<&str> = match &self.zone {
            Some(zone) => vec![zone.as_str()],
            None => name.possible_zones().collect(),
        };
        for zone in &wanted {
            let zones = self.ask(Method::GET, &["zones"], &[("name", zone)], None).await?;
            let found = zones.as_array().and_then(|zones| zones.first()).and_then(|zone| zone["id"].as_str());
            if let Some(id) = found {
                *known = Some(id.to_owned());
                return Ok(id.to_owned());
            }
        }
        let fix = "create the zone, or give the token the permission Zone.Zone Read for it";
        let zones = wanted.join("` and no zone `");
        Err(fatal(format!("Cloudflare shows this token no zone `{zones}`; {fix}"), Scope::Name))
    }

    async fn set(&self, zone: &str, name: &DomainName, address: IpAddr) -> Result<(), Answer> {
        let kind = Family::of(address).record();
        let query = [("type", kind), ("name", name.as_str()), ("per_page", "100")];
        let records = self.ask(Method::GET, &["zones", zone, "dns_records"], &query, None).await?;
        let records = records
            .as_array()
            .ok_or_else(|| transient("Cloudflare's list of records is no list".to_owned()))?;
        let content = address.to_string();
        match records.as_slice() {
            [] => {
                let comment = "kept up to date by garboard-ddns";
                let body = json!({
                    "type": kind, "name": name.as_str(), "content": content, "ttl": 1, "proxied": false, "comment": comment,
                });
                self.ask(Method::POST, &["zones", zone, "dns_records"], &[], Some(body)).await?;
                Ok(())
            }
            [one] if one["content"].as_str() == Some(&content) => Ok(()),
            [one] => {
                let id = one["id"]
                    .as_str()
                    .ok_or_else(|| transient("Cloudflare's record has no id".to_owned()))?;
                let body = json!({ "content": content });
                self.ask(Method::PATCH, &["zones", zone, "dns_records", id], &[], Some(body)).await?;
                Ok(())
            }
            several => Err(fatal(
                format!(
                    "`{name}` has {} {kind} records, and which of them is this network's nobody can tell; \
                     leave one in Cloudflare's dashboard",
                    several.len()
                ),
                Scope::Name,
            )),
        }
    }
}

#[async_trait]
impl Provider for Cloudflare {
    async fn update(&self, name: &DomainName, _all: &Addresses, changed: &Addresses) -> Answer {
        let zone = match self.zone_id(name).await {
            Ok(zone) => zone,
            Err(answer) => return answer,
        };
        for address in changed.iter() {
            if let Err(answer) = self.set(&zone, name, address).await {
                return answer;
            }
        }
        Answer::Good
    }
}

fn read(reply: &Reply) -> Result<Value, Answer> {
    if reply.status == 429 {
        return Err(too_many(reply, FIVE_MINUTES));
    }
    let Ok(envelope) = serde_json::from_str::<Envelope>(&reply.body) else {
        return Err(match reply.status {
            401 | 403 => {
                fatal(format!("HTTP status {}: {}", reply.status, excerpt(&reply.body)), Scope::Account)
            }
            _ => not_understood(reply),
        });
    };
    if envelope.success || envelope.errors.iter().any(|error| error.code == IDENTICAL) {
        return Ok(envelope.result);
    }
    let said: Vec<String> =
        envelope.errors.iter().map(|one| format!("{} (code {})", one.message, one.code)).collect();
    let said = if said.is_empty() { "no reason given".to_owned() } else { said.join("; ") };
    Err(match reply.status {
        400 if envelope.errors.iter().any(|error| matches!(error.code, 6003 | 9106 | 9109 | 10000)) => {
            fatal(format!("Cloudflare does not accept the token: {said}"), Scope::Account)
        }
        401 | 403 => fatal(format!("Cloudflare does not accept the token: {said}"), Scope::Account),
        400..500 => fatal(format!("Cloudflare refuses the update: {said}"), Scope::Name),
        status => Answer::Transient {
            reason: format!("Cloudflare has trouble (HTTP status {status}): {said}"),
            at_least: None,
            retry_after: reply.retry_after,
            scope: Scope::Name,
        },
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn said(status: u16, body: &str) -> Result<Value, Answer> {
        read(&Reply { status, retry_after: None, body: body.to_owned() })
    }

    #[test]
    fn the_reason_is_cloudflares_own_message() {
        let body = r#"{"success":false,"errors":[{"code":9109,"message":"Invalid access token"}],"messages":[],"result":null}"#;
        let Err(Answer::Fatal { reason, scope }) = said(403, body) else { panic!() };
        assert!(reason.contains("Invalid access token (code 9109)") && scope == Scope::Account, "{reason}");
        assert!(matches!(said(502, "<html>"), Err(Answer::Transient { .. })));
        let identical =
            r#"{"success":false,"errors":[{"code":81058,"message":"An identical record already exists."}]}"#;
        assert_eq!(said(400, identical), Ok(Value::Null));
    }
}
