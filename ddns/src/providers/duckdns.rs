//! Duck DNS (`duckdns.org/spec.jsp`): `OK` or `KO`, without a reason. An IPv6 address alone keeps it from taking the IPv4
//! address of the connection.

use std::time::Duration;

use async_trait::async_trait;
use reqwest::{Client, Url};

use super::{Provider, excerpt, fatal, no_answer, not_understood, too_many, transient};
use crate::address::Addresses;
use crate::configuration::{DomainName, ServerUrl};
use crate::http::{self, Clients, Reply};
use crate::machine::{Answer, Scope};
use crate::secret::Secret;

const SERVER: &str = "https://www.duckdns.org/update";
const FIVE_MINUTES: Duration = Duration::from_mins(5);

pub(super) struct DuckDns {
    url: Url,
    token: Secret,
    client: Client,
}

impl DuckDns {
    pub(super) fn new(server: Option<&ServerUrl>, token: Secret, clients: &Clients) -> Result<Self, String> {
        let url = match server {
            Some(server) => server.url().clone(),
            None => SERVER.parse().map_err(|error| format!("`{SERVER}`: {error}"))?,
        };
        Ok(Self { url, token, client: clients.get(None, None).map_err(|error| error.to_string())? })
    }
}

#[async_trait]
impl Provider for DuckDns {
    async fn update(&self, name: &DomainName, all: &Addresses, _changed: &Addresses) -> Answer {
        let label = name.as_str().split('.').next().unwrap_or_default();
        let mut url = self.url.clone();
        {
            let mut query = url.query_pairs_mut();
            query.append_pair("domains", label).append_pair("token", self.token.expose());
            if let Some(address) = all.ipv4 {
                query.append_pair("ip", &address.to_string());
            }
            if let Some(address) = all.ipv6 {
                query.append_pair("ipv6", &address.to_string());
            }
            query.append_pair("verbose", "true");
        }
        match http::send(self.client.get(url)).await {
            Ok(reply) => read(&reply, name, all),
            Err(error) => no_answer(&error),
        }
    }
}

fn read(reply: &Reply, name: &DomainName, sent: &Addresses) -> Answer {
    let mut lines = reply.body.lines().map(str::trim);
    match (reply.status, lines.next()) {
        (200, Some("OK")) => {
            let said: Vec<_> = lines.filter_map(|line| line.parse().ok()).collect();
            if sent.iter().all(|address| said.contains(&address)) {
                Answer::Good
            } else {
                transient(format!(
                    "Duck DNS says OK and names other addresses than {sent}: {}",
                    excerpt(&reply.body)
                ))
            }
        }
        (200, Some("KO")) => fatal(
            format!(
                "`KO`: Duck DNS does not say why; is `{name}` in the account of this token, and the token right?"
            ),
            Scope::Name,
        ),
        (429, _) => too_many(reply, FIVE_MINUTES),
        (401 | 403, _) => {
            fatal(format!("HTTP status {}: {}", reply.status, excerpt(&reply.body)), Scope::Account)
        }
        _ => not_understood(reply),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ok_counts_only_with_the_addresses_that_were_sent() {
        let name = DomainName::new("home.duckdns.org").unwrap();
        let sent = Addresses { ipv4: Some([84, 20, 10, 1].into()), ipv6: None };
        let said = |status, body: &str| {
            read(&Reply { status, retry_after: None, body: body.to_owned() }, &name, &sent)
        };
        assert_eq!(said(200, "OK\n84.20.10.1\n\nUPDATED"), Answer::Good);
        assert_eq!(said(200, "OK\n84.20.10.1\n\nNOCHANGE"), Answer::Good);
        assert!(matches!(said(200, "OK\n84.20.10.9\n\nUPDATED"), Answer::Transient { .. }));
        assert!(matches!(said(200, "KO"), Answer::Fatal { .. }));
        assert!(matches!(said(502, "KO"), Answer::Transient { .. }));
    }
}
